import { z } from 'zod'
import type { Refusal } from './provider.ts'
import { decodeSegment } from './token-form.ts'

/** Signature algorithms of an issuer, one of which is configured; all of them asymmetric. */
export const ISSUER_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const

/** One of {@link ISSUER_ALGORITHMS}. */
export type IssuerAlgorithm = (typeof ISSUER_ALGORITHMS)[number]

const MAX_TOKEN_CHARS = 8_192
const SKEW_S = 30

/** Header members that say which key it is. Whatever names a key that comes with the token is refused. */
const HEADER_MEMBERS = new Set(['alg', 'typ', 'kid', 'x5t', 'x5t#S256'])

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const countKeys = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0
  const inside = Object.values(value).reduce<number>((sum, each) => sum + countKeys(each), 0)
  return Array.isArray(value) ? inside : inside + Object.keys(value).length
}

/** A JSON object, unless a key in it comes twice: two readers would then see two different tokens (RFC 8725, 2.4). */
const parseObject = (segment: string): Record<string, unknown> | undefined => {
  const bytes = decodeSegment(segment)
  if (bytes === undefined) return undefined
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const written = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined)
    return written.length === countKeys(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not UTF-8, not JSON, or nested too deep.
    return undefined
  }
}

/** What a token must look like before its signature is verified. */
export interface IssuerForm {
  readonly algorithm: IssuerAlgorithm
  /** `typ` of access tokens: `at+jwt` by RFC 9068; older issuers write `JWT`. */
  readonly type: string
}

/** Looks at the form of an issuer's token; the id of the key that it claims to be signed with. */
export const parseIssuerForm = (
  token: string,
  { algorithm, type }: IssuerForm,
): { kid: string } | Refusal => {
  const malformed: Refusal = { refused: 'malformed' }
  if (token.length > MAX_TOKEN_CHARS) return malformed
  const [head, body, tail, ...more] = token.split('.', 4)
  if (head === undefined || body === undefined || tail === undefined || more.length > 0) return malformed
  const header = parseObject(head)
  if (header === undefined || Object.keys(header).some(name => !HEADER_MEMBERS.has(name))) return malformed
  const { alg, typ, kid } = header
  if (alg !== algorithm || typ !== type) return malformed
  if (typeof kid !== 'string' || kid === '' || kid.length > 256) return malformed
  if ((decodeSegment(tail)?.length ?? 0) < 64) return malformed
  return parseObject(body) === undefined ? malformed : { kid }
}

const text = z.string().min(1).max(255)
const seconds = z.number().min(0).max(99_999_999_999)

const issuerClaims = z.looseObject({
  iss: text,
  aud: z.union([text, z.array(text).max(32)]),
  sub: text,
  jti: text,
  iat: seconds,
  exp: seconds,
  nbf: seconds.optional(),
})

/** The claims of an issuer's token that every one has, and further ones. */
export type IssuerClaims = z.output<typeof issuerClaims>

interface Expected {
  readonly issuer: string
  readonly audience: string
  readonly maxLifetimeS: number
  /** In ms since 1970 (UTC). */
  readonly now: number
}

/** Checks the claims of a token whose signature has been verified. */
export const checkIssuerClaims = (payload: unknown, expected: Expected): IssuerClaims | Refusal => {
  const parsed = issuerClaims.safeParse(payload)
  if (!parsed.success) return { refused: 'claims' }
  const claims = parsed.data
  const nowS = expected.now / 1000
  const isOurs = claims.iss === expected.issuer && [claims.aud].flat().includes(expected.audience)
  const isSane = claims.exp > claims.iat && claims.exp - claims.iat <= expected.maxLifetimeS
  const isBegun = claims.iat <= nowS + SKEW_S && (claims.nbf ?? 0) <= nowS + SKEW_S
  if (!isOurs || !isSane || !isBegun) return { refused: 'claims' }
  return claims.exp <= nowS ? { refused: 'expired' } : claims
}
