import type { DeadLetter } from '../../connectors/dead-letters.ts'
import { ERROR_CODES } from '../../runtime/errors.ts'
import { fitColumns, inert, inertJson } from '../../runtime/inert.ts'
import { type Content, contentOf, headerContent, maskText } from './mask.ts'
import type { FoundLetter } from './read.ts'

/** How dead letters are shown. */
export interface ShowOptions {
  /** Whether secrets are shown. */
  readonly clear: boolean
}

const time = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}

const sourceOf = ({ source }: DeadLetter): string => `${source.topic}-${source.partition}-${source.offset}`

const reasonOf = ({ reason }: DeadLetter, { clear }: ShowOptions): string =>
  clear ? reason : maskText(reason)

interface Column {
  readonly title: string
  /** In terminal columns; 0 takes what is left. */
  readonly width: number
  value(found: FoundLetter, options: ShowOptions): string
}

const COLUMNS: readonly Column[] = [
  { title: 'ID', width: 9, value: ({ letter: { record } }) => `${record.partition}-${record.offset}` },
  { title: 'TIME', width: 20, value: ({ letter }) => `${time(letter.record.timestamp).slice(0, 19)}Z` },
  { title: 'CODE', width: 18, value: ({ letter }) => letter.code },
  { title: 'STAGE', width: 8, value: ({ letter }) => letter.stage },
  { title: 'SOURCE', width: 24, value: ({ letter }) => sourceOf(letter) },
  { title: 'ATTEMPT', width: 7, value: ({ letter }) => String(letter.attempt) },
  { title: 'REPLAYED', width: 8, value: ({ replay }) => (replay === undefined ? '-' : 'yes') },
  { title: 'REASON', width: 0, value: ({ letter }, options) => reasonOf(letter, options) },
]

const LEAST_WIDTH = 20

const lineOf = (columns: number | undefined, cell: (column: Column) => string): string => {
  const fixed = COLUMNS.reduce((sum, { width }) => sum + width, 0) + 2 * (COLUMNS.length - 1)
  return COLUMNS.map(column => {
    const text = inert(cell(column))
    if (column.width > 0) return text.length > column.width ? text : fitColumns(text, column.width)
    return columns === undefined ? text : fitColumns(text, Math.max(LEAST_WIDTH, columns - fixed))
  })
    .join('  ')
    .trimEnd()
}

/** The head of the list; `columns` is the width of the terminal, where there is one. */
export const listHead = (columns: number | undefined): string => lineOf(columns, ({ title }) => title)

/** One line of the list. Nothing in it acts on a terminal. */
export const listLine = (found: FoundLetter, columns: number | undefined, options: ShowOptions): string =>
  lineOf(columns, column => column.value(found, options))

const shown = (content: Content): string => {
  if (content === null) return 'null'
  if ('text' in content) return inert(content.text)
  return `${content.bytes} bytes that are no text${content.base64 === undefined ? '' : `: ${content.base64}`}`
}

const adviceOf = (code: string): string => {
  const known: readonly string[] | undefined = Object.hasOwn(ERROR_CODES, code)
    ? ERROR_CODES[code as keyof typeof ERROR_CODES]
    : undefined
  return known?.[1] ?? ''
}

const headersOf = ({ headers }: DeadLetter): [name: string, value: Buffer | string][] =>
  Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' || Buffer.isBuffer(value) ? [value] : value).map(
      (each): [string, Buffer | string] => [name, each],
    ),
  )

/** A dead letter as a person reads it. Nothing in it acts on a terminal. */
export const letterLines = ({ letter, replay }: FoundLetter, options: ShowOptions): string[] => {
  const { record } = letter
  const value = contentOf(record.value, options)
  const fields: readonly (readonly [string, string])[] = [
    ['time', time(record.timestamp)],
    ['code', `${letter.code}  ${adviceOf(letter.code)}`.trimEnd()],
    ['reason', reasonOf(letter, options)],
    ['stage', letter.stage],
    ['source', sourceOf(letter)],
    ['attempt', String(letter.attempt)],
    ['replayed', replay === undefined ? 'no' : `${time(replay.time)} into ${replay.into}`],
    ['key', shown(contentOf(record.key, options))],
    ...headersOf(letter).map(
      ([name, each]) => ['header', `${name}: ${shown(headerContent(name, each, options))}`] as const,
    ),
  ]
  const lines = value !== null && 'text' in value ? value.text.split('\n').map(inert) : [shown(value)]
  return [
    inert(letter.id),
    ...fields.map(([name, text]) => `  ${name.padEnd(10)}${inert(text)}`),
    `  value     ${record.value === null ? '' : `${record.value.length} bytes`}`.trimEnd(),
    ...lines.map(line => `    ${line}`),
  ]
}

/** A dead letter as an object, for programs. */
export const letterView = ({ letter, replay }: FoundLetter, options: ShowOptions) => {
  const { id, code, stage, source, attempt, record } = letter
  return {
    id,
    time: time(record.timestamp),
    code,
    reason: reasonOf(letter, options),
    stage,
    source,
    attempt,
    replayed: replay === undefined ? null : { into: replay.into, time: time(replay.time) },
    key: contentOf(record.key, options),
    headers: headersOf(letter).map(([name, each]) => ({ name, value: headerContent(name, each, options) })),
    value: contentOf(record.value, options),
  }
}

/** The same as one line of JSON. Nothing in it acts on a terminal either. */
export const letterJson = (found: FoundLetter, options: ShowOptions): string =>
  inertJson(JSON.stringify(letterView(found, options)))
