/** A test of one text. */
export type TextTest = (text: string) => boolean

/** Characters that stand for themselves after a backslash. */
const ESCAPABLE = ['*', '?', '\\']

type Piece = { readonly text: string } | { readonly wildcard: '*' | '?' }

/** Cuts a Sigma string into texts and wildcards: `\*`, `\?` and `\\` are the characters themselves, any other `\` too. */
const piecesOf = (pattern: string): Piece[] => {
  const pieces: Piece[] = []
  let text = ''
  const flush = () => {
    if (text !== '') pieces.push({ text })
    text = ''
  }
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i)
    const next = pattern.charAt(i + 1)
    if (char === '\\' && ESCAPABLE.includes(next)) {
      text += next
      i++
    } else if (char === '*' || char === '?') {
      flush()
      pieces.push({ wildcard: char })
    } else text += char
  }
  flush()
  return pieces
}

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

const WILDCARDS = { '*': '[^]*', '?': '[^]' } as const

/** Where in the field a pattern must be found. */
export type Placement = 'whole' | 'contains' | 'startswith' | 'endswith'

/** A pattern as it is compared. */
export interface TextPattern {
  readonly test: TextTest
  /** The one text that it stands for, in lower case; undefined when several match. */
  readonly literal?: string
}

/**
 * Compiles a Sigma string: case is ignored unless `cased`; `*` stands for any text and `?` for any one character. A text
 * without wildcards is compared without a regular expression.
 */
export const compilePattern = (pattern: string, placement: Placement, cased: boolean): TextPattern => {
  const fold = (text: string) => (cased ? text : text.toLowerCase())
  const pieces = piecesOf(pattern)
  if (pieces.every(piece => 'text' in piece)) {
    const literal = pieces.map(piece => ('text' in piece ? piece.text : '')).join('')
    const wanted = fold(literal)
    switch (placement) {
      case 'whole':
        return { test: text => fold(text) === wanted, literal: literal.toLowerCase() }
      case 'contains':
        return { test: text => fold(text).includes(wanted) }
      case 'startswith':
        return { test: text => fold(text).startsWith(wanted) }
      case 'endswith':
        return { test: text => fold(text).endsWith(wanted) }
    }
  }
  const source = pieces
    .map(piece => ('text' in piece ? escapeRegExp(piece.text) : WILDCARDS[piece.wildcard]))
    .join('')
  const start = placement === 'whole' || placement === 'startswith' ? '^' : ''
  const end = placement === 'whole' || placement === 'endswith' ? '$' : ''
  const regExp = new RegExp(`${start}${source}${end}`, cased ? 'u' : 'iu')
  return { test: text => regExp.test(text) }
}
