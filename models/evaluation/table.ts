import { SentinelError } from '../../runtime/errors.ts'
import type { Matrix } from '../trainers/matrix.ts'

/** A table of texts: named columns, and rows that have a text for each. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Which columns are what. */
export interface TableOptions {
  /** Columns that are categories although all of their values are numbers. */
  readonly categorical?: readonly string[]
}

/** Makes rows of numbers of rows of texts, always in the same way. */
export interface TableEncoder {
  /** Names of the features: a column's own, or `column=category`, and `column=?` for any category that has no feature. */
  readonly features: readonly string[]
  /** Encodes rows of a table whose columns have the same names, in whatever order. Throws NS_USAGE when one is missing. */
  encode(table: Table): Matrix & { readonly values: Float32Array<ArrayBuffer> }
}

/** Most categories of a column that have a feature of their own: the most frequent ones. */
const MOST_CATEGORIES = 64

/** Texts that stand for no value, in lower case. */
const MISSING = new Set(['', '?', '-', 'na', 'n/a', 'nan', 'null', 'none'])

const isMissing = (text: string): boolean => MISSING.has(text.trim().toLowerCase())

/** What a rate over no time is written as. */
const INFINITE = /^([+-]?)inf(?:inity)?$/i

const numberOf = (text: string): number => {
  const [, sign] = INFINITE.exec(text.trim()) ?? []
  if (sign !== undefined) return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return isMissing(text) ? Number.NaN : Number(text)
}

/** Sizes, counts and durations span magnitudes: the logarithm of the size, with its sign, as event features have it. */
const compressed = (value: number): number => Math.sign(value) * Math.log1p(Math.abs(value))

/** A column of the table and the features that it becomes. */
interface ColumnEncoder {
  readonly column: string
  readonly features: readonly string[]
  write(text: string, out: Float32Array, at: number): void
}

const numberColumn = (column: string, values: readonly number[]): ColumnEncoder => {
  const known = Float64Array.from(values.filter(Number.isFinite)).sort()
  const [least = 0, middle = 0, most = 0] = [known[0], known[known.length >> 1], known.at(-1)]
  const soundOf = (value: number): number => {
    // What has no value, or a text where numbers were, is taken for the most usual; what has no bounds for the utmost.
    if (Number.isNaN(value)) return middle
    return Number.isFinite(value) ? value : value < 0 ? least : most
  }
  return {
    column,
    features: [column],
    write: (text, out, at) => {
      out[at] = compressed(soundOf(numberOf(text)))
    },
  }
}

const categoryColumn = (column: string, texts: readonly string[]): ColumnEncoder => {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  const frequent = [...counts]
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, MOST_CATEGORIES)
  const places = new Map(frequent.map(([text], place) => [text, place]))
  return {
    column,
    features: [...frequent.map(([text]) => `${column}=${text}`), `${column}=?`],
    write: (text, out, at) => {
      out[at + (places.get(text) ?? places.size)] = 1
    },
  }
}

/**
 * Learns how a table becomes numbers from its training rows. A column of numbers stays one feature; any other becomes one
 * feature for each category, and one for all that are rare or were never seen.
 */
export const fitTable = (table: Table, { categorical = [] }: TableOptions = {}): TableEncoder => {
  const encoders = table.columns.map((column, i): ColumnEncoder => {
    const texts = table.rows.map(row => row[i] ?? '')
    const values = texts.map(numberOf)
    const isNumber = values.every((value, row) => !Number.isNaN(value) || isMissing(texts[row] ?? ''))
    return isNumber && values.some(Number.isFinite) && !categorical.includes(column)
      ? numberColumn(column, values)
      : categoryColumn(column, texts)
  })
  const features = encoders.flatMap(encoder => encoder.features)
  return {
    features,
    encode: ({ columns, rows }) => {
      const places = encoders.map(({ column }) => {
        const place = columns.indexOf(column)
        if (place < 0) throw new SentinelError('NS_USAGE', `there is no column ${column}`)
        return place
      })
      const values = new Float32Array(rows.length * features.length)
      for (const [r, row] of rows.entries()) {
        let at = r * features.length
        for (const [i, encoder] of encoders.entries()) {
          encoder.write(row[places[i] ?? 0] ?? '', values, at)
          at += encoder.features.length
        }
      }
      return { values, rows: rows.length, features: features.length }
    },
  }
}
