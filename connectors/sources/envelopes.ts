import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { detect } from './catalogue.ts'
import { isObject } from './fields.ts'
import { itemsOf, parseExact } from './json-text.ts'
import type { JsonObject, Source } from './source.ts'

/** One event of a raw record: its JSON text as the record has it, what is in it, and whose format that is. */
export interface RawEvent {
  readonly json: string
  readonly value: JsonObject
  readonly source: Source
}

/** The parser's own message quotes the record, which may hold secrets; only the place is told. */
const notJson = (what: string, cause: unknown) => {
  const place = / at position \d+/.exec(messageOf(cause))?.[0] ?? ''
  return new SentinelError('NS_NOT_JSON', `${what} is not JSON${place}`, { cause })
}

const tryParse = (json: string): { readonly value: unknown } | { readonly error: unknown } => {
  try {
    return { value: parseExact(json) }
  } catch (error) {
    return { error }
  }
}

/** What a webhook or a log shipper wraps a line in: `{"message":"<the line>"}`, with fields of its own beside it. */
const unwrap = (value: JsonObject, sources: readonly Source[]): Omit<RawEvent, 'json'> | undefined => {
  const { message } = value
  if (typeof message !== 'string' || !/^\s*\{/.test(message)) return undefined
  const inner = tryParse(message)
  if (!('value' in inner) || !isObject(inner.value)) return undefined
  const source = detect(inner.value, sources)
  return source === undefined ? undefined : { source, value: inner.value }
}

const rawEvent = (json: string, value: unknown, sources: readonly Source[]): RawEvent => {
  if (!isObject(value)) throw new SentinelError('NS_UNKNOWN_SOURCE', 'the record is JSON, but not an object')
  const source = detect(value, sources)
  if (source !== undefined) return { json, value, source }
  const inner = unwrap(value, sources)
  if (inner !== undefined) return { json, ...inner }
  throw new SentinelError('NS_UNKNOWN_SOURCE', 'no source recognises the record')
}

const lines = (text: string): string[] =>
  text.split('\n').flatMap(line => (line.trim() === '' ? [] : [line.trim()]))

const parseLine = (line: string, index: number): unknown => {
  const parsed = tryParse(line)
  if ('error' in parsed) throw notJson(`line ${index + 1}`, parsed.error)
  return parsed.value
}

/**
 * Takes a raw record's text apart into its events: a JSON object is one; a JSON array and lines of JSON (NDJSON) are as
 * many as they have items. A record counts as a whole: when one of its events is bad, all of it goes to dead letters, so
 * that nothing is lost and a replay of the dead letter doubles nothing.
 *
 * Throws NS_EMPTY, NS_NOT_JSON or NS_UNKNOWN_SOURCE.
 */
export const rawEventsOf = (text: string, sources: readonly Source[]): RawEvent[] => {
  const json = text.trim()
  if (json === '') throw new SentinelError('NS_EMPTY', 'the record holds white space only')
  const parsed = tryParse(json)
  if ('value' in parsed) {
    if (!Array.isArray(parsed.value)) return [rawEvent(json, parsed.value, sources)]
    if (parsed.value.length === 0) throw new SentinelError('NS_EMPTY', 'the record is an empty list')
    const texts = itemsOf(json)
    return parsed.value.map((value: unknown, index) => rawEvent(texts[index] ?? '', value, sources))
  }
  const parts = lines(json)
  if (parts.length < 2) throw notJson('the record', parsed.error)
  return parts.map((line, index) => rawEvent(line, parseLine(line, index), sources))
}
