import { LineCounter, parseAllDocuments } from 'yaml'
import { SentinelError } from '../../runtime/errors.ts'

/** A place in a document: names of keys and numbers of items, outermost first. */
export type Path = readonly PropertyKey[]

/** One document of a rule file. */
export interface RuleDocument {
  readonly file: string
  /** What it holds, as JSON. */
  readonly value: unknown
  /** Throws NS_RULE_INVALID that names the file, the line and column of what is at `path`, and what is wrong there. */
  fail(path: Path, problem: string): never
}

const invalid = (file: string, line: number, column: number, problem: string): SentinelError =>
  new SentinelError('NS_RULE_INVALID', `${file}:${line}:${column}: ${problem}`)

type Parsed = ReturnType<typeof parseAllDocuments>[number]

/** Offset in the text of what is at `path`; of what holds it where the path leads nowhere. */
const offsetOf = (parsed: Parsed, path: Path): number => {
  for (let length = path.length; length > 0; length--) {
    const node = parsed.getIn(path.slice(0, length), true) as { range?: readonly number[] } | undefined
    if (node?.range?.[0] !== undefined) return node.range[0]
  }
  return parsed.contents?.range?.[0] ?? 0
}

/**
 * Parses the YAML documents of a rule file (YAML 1.2). Throws NS_RULE_INVALID with the place of the first thing that is
 * not YAML; aliases are refused beyond a hundred, so that a small file cannot grow into a huge one.
 */
export const readDocuments = (file: string, text: string): RuleDocument[] => {
  const lineCounter = new LineCounter()
  const place = (offset: number): [number, number] => {
    const { line, col } = lineCounter.linePos(offset)
    return [line, col]
  }
  const parsed = parseAllDocuments(text, { lineCounter, uniqueKeys: true, prettyErrors: false })
  return [...parsed].flatMap(document => {
    const [error] = document.errors
    if (error !== undefined) throw invalid(file, ...place(error.pos[0]), error.message)
    const value = document.toJS({ maxAliasCount: 100 }) as unknown
    // What stands between two lines of dashes, or behind the last of them, may be nothing.
    if (value === null) return []
    return {
      file,
      value,
      fail: (path, problem) => {
        const at = path.length === 0 ? '' : `${path.map(String).join('.')}: `
        throw invalid(file, ...place(offsetOf(document, path)), `${at}${problem}`)
      },
    }
  })
}
