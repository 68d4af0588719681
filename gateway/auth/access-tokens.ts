import { codeOf } from '../../runtime/errors.ts'
import { type AccessClaims, checkClaims } from './claims.ts'
import type { KeyRing } from './key-ring.ts'
import { isRefusal, type Refusal } from './provider.ts'
import { digest } from './sealing.ts'
import { parseTokenForm } from './token-form.ts'

/** Signs and verifies access tokens. */
export interface AccessTokens {
  /** Signs with the key that is in force. */
  sign(claims: AccessClaims): string
  /** The claims of a good token; never throws. */
  verify(token: string): AccessClaims | Refusal
}

interface AccessTokensDeps {
  readonly keys: Pick<KeyRing, 'signer' | 'verifier'>
  /** Lifetime of new tokens, in s; none that claims a longer one is taken. */
  readonly maxLifetimeS: number
  readonly now: () => number
}

const refusalOf = (error: unknown): Refusal => {
  switch (codeOf(error)) {
    case 'FAST_JWT_INVALID_SIGNATURE':
    case 'FAST_JWT_MISSING_SIGNATURE':
      return { refused: 'signature' }
    case 'FAST_JWT_EXPIRED':
      return { refused: 'expired' }
    case 'FAST_JWT_INACTIVE':
    case 'FAST_JWT_INVALID_CLAIM_TYPE':
    case 'FAST_JWT_INVALID_CLAIM_VALUE':
      return { refused: 'claims' }
    default:
      return { refused: 'malformed' }
  }
}

/** Signatures that are remembered, twice as many at most. */
const REMEMBERED = 10_000

/**
 * Remembers tokens whose signature was found good: to find that out costs more than all else that is looked at, and a token comes
 * again with every request and every socket. By a digest of all of it, so that no other token can be taken for it.
 */
const createSigned = () => {
  let fresh = new Set<string>()
  let aging = new Set<string>()
  return {
    has: (key: string): boolean => fresh.has(key) || aging.has(key),
    add: (key: string): void => {
      if (fresh.size >= REMEMBERED && !fresh.has(key)) [fresh, aging] = [new Set(), fresh]
      fresh.add(key)
    },
  }
}

/** Access tokens of our own. One goes through its form, its signature and its claims, in this order. */
export const createAccessTokens = ({ keys, maxLifetimeS, now }: AccessTokensDeps): AccessTokens => {
  const signed = createSigned()
  return {
    sign: claims => keys.signer().sign(claims),
    verify: token => {
      const form = parseTokenForm(token)
      if (isRefusal(form)) return form
      const verifier = keys.verifier(form.kid)
      if (verifier === undefined) return { refused: 'signature' }
      const key = digest(token)
      try {
        const payload = signed.has(key) ? form.claims : verifier.verify(token)
        signed.add(key)
        return checkClaims(payload, { now: now(), maxLifetimeS })
      } catch (error) {
        return refusalOf(error)
      }
    },
  }
}
