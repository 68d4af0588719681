/** A Sigma condition, parsed: selections by name, combined. */
export type Condition =
  | { readonly kind: 'selection'; readonly name: string }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }

const TOKEN = /\s*(?:([()|])|([^\s()|]+))/y

const tokensOf = (text: string): string[] => {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    tokens.push(match[1] ?? match[2] ?? '')
  }
  return tokens
}

const KEYWORDS = ['and', 'or', 'not', 'of', '(', ')']

/**
 * Parses the condition of a detection: `and`, `or`, `not`, parentheses, `1 of` and `all of` a pattern of names or `them`
 * (all names but those that begin with an underscore). `not` binds closest, then `and`, then `or`.
 *
 * Throws an Error in words about the condition.
 */
export const parseCondition = (text: string, names: readonly string[]): Condition => {
  const tokens = tokensOf(text)
  let at = 0
  const peek = () => tokens[at]?.toLowerCase()
  const take = () => {
    const token = tokens[at++]
    if (token === undefined) throw new Error('it ends too early')
    return token
  }

  const several = (quantifier: 'and' | 'or', pattern: string): Condition => {
    const prefix = pattern.replace(/\*$/, '')
    if (prefix.includes('*')) throw new Error(`'${pattern}': a pattern of names ends in *, and has no other`)
    const matches = (name: string) =>
      pattern === 'them'
        ? !name.startsWith('_')
        : pattern.endsWith('*')
          ? name.startsWith(prefix)
          : name === pattern
    const parts = names.filter(matches).map((name): Condition => ({ kind: 'selection', name }))
    if (parts.length === 0) throw new Error(`no selection is called '${pattern}'`)
    return { kind: quantifier, parts }
  }

  const primary = (): Condition => {
    const token = take()
    if (token === '(') {
      const inner = disjunction()
      if (take() !== ')') throw new Error('a parenthesis is not closed')
      return inner
    }
    if (token.toLowerCase() === 'not') return { kind: 'not', part: primary() }
    if (peek() === 'of') {
      take()
      if (token === '1' || token.toLowerCase() === 'any') return several('or', take())
      if (token.toLowerCase() === 'all') return several('and', take())
      throw new Error(`'${token} of': only '1 of' and 'all of' are understood`)
    }
    if (token === '|') throw new Error('aggregations after | are not Sigma any more: write a correlation')
    if (KEYWORDS.includes(token.toLowerCase())) throw new Error(`'${token}' does not belong here`)
    if (!names.includes(token)) throw new Error(`no selection is called '${token}'`)
    return { kind: 'selection', name: token }
  }

  const chain = (kind: 'and' | 'or', next: () => Condition): Condition => {
    const parts = [next()]
    while (peek() === kind) {
      take()
      parts.push(next())
    }
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : { kind, parts }
  }
  const conjunction = () => chain('and', primary)
  const disjunction = (): Condition => chain('or', conjunction)

  const parsed = disjunction()
  const rest = tokens[at]
  if (rest === '|') throw new Error('aggregations after | are not Sigma any more: write a correlation')
  if (rest !== undefined) throw new Error(`'${rest}' does not belong here`)
  return parsed
}
