import type { JsonObject } from './source.ts'

/** Whether a value is a JSON object, neither null nor an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const NOTHING: JsonObject = Object.freeze({})

/** The value if it is an object, else an empty one: so that a missing sub-object reads as missing fields. */
export const object = (value: unknown): JsonObject => (isObject(value) ? value : NOTHING)

/** The items of a list; a lone value is a list of one, nothing is an empty list. */
export const list = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]

/** A text as it is; numbers in decimal; null for the empty text and for anything else. */
export const text = (value: unknown): string | null =>
  typeof value === 'string'
    ? value === ''
      ? null
      : value
    : typeof value === 'number' && Number.isFinite(value)
      ? String(value)
      : null

/** A text in lower case. */
export const lower = (value: unknown): string | null => text(value)?.toLowerCase() ?? null

/** The first of some values that is a text. */
export const firstText = (...values: readonly unknown[]): string | null => {
  for (const value of values) {
    const found = text(value)
    if (found !== null) return found
  }
  return null
}

const NUMERIC = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i

/** A finite number, also one written as a text; null for anything else. */
export const number = (value: unknown): number | null => {
  const parsed =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && value.length < 40 && NUMERIC.test(value)
        ? Number(value)
        : Number.NaN
  return Number.isFinite(parsed) ? parsed : null
}

/** Whether it is a whole number that Avro's long takes: the library stops one short of the largest safe integer. */
const isLong = (value: number) => Number.isInteger(value) && Math.abs(value) < Number.MAX_SAFE_INTEGER

/** A whole number that a double holds exactly; null for fractions and for anything larger. */
export const integer = (value: unknown): number | null => {
  const parsed = number(value)
  return parsed !== null && isLong(parsed) ? parsed : null
}

/** A count or size: a whole number from 0 on. */
export const count = (value: unknown): number | null => {
  const parsed = integer(value)
  return parsed !== null && parsed >= 0 ? parsed : null
}

/** A port, 0 to 65535. Sensors write -1, `"-1"` or an empty text for none. */
export const port = (value: unknown): number | null => {
  const parsed = integer(value)
  return parsed !== null && parsed >= 0 && parsed <= 65_535 ? parsed : null
}

/** Seconds into ms; null when absent or negative. */
export const seconds = (value: unknown): number | null => {
  const parsed = number(value)
  return parsed !== null && parsed >= 0 ? number(parsed * 1000) : null
}

/** The sum of those values that are counts; null when none is, or when the sum leaves the safe range. */
export const sum = (...values: readonly unknown[]): number | null => {
  const counts = values.map(count).filter(value => value !== null)
  const total = counts.reduce((a, b) => a + b, 0)
  return counts.length > 0 && isLong(total) ? total : null
}

/** Success or failure of a boolean, also one written as a text. */
export const outcomeOf = (value: unknown): 'success' | 'failure' | 'unknown' =>
  value === true || value === 'true'
    ? 'success'
    : value === false || value === 'false'
      ? 'failure'
      : 'unknown'

const TRANSPORTS: ReadonlyMap<string, string> = new Map([
  ['6', 'tcp'],
  ['17', 'udp'],
  ['1', 'icmp'],
  ['ipv6-icmp', 'icmp'],
  ['icmpv6', 'icmp'],
  ['58', 'icmp'],
])

/** Transport protocol in lower case; protocol numbers and the names of ICMPv6 are told by name. */
export const transport = (value: unknown): string | null => {
  const name = lower(value)
  return name === null ? null : (TRANSPORTS.get(name) ?? name)
}
