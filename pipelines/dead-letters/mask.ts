import { isUtf8 } from 'node:buffer'
import { detect } from '../../connectors/sources/catalogue.ts'
import { isObject } from '../../connectors/sources/fields.ts'
import { isSecretKey, secretSpans } from '../../connectors/sources/secret-places.ts'
import { createRedactor } from '../../connectors/sources/secrets.ts'
import type { JsonObject } from '../../connectors/sources/source.ts'

/** What stands in the place of a secret; it matches as one in every pattern, so that masking twice changes nothing. */
const MASK = '***'

const redactor = createRedactor({ secretsMode: 'drop', secretsKey: undefined }, MASK)

/**
 * A field or an assignment in text that is no JSON, or no longer: a name in quotes, or bare, and `:`, `=` or `=>`. The
 * parts cannot overlap, so that no text takes more than linear time.
 */
const FIELD =
  /(?:"([^"\\]{1,100})\\?"|'([^'\\]{1,100})\\?'|\b([A-Za-z][\w.-]{0,99}))[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}/g

const endOfQuoted = (text: string, from: number): number => {
  const quote = text.charAt(from)
  for (let at = from + 1; at < text.length; at++) {
    if (text.charAt(at) === '\\') at++
    else if (text.charAt(at) === quote) return at
  }
  return text.length
}

const endOfLine = (text: string, from: number): number => {
  const end = text.slice(from).search(/[\r\n]/)
  return end === -1 ? text.length : from + end
}

/**
 * Where the values of secret fields are in text that nothing can parse: a quoted one goes to its closing quote or, when
 * that was cut off, to the end; any other, a bare word, a list or an object, to the end of the line, since nobody knows
 * where it ends.
 */
const brokenSpans = (text: string): [start: number, end: number][] => {
  const spans: [number, number][] = []
  FIELD.lastIndex = 0
  for (let field = FIELD.exec(text); field !== null; field = FIELD.exec(text)) {
    if (!isSecretKey(field[1] ?? field[2] ?? field[3])) continue
    const start = FIELD.lastIndex
    const isQuoted = /["']/.test(text.charAt(start))
    const [from, end] = isQuoted ? [start + 1, endOfQuoted(text, start)] : [start, endOfLine(text, start)]
    spans.push([from, end])
    FIELD.lastIndex = end
  }
  return spans
}

/** Replaces spans, which may overlap. */
const maskSpans = (text: string, spans: readonly (readonly [number, number])[]): string => {
  let result = ''
  let copied = 0
  for (const [start, end] of spans.toSorted((a, b) => a[0] - b[0] || b[1] - a[1])) {
    if (end <= copied || end <= start) continue
    result += start < copied ? '' : text.slice(copied, start) + MASK
    copied = end
  }
  return result + text.slice(copied)
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is the usual reason why a record is a dead letter.
    return undefined
  }
}

/** The secrets that only the source of a record knows to be some; `message` is where log shippers put the line. */
const secretsOf = (value: unknown): string[] => {
  const items: unknown[] = Array.isArray(value) ? value : [value]
  return items.filter(isObject).flatMap(item => {
    const wrapped = typeof item['message'] === 'string' ? secretsOf(parse(item['message'])) : []
    return [...wrapped, ...secretsOfOne(item)]
  })
}

const secretsOfOne = (item: JsonObject): string[] => {
  try {
    const read = detect(item)?.read(item, { time: () => null })
    return [read?.secret ?? '', ...(read?.secrets ?? [])].filter(secret => secret !== '')
  } catch {
    // The record is malformed, which may be why it is here: what its fields tell is all that is known.
    return []
  }
}

const redactJson = (json: string, known: readonly string[]): string => redactor.redact(json, known).json

const maskBroken = (text: string): string => {
  const spans = [...brokenSpans(text), ...secretSpans(text)]
  const known = spans.map(([start, end]) => text.slice(start, end))
  // As a JSON string, the text is searched for what else looks like a secret, and for the same secrets elsewhere.
  return String(parse(redactJson(JSON.stringify(maskSpans(text, spans).toWellFormed()), known)))
}

/**
 * Replaces the secrets in a text: in JSON as ingest does it, known to the source, by field and by what is around them; in
 * lines of JSON line by line; in any other text by what looks like a field or an assignment. It finds what is told by a
 * name or a known form. A secret that nothing tells, such as a password typed where the user name belongs, stays.
 */
export const maskText = (text: string): string => {
  const whole = parse(text)
  if (whole !== undefined) return redactJson(text, secretsOf(whole))
  return text
    .split('\n')
    .map(line => {
      const value = parse(line)
      return value === undefined ? maskBroken(line) : redactJson(line, secretsOf(value))
    })
    .join('\n')
}

/** What a person or a program is shown of bytes: text, or how many there are, and in base64 when nothing is masked. */
export type Content = { readonly text: string } | { readonly bytes: number; readonly base64?: string } | null

/**
 * Bytes as they may be shown. Those that are no text (not UTF-8, or with a NUL, as the registry's framing has) cannot be
 * searched for secrets, so that only their number is shown unless `clear`.
 */
export const contentOf = (bytes: Buffer | null, { clear }: { readonly clear: boolean }): Content => {
  if (bytes === null) return null
  if (isUtf8(bytes) && !bytes.includes(0)) {
    const text = bytes.toString('utf8')
    return { text: clear ? text : maskText(text) }
  }
  return { bytes: bytes.length, ...(clear ? { base64: bytes.toString('base64') } : {}) }
}

/** A header as it may be shown; one that is named like a secret is masked whole. */
export const headerContent = (
  name: string,
  value: Buffer | string,
  { clear }: { readonly clear: boolean },
): Content => (!clear && isSecretKey(name) ? { text: MASK } : contentOf(Buffer.from(value), { clear }))
