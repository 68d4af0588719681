import type { FilterExpression } from '../../schemas/filter.ts'
import type { Tokens } from '../../schemas/wire.ts'
import type { Permission, Role } from './permissions.ts'

/** What a person types to log in. */
export interface Credentials {
  readonly username: string
  readonly password: string
  /** Six digits of the second factor, where the account has one. */
  readonly code?: string
}

/** Where a request comes from, for the audit log and for the owner of a session to recognise it. */
export interface Source {
  /** Network address. */
  readonly address: string
  /** What the client says of itself: its user agent. */
  readonly client: string
}

/** Who is behind a valid access token. */
export interface Principal {
  /** Id of the user; `key:<id>` for a program with an API key. */
  readonly userId: string
  readonly username: string
  readonly role: Role | 'service'
  /** What it may do. */
  readonly grants: readonly Permission[]
  /** Which threats and alerts it may see at all; null for all of them. `visibleTo` makes it ready to be asked. */
  readonly rows: FilterExpression | null
  /** Id of the token. */
  readonly tokenId: string
  /** The session that the token comes from; null where there is none: API keys, tokens of another issuer. */
  readonly sessionId: string | null
  /** When the token was issued and when it expires, in ms since 1970 (UTC). */
  readonly issuedAt: number
  readonly expiresAt: number
}

/**
 * Why somebody is not let in. Logins are all refused with the same reason, so that nobody learns which accounts exist,
 * but for two: `overloaded` says nothing of the account (too many logins are being checked at this moment), and
 * `password-change` is said to somebody who knows the password, which is a temporary one.
 */
export interface Refusal {
  readonly refused:
    | 'credentials'
    | 'malformed'
    | 'signature'
    | 'expired'
    | 'claims'
    | 'disabled'
    | 'overloaded'
    | 'password-change'
}

/** Whether an answer is a refusal. */
export const isRefusal = (answer: object): answer is Refusal => 'refused' in answer

/**
 * Says who somebody is. Implementations: users in the store with signed access tokens, an issuer elsewhere (OpenID
 * Connect), and one in memory for tests. Neither method throws on bad input: whatever is handed in, the answer is tokens,
 * a principal or a refusal. While what they stand on is away they throw NS_SERVICE_UNREACHABLE: nobody is let in.
 */
export interface AuthProvider {
  authenticate(credentials: Credentials, source?: Source): Promise<Tokens | Refusal>
  validateToken(token: string): Promise<Principal | Refusal>
}

/**
 * An AuthProvider whose logins outlive their access tokens. A refresh token is good once: presented a second time it
 * ends the whole login, because one of the two who held it must have stolen it (RFC 9700, section 4.14). Only for a few
 * seconds it leads to the same successor again: two tabs refresh at once, and an answer can be lost.
 */
export interface SessionProvider extends AuthProvider {
  /** New tokens for a refresh token; the one that was given is worthless from then on. Never throws on bad input. */
  refresh(refreshToken: string, source?: Source): Promise<Tokens | Refusal>
  /** Who a principal is now: its role may have changed, its session have ended. Asked for those with open sockets. */
  recheck(principal: Principal): Promise<Principal | Refusal>
  /** Ends the principal's session, or all of the same user. */
  logOut(principal: Principal, options?: { readonly everywhere?: boolean }, source?: Source): Promise<void>
}
