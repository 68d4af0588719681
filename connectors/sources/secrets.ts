import { createHmac } from 'node:crypto'
import type { SectionValues } from '../../runtime/config.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { remembering } from '../../runtime/remembering.ts'
import type { sourcesConfig } from './config.ts'
import { decodeString, visitScalars } from './json-text.ts'
import {
  isEncoded,
  isIdentifier,
  isPlaceholder,
  isSecretKey,
  MAY_HOLD_SECRETS,
  type Span,
  secretSpans,
} from './secret-places.ts'

/** Shorter secrets are replaced where they are a whole value only: inside a text `a` or `1` most likely means no secret. */
const SHORTEST_ELSEWHERE = 4
/** A record with more secrets than this is no honest one; all of its texts are dropped, which bounds the work. */
const MOST_SECRETS = 64
const DEEPEST_NESTING = 4

/** A record without its secrets. */
export interface Redacted {
  /** The record's JSON text with every secret replaced; the very same text when it has none. */
  readonly json: string
  /** Replaces the record's secrets in a text that was read from it. */
  readonly text: (value: string) => string
}

/** Replaces secrets. */
export interface Redactor {
  /** The hash of a secret, to count equal ones by; null when secrets are dropped or there is none to hash. */
  hash(secret: string): string | null
  /** Replaces the secrets that are told by field or by the text around them, and those in `known`, wherever they stand. */
  redact(json: string, known: readonly string[]): Redacted
}

/** What a JSON object or list begins with; most texts do not, which the first character tells. */
const JSON_BEGIN = /^\s*[{[]/
const isPrintable = (code: number) => code > 32 && code < 123 && code !== 91
const BACKSLASH = 92

/** Whether a text is itself JSON: webhooks carry the record as a text in a record. */
const isJson = (value: string): boolean => {
  if (isPrintable(value.charCodeAt(0)) || !JSON_BEGIN.test(value)) return false
  try {
    JSON.parse(value)
    return true
  } catch {
    // Not JSON: then it is an ordinary text, which is all that was asked.
    return false
  }
}

const decodeUri = (value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    // A stray percent sign: the text is not URI-encoded, so it is its own decoded form.
    return value
  }
}

/** The forms that one secret takes: as it is, in URLs, and behind `Basic` with the user name. */
const formsOf = remembering((secret: string): readonly string[] => {
  const forms = [secret, encodeURIComponent(secret.toWellFormed()), decodeUri(secret)]
  const basic = /^(?:basic\s+)?([A-Za-z0-9+/]{6,}={0,2})$/i.exec(secret)?.[1]
  if (basic !== undefined) {
    const pair = Buffer.from(basic, 'base64').toString()
    const colon = pair.indexOf(':')
    if (colon !== -1 && /^[\x20-\x7e]+$/.test(pair)) forms.push(basic, pair.slice(colon + 1))
  }
  return forms
})

const NO_SPANS: readonly Span[] = []

const spansOf = (text: string, secrets: readonly string[]): readonly Span[] => {
  const told = secretSpans(text)
  if (told.length === 0 && !secrets.some(secret => text.includes(secret))) return NO_SPANS
  const spans = [...told]
  for (const secret of secrets) {
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length))
      spans.push([at, at + secret.length])
  }
  return spans.sort((a, b) => a[0] - b[0])
}

const replaceSpans = (text: string, spans: readonly Span[], mask: (secret: string) => string): string => {
  let result = ''
  let copied = 0
  for (let i = 0; i < spans.length; i++) {
    const [start, first] = spans[i] ?? [0, 0]
    let end = first
    for (let next = spans[i + 1]; next !== undefined && next[0] < end; next = spans[i + 1]) {
      end = Math.max(end, next[1])
      i++
    }
    result += text.slice(copied, start) + mask(text.slice(start, end))
    copied = end
  }
  return result + text.slice(copied)
}

/** How secrets are looked for in a value, by its key. */
type KeyKind = 'secret' | 'encoded' | 'identifier' | 'other'

const kindOf = remembering((key: string): KeyKind => {
  if (isSecretKey(key)) return 'secret'
  if (isEncoded(key)) return 'encoded'
  return isIdentifier(key) ? 'identifier' : 'other'
})

/** A value of a JSON text that is a secret or may hold one. */
interface Place {
  /** Index of its first character, quotes included, and the one behind its last. */
  readonly from: number
  readonly to: number
  readonly kind: 'secret' | 'encoded' | 'text' | 'json'
  readonly value: string
  /** What is in a text that is itself JSON. */
  readonly inner: readonly Place[]
}

const NONE: readonly Place[] = []

const placesOf = (json: string, nesting: number): Place[] => {
  const places: Place[] = []
  visitScalars(json, (from, to, key) => {
    const under = key === undefined ? 'other' : kindOf(key)
    if (json[from] !== '"') {
      const value = under === 'secret' ? json.slice(from, to) : ''
      if (/^[-\d]/.test(value)) places.push({ from, to, kind: 'secret', value, inner: NONE })
      return
    }
    const first = json.charCodeAt(from + 1)
    if (under === 'identifier' && isPrintable(first) && first !== BACKSLASH) return
    const value = decodeString(json, from, to)
    if (under !== 'secret' && nesting < DEEPEST_NESTING && isJson(value)) {
      places.push({ from, to, kind: 'json', value, inner: placesOf(value, nesting + 1) })
    } else if (under !== 'identifier') {
      places.push({ from, to, kind: under === 'other' ? 'text' : under, value, inner: NONE })
    }
  })
  return places
}

const bytesOf = (base64: string): string => Buffer.from(base64, 'base64').toString('latin1')

const addForms = (secret: string, found: Set<string>): void => {
  if (isPlaceholder(secret)) return
  for (const form of formsOf(secret)) if (form !== '') found.add(form)
}

/** Gathers the secrets that a JSON text tells of by itself. */
const collect = (places: readonly Place[], found: Set<string>): void => {
  for (const { kind, value, inner } of places) {
    if (kind === 'secret') addForms(value, found)
    else if (kind === 'json') collect(inner, found)
    else {
      const text = kind === 'encoded' ? bytesOf(value) : value
      for (const [start, end] of secretSpans(text)) addForms(text.slice(start, end), found)
    }
  }
}

/**
 * Makes a redactor; `dropped` stands in the place of a secret that is not hashed. Throws NS_CONFIG_INVALID when secrets
 * are to be hashed and there is no key.
 */
export const createRedactor = (
  { secretsMode, secretsKey }: Pick<SectionValues<typeof sourcesConfig>, 'secretsMode' | 'secretsKey'>,
  dropped = '[dropped]',
): Redactor => {
  if (secretsMode === 'hash' && secretsKey === undefined)
    throw new SentinelError('NS_CONFIG_INVALID', 'SECRETS_MODE is hash, but there is no SECRETS_KEY')
  const key = secretsMode === 'drop' ? undefined : secretsKey
  const hash = remembering((secret: string): string | null => {
    if (key === undefined || isPlaceholder(secret)) return null
    return `hmac:${createHmac('sha256', key).update(secret).digest('hex').slice(0, 16)}`
  })
  const mask = (secret: string): string => hash(secret) ?? dropped

  /** What stands in the place of a value; the value itself when it holds no secret. */
  const replaced = ({ kind, value, inner }: Place, text: (value: string) => string): string => {
    if (kind === 'secret') return isPlaceholder(value) ? value : mask(value)
    if (kind === 'json') return rewrite(value, inner, text)
    if (kind === 'text') return text(value)
    const bytes = bytesOf(value)
    return text(bytes) === bytes ? value : dropped
  }

  const rewrite = (json: string, places: readonly Place[], text: (value: string) => string): string => {
    let result = ''
    let copied = 0
    for (const place of places) {
      const value = replaced(place, text)
      if (value === place.value) continue
      result += json.slice(copied, place.from) + JSON.stringify(value)
      copied = place.to
    }
    return copied === 0 ? json : result + json.slice(copied)
  }

  return {
    hash,
    redact: (json, known) => {
      if (known.length === 0 && !MAY_HOLD_SECRETS.test(json)) return { json, text: value => value }
      const found = new Set<string>()
      for (const secret of known) addForms(secret, found)
      const places = placesOf(json, 0)
      collect(places, found)
      if (found.size === 0) return { json, text: value => value }
      const secrets = [...found].filter(secret => secret.length >= SHORTEST_ELSEWHERE)
      const text =
        secrets.length > MOST_SECRETS
          ? () => dropped
          : (value: string) => {
              if (found.has(value)) return mask(value)
              const spans = spansOf(value, secrets)
              return spans.length === 0 ? value : replaceSpans(value, spans, mask)
            }
      return { json: rewrite(json, places, text), text }
    },
  }
}
