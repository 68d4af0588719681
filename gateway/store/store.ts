import type { Role } from '../auth/provider.ts'

/** An account. */
export interface User {
  readonly id: string
  /** In the form that `foldUsername` gives; unique. */
  readonly username: string
  /** PHC string. */
  readonly passwordHash: string
  readonly role: Role
  readonly disabled: boolean
  /** In ms since 1970 (UTC). */
  readonly createdAt: number
}

/** A key that access tokens are signed with. The private part is never in the store in clear text. */
export interface SigningKey {
  /** Key id, as the header of a token names it. */
  readonly kid: string
  /** The private key, PKCS #8 in DER, sealed for this `kid`. */
  readonly sealed: string
  /** In ms since 1970 (UTC). */
  readonly createdAt: number
}

/** A login and all that was refreshed from it. Times are in ms since 1970 (UTC). */
export interface Session {
  readonly id: string
  readonly userId: string
  readonly createdAt: number
  /** The session ends at this time however often it is refreshed. */
  readonly expiresAt: number
}

/** A refresh token as the store knows it: by its hash. */
export interface RefreshToken {
  /** SHA-256 of the token. */
  readonly hash: string
  readonly sessionId: string
  /** In ms since 1970 (UTC). */
  readonly expiresAt: number
}

/**
 * What came of presenting a refresh token:
 * - `rotated`: it was good, and is replaced;
 * - `unknown`: there is no such token, or it or its session is over;
 * - `reused`: it had been replaced before, so one of its holders is a thief; the session has been ended.
 */
export type Rotation =
  | { readonly outcome: 'rotated'; readonly session: Session }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'reused'; readonly session: Session }

/**
 * What people typed, and what proves who they are. Gateways of a group share one store. Every method is atomic, also
 * against other processes, and durable when it resolves.
 */
export interface Store {
  hasUsers(): Promise<boolean>
  /** Adds the first user; resolves with false, and adds nothing, when there is any user. */
  addFirstUser(user: User): Promise<boolean>
  /** Adds a user; resolves with false when the name is taken. */
  addUser(user: User): Promise<boolean>
  findUserByName(username: string): Promise<User | undefined>
  findUserById(id: string): Promise<User | undefined>
  /** Replaces a password hash, unless it is no longer `previous`. */
  replacePasswordHash(userId: string, previous: string, next: string): Promise<void>
  setUserDisabled(userId: string, disabled: boolean): Promise<void>
  /** Adds the first signing key; resolves with false when there is one. */
  addFirstSigningKey(key: SigningKey): Promise<boolean>
  /** All signing keys, newest first. */
  listSigningKeys(): Promise<readonly SigningKey[]>
  /** Begins a session with its first refresh token; sessions that are over by `now` are forgotten. */
  addSession(session: Session, token: Omit<RefreshToken, 'sessionId'>, now: number): Promise<void>
  /** Replaces the token with this hash by `next`, whose lifetime is cut to that of the session. */
  rotateRefreshToken(hash: string, next: Omit<RefreshToken, 'sessionId'>, now: number): Promise<Rotation>
  /** Whether the session has neither been ended nor run out. */
  isSessionOpen(sessionId: string, now: number): Promise<boolean>
  /** Ends a session: its refresh tokens are worthless from now on. */
  endSession(sessionId: string): Promise<void>
  /** What is wrong with the store, if anything. Never throws. */
  problem(): Promise<string | undefined>
  close(): Promise<void>
}
