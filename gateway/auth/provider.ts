import type { Tokens } from '../../schemas/wire.ts'

/** What a person types to log in. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/** Every role; `permissions.ts` says what each may do. */
export const ROLES = ['viewer', 'analyst', 'admin', 'auditor'] as const

/** What a user may do. */
export type Role = (typeof ROLES)[number]

/** Who is behind a valid access token. */
export interface Principal {
  readonly userId: string
  readonly username: string
  readonly role: Role
  /** Id of the token. */
  readonly tokenId: string
  /** When the token expires, in ms since 1970 (UTC). */
  readonly expiresAt: number
}

/**
 * Why somebody is not let in. Logins are all refused with the same reason, so that nobody learns which accounts exist;
 * `overloaded` says nothing of the account: too many logins are being checked at this moment.
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
}

/** Whether an answer is a refusal. */
export const isRefusal = (answer: object): answer is Refusal => 'refused' in answer

/**
 * Says who somebody is. Implementations: users in the store with signed access tokens, and one in memory for tests.
 * Neither method throws on bad input: whatever is handed in, the answer is tokens, a principal or a refusal.
 */
export interface AuthProvider {
  authenticate(credentials: Credentials): Promise<Tokens | Refusal>
  validateToken(token: string): Promise<Principal | Refusal>
}

/**
 * An AuthProvider whose logins outlive their access tokens. A refresh token is good once: presented a second time it
 * ends the whole login, because one of the two who held it must have stolen it (RFC 9700, section 4.14).
 */
export interface SessionProvider extends AuthProvider {
  /** New tokens for a refresh token; the one that was given is worthless from then on. Never throws on bad input. */
  refresh(refreshToken: string): Promise<Tokens | Refusal>
}
