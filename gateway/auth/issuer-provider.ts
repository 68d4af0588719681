import type { SessionStore } from '../store/sessions.ts'
import type { Audit } from './audit.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import { checkIssuerClaims, type IssuerClaims, type IssuerForm, parseIssuerForm } from './issuer-token.ts'
import { GRANTS, type Role } from './permissions.ts'
import { isRefusal, type Principal, type Refusal, type SessionProvider } from './provider.ts'

/** Roles in the order in which one is taken where a token names several. */
const PRECEDENCE: readonly Role[] = ['admin', 'analyst', 'auditor', 'viewer']

/** What is expected of an issuer's tokens. */
export interface IssuerSettings extends IssuerForm {
  readonly issuer: string
  readonly audience: string
  /** Longest life of a token, in s. */
  readonly tokenS: number
  /** Claim that lists roles; dots lead into objects. */
  readonly roleClaim: string
  /** What stands before the name of a role in that claim. */
  readonly rolePrefix: string
}

interface IssuerProviderDeps {
  readonly settings: IssuerSettings
  readonly keys: IssuerKeys
  readonly store: Pick<SessionStore, 'revoke' | 'revokedAt'>
  readonly audit: Audit
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

const claimAt = (claims: IssuerClaims, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>(
      (value, name) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? (value as Record<string, unknown>)[name]
          : undefined,
      claims,
    )

const nameOf = (claims: IssuerClaims): string => {
  const name = claims['preferred_username']
  return typeof name === 'string' && name !== '' ? name.slice(0, 128) : claims.sub
}

/**
 * People of an issuer elsewhere (OpenID Connect): they log in there, and show its access tokens here. Its tokens can be
 * revoked here, one by one or all of a user until now.
 */
export const createIssuerProvider = (deps: IssuerProviderDeps): SessionProvider => {
  const { settings, keys, store, now } = deps

  const roleOf = (claims: IssuerClaims): Role | undefined => {
    const named = [claimAt(claims, settings.roleClaim)].flat()
    return PRECEDENCE.find(role => named.includes(`${settings.rolePrefix}${role}`))
  }
  const recheck = async (principal: Principal): Promise<Principal | Refusal> => {
    const { tokenId, userId, issuedAt } = principal
    if ((await store.revokedAt('token', tokenId)) !== undefined) return { refused: 'expired' }
    const revokedAt = await store.revokedAt('user', userId)
    return revokedAt !== undefined && issuedAt <= revokedAt ? { refused: 'expired' } : principal
  }

  return {
    authenticate: async () => ({ refused: 'credentials' }),
    refresh: async () => ({ refused: 'credentials' }),
    validateToken: async token => {
      const form = parseIssuerForm(token, settings)
      if (isRefusal(form)) return form
      const verifier = await keys.verifier(form.kid)
      if (verifier === undefined) return { refused: 'signature' }
      const payload = verifier(token)
      if (payload === undefined) return { refused: 'signature' }
      const claims = checkIssuerClaims(payload, { ...settings, maxLifetimeS: settings.tokenS, now: now() })
      if (isRefusal(claims)) return claims
      const role = roleOf(claims)
      if (role === undefined) return { refused: 'disabled' }
      return recheck({
        userId: claims.sub,
        username: nameOf(claims),
        role,
        grants: GRANTS[role],
        rows: null,
        tokenId: claims.jti,
        sessionId: null,
        issuedAt: claims.iat * 1000,
        expiresAt: Math.floor(claims.exp) * 1000,
      })
    },
    recheck,
    logOut: async ({ userId, tokenId, expiresAt }, { everywhere = false } = {}, source) => {
      const revocation = everywhere
        ? ({ kind: 'user', subject: userId, userId, expiresAt: now() + settings.tokenS * 1000 } as const)
        : ({ kind: 'token', subject: tokenId, userId, expiresAt } as const)
      await store.revoke(revocation, now())
      await deps.audit.note({
        event: 'logout',
        outcome: 'accepted',
        actor: userId,
        subject: userId,
        address: source?.address,
        detail: { everywhere },
      })
    },
  }
}
