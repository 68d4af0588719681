import type { Refusal } from './provider.ts'

/** Longest access token that is looked at, in characters. Ours have about 400. */
const MAX_TOKEN_CHARS = 8_192

/** The one algorithm: Ed25519 signatures, RFC 8037. */
export const ALGORITHM = 'EdDSA'

/** Media type of access tokens, RFC 9068: no other kind of token can be taken for one. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

const SIGNATURE_BYTES = 64
const SEGMENT = /^[A-Za-z0-9_-]+$/
const KID = /^[A-Za-z0-9_-]{1,64}$/

/** A token that has the form of one of ours. Nothing in it is trusted yet. */
export interface FormedToken {
  readonly kid: string
  readonly claims: Readonly<Record<string, unknown>>
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes of a segment; undefined unless it is base64url without padding, in the one spelling those bytes have. */
export const decodeSegment = (segment: string): Buffer | undefined => {
  if (!SEGMENT.test(segment)) return undefined
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.toString('base64url') === segment ? bytes : undefined
}

/**
 * The JSON object of a segment; undefined unless it is spelled as JSON.stringify spells it. Our own tokens are, and
 * nothing else is a token here; so duplicate keys, spaces, escapes and other spellings of a number are all refused.
 */
const decodeObject = (segment: string): Record<string, unknown> | undefined => {
  const bytes = decodeSegment(segment)
  if (bytes === undefined) return undefined
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return JSON.stringify(value) === text ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not UTF-8, not JSON, or nested beyond what can be written again: not one of ours in any case.
    return undefined
  }
}

/**
 * Looks at the form of an access token before any cryptography: three segments in canonical base64url, a header of
 * exactly `alg`, `typ` and `kid` with our algorithm and type (so `none`, HMAC, `jwk`, `jku`, `x5u` and `crit` end here,
 * RFC 8725), and an Ed25519 signature's length.
 */
export const parseTokenForm = (token: unknown): FormedToken | Refusal => {
  const malformed: Refusal = { refused: 'malformed' }
  if (typeof token !== 'string' || token.length > MAX_TOKEN_CHARS) return malformed
  const [head, body, tail, ...more] = token.split('.', 4)
  if (head === undefined || body === undefined || tail === undefined || more.length > 0) return malformed
  const header = decodeObject(head)
  if (header === undefined || Object.keys(header).length !== 3) return malformed
  const { alg, typ, kid } = header
  if (alg !== ALGORITHM || typ !== ACCESS_TOKEN_TYPE) return malformed
  if (typeof kid !== 'string' || !KID.test(kid)) return malformed
  if (decodeSegment(tail)?.length !== SIGNATURE_BYTES) return malformed
  const claims = decodeObject(body)
  return claims === undefined ? malformed : { kid, claims }
}
