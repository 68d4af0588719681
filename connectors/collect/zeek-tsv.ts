import { SentinelError } from '../../runtime/errors.ts'

/** How a tab-separated log of Zeek is written, by the header lines at its beginning. */
interface Layout {
  readonly separator: string
  readonly setSeparator: string
  readonly empty: string
  readonly unset: string
  readonly path: string
  readonly fields: readonly string[]
  readonly types: readonly string[]
}

const INITIAL: Layout = {
  separator: '\t',
  setSeparator: ',',
  empty: '(empty)',
  unset: '-',
  path: '',
  fields: [],
  types: [],
}

const NUMBERS = new Set(['count', 'int', 'port', 'double', 'interval', 'time'])

/** `\x09` and the like as the characters that they stand for. */
const unescaped = (text: string): string =>
  text.replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

const applyHeader = (layout: Layout, line: string): Layout => {
  if (line.startsWith('#separator '))
    return { ...layout, separator: unescaped(line.slice('#separator '.length)) }
  const [name = '', ...values] = line.slice(1).split(layout.separator)
  const [value = ''] = values
  switch (name) {
    case 'set_separator':
      return { ...layout, setSeparator: unescaped(value) }
    case 'empty_field':
      return { ...layout, empty: value }
    case 'unset_field':
      return { ...layout, unset: value }
    case 'path':
      return { ...layout, path: value }
    case 'fields':
      return { ...layout, fields: values }
    case 'types':
      return { ...layout, types: values }
    default:
      return layout
  }
}

const scalar = (text: string, type: string): string | number | boolean => {
  if (type === 'bool') return text === 'T'
  if (NUMBERS.has(type) && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  return unescaped(text)
}

const cell = (text: string, type: string, layout: Layout): unknown => {
  const inner = /^(?:table|set|vector)\[(.+)\]$/.exec(type)?.[1]
  if (inner === undefined) return text === layout.empty ? '' : scalar(text, type)
  return text === layout.empty ? [] : text.split(layout.setSeparator).map(part => scalar(part, inner))
}

/** Whether a file begins like a tab-separated log of Zeek. */
export const isZeekTsv = (firstLine: string): boolean => firstLine.startsWith('#separator ')

/**
 * Makes the reader of a tab-separated Zeek log: given its lines in order, each row becomes the JSON that Zeek's own JSON
 * writer would have written, named by `_path`; header lines become undefined. A field that is unset is absent.
 *
 * The reader throws NS_MALFORMED for a row before `#fields`, or with another number of cells.
 */
export const createZeekTsvReader = (): ((line: string) => string | undefined) => {
  let layout = INITIAL
  return line => {
    if (line.startsWith('#')) {
      layout = applyHeader(layout, line)
      return undefined
    }
    const cells = line.split(layout.separator)
    if (layout.fields.length === 0 || cells.length !== layout.fields.length) {
      throw new SentinelError(
        'NS_MALFORMED',
        `a row of Zeek's ${layout.path || 'unnamed'} log has ${cells.length} cells, its header names ${layout.fields.length}`,
      )
    }
    const row: Record<string, unknown> = { _path: layout.path }
    for (const [i, name] of layout.fields.entries()) {
      const text = cells[i] ?? layout.unset
      if (text !== layout.unset) row[name] = cell(text, layout.types[i] ?? 'string', layout)
    }
    return JSON.stringify(row)
  }
}
