import { z } from 'zod'
import type { Refusal } from './provider.ts'

/** Who issues access tokens: `iss`. */
export const ISSUER = 'netsentinel'

/** Whom access tokens are for: `aud`. */
export const AUDIENCE = 'netsentinel-gateway'

/** How far clocks of replicas may be apart, in seconds. */
const SKEW_S = 30

const text = z.string().min(1).max(128)
const seconds = z.int().min(0).max(99_999_999_999)

const accessClaims = z.strictObject({
  iss: z.literal(ISSUER),
  aud: z.literal(AUDIENCE),
  sub: text,
  jti: text,
  /** Id of the session that the token comes from. */
  sid: text,
  /** In s since 1970 (UTC), as the next ones. */
  iat: seconds,
  exp: seconds,
  nbf: seconds.optional(),
})

/** The claims of an access token (RFC 9068). */
export type AccessClaims = z.output<typeof accessClaims>

interface Expected {
  /** In ms since 1970 (UTC). */
  readonly now: number
  /** Longest lifetime that a token of ours has, in s. */
  readonly maxLifetimeS: number
}

/** Checks every claim of a token whose signature has been verified; all of them must be there. */
export const checkClaims = (payload: unknown, { now, maxLifetimeS }: Expected): AccessClaims | Refusal => {
  const parsed = accessClaims.safeParse(payload)
  if (!parsed.success) return { refused: 'claims' }
  const claims = parsed.data
  const nowS = now / 1000
  if (claims.exp <= claims.iat || claims.exp - claims.iat > maxLifetimeS) return { refused: 'claims' }
  if (claims.iat > nowS + SKEW_S || (claims.nbf ?? 0) > nowS + SKEW_S) return { refused: 'claims' }
  // No skew here: the replica that issued the token told the client when it ends.
  if (claims.exp <= nowS) return { refused: 'expired' }
  return claims
}
