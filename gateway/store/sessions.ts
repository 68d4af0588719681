import { z } from 'zod'
import { noteAccessChange } from './access-changes.ts'
import type { Database, Sql } from './database.ts'
import { type User, userRow } from './users.ts'

/** A login and all that was refreshed from it. Times are in ms since 1970 (UTC). */
export interface Session {
  readonly id: string
  readonly userId: string
  readonly createdAt: number
  /** The session ends at this time however often it is refreshed. */
  readonly expiresAt: number
  readonly lastUsedAt: number
  /** Network address of the login. */
  readonly address: string
  /** What the client said of itself, for its owner to recognise it. */
  readonly client: string
}

/** A refresh token as the store knows it: by its hash. */
export interface RefreshToken {
  /** SHA-256 of the token. */
  readonly hash: string
  /** In ms since 1970 (UTC). */
  readonly expiresAt: number
}

/** The successor of a refresh token. */
export interface Successor extends RefreshToken {
  /** The token itself, sealed for whoever presents its predecessor again. */
  readonly sealed: string
}

/**
 * What came of presenting a refresh token:
 * - `rotated`: it was good, and is replaced;
 * - `repeated`: it was replaced a moment ago, and comes again from another tab, or because the answer was lost;
 * - `unknown`: there is no such token, or it or its session is over;
 * - `reused`: it had been replaced before, so one of its holders is a thief; the session has been ended.
 */
export type Rotation =
  | { readonly outcome: 'rotated'; readonly session: Session }
  | { readonly outcome: 'repeated'; readonly session: Session; readonly sealed: string }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'reused'; readonly session: Session }

/** Whose an access token is. */
export interface Holder {
  readonly user: User
  /** Whether its session has neither been ended nor run out, and the token itself is not revoked. */
  readonly isOpen: boolean
}

/** The sessions, their tokens, and what was revoked. */
export interface SessionStore {
  /** Begins a session with its first refresh token; sessions that are over by `now` are forgotten. */
  addSession(session: Session, token: RefreshToken, now: number): Promise<void>
  /**
   * Replaces the token with this hash by `next`, whose lifetime is cut to that of the session. For `repeatMs` after that
   * the same token gets the same successor.
   */
  rotateRefreshToken(hash: string, next: Successor, now: number, repeatMs: number): Promise<Rotation>
  /** The user that a session is of, and whether a token of it is still good. */
  findHolder(
    token: { readonly sessionId: string; readonly tokenId: string },
    now: number,
  ): Promise<Holder | undefined>
  /** A user's open sessions, the latest first. */
  listSessions(userId: string, now: number): Promise<readonly Session[]>
  /** Ends an open session of a user; resolves with false when there is none. */
  endSession(session: { readonly id: string; readonly userId: string }, now: number): Promise<boolean>
  /** Ends all sessions of a user; resolves with how many were open. */
  endSessionsOf(userId: string, now: number): Promise<number>
  /**
   * Revokes one token, or all that a user was issued until now, which is for tokens of another issuer: our own end with
   * their sessions. It is remembered until `expiresAt`, when the last of them has expired by itself.
   */
  revoke(revocation: Revocation, now: number): Promise<void>
  /** When this was revoked, in ms since 1970 (UTC); undefined when it was not. */
  revokedAt(kind: Revocation['kind'], subject: string): Promise<number | undefined>
  /** The users whose access has changed since a time, each change with an id of its own. */
  accessChangesSince(since: number): Promise<readonly { readonly id: string; readonly userId: string }[]>
}

/** Something that is no longer good before its time. */
export interface Revocation {
  readonly kind: 'token' | 'user'
  /** Id of the token or the user. */
  readonly subject: string
  /** Whose sockets are to be looked at again. */
  readonly userId: string
  readonly expiresAt: number
}

const SESSION_COLUMNS = 's.id, s.user_id, s.created_at, s.expires_at, s.last_used_at, s.address, s.client'

const sessionRow = z
  .object({
    id: z.string(),
    user_id: z.string(),
    created_at: z.number(),
    expires_at: z.number(),
    last_used_at: z.number(),
    address: z.string(),
    client: z.string(),
  })
  .transform(
    (row): Session => ({
      id: row.id,
      userId: row.user_id,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      lastUsedAt: row.last_used_at,
      address: row.address,
      client: row.client,
    }),
  )
const sessionRows = z.array(sessionRow)

const tokenRows = z.array(
  z
    .object({ used_at: z.number().nullable(), successor: z.string().nullable(), ended: z.number() })
    .and(sessionRow),
)
const claimedRows = z.array(z.object({ session_id: z.string() }))
const holderRows = z.array(z.object({ is_open: z.number() }).and(userRow))
const changeRows = z.array(
  z.object({ id: z.string(), user_id: z.string() }).transform(row => ({ id: row.id, userId: row.user_id })),
)
const revokedRows = z.array(z.object({ revoked_at: z.number() }))

const addToken = (sql: Sql, token: RefreshToken, session: Session) =>
  sql.run(
    'INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES (?, ?, ?)',
    token.hash,
    session.id,
    Math.min(token.expiresAt, session.expiresAt),
  )

/** Takes the token for its one use; the id of its session, or undefined when it is not there to be taken. */
const claim = async (sql: Sql, hash: string, sealed: string, now: number) => {
  const rows = await sql.all(
    `UPDATE refresh_tokens SET used_at = ?, successor = ?
     WHERE hash = ? AND used_at IS NULL AND expires_at > ?
       AND session_id IN (SELECT id FROM sessions WHERE ended = 0 AND expires_at > ?)
     RETURNING session_id`,
    now,
    sealed,
    hash,
    now,
    now,
  )
  return claimedRows.parse(rows)[0]?.session_id
}

const endOne = (sql: Sql, id: string, userId: string) =>
  sql.run('UPDATE sessions SET ended = 1 WHERE id = ? AND user_id = ? AND ended = 0', id, userId)

/** The sessions in a database. */
export const createSessionStore = (database: Database): SessionStore => ({
  addSession: (session, token, now) =>
    database.transaction(async sql => {
      await sql.run('DELETE FROM sessions WHERE expires_at <= ?', now)
      await sql.run(
        `INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, address, client)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        session.id,
        session.userId,
        session.createdAt,
        session.expiresAt,
        session.lastUsedAt,
        session.address,
        session.client,
      )
      await addToken(sql, token, session)
    }),
  rotateRefreshToken: (hash, next, now, repeatMs) =>
    database.transaction(async (sql): Promise<Rotation> => {
      const claimed = await claim(sql, hash, next.sealed, now)
      const [found] = tokenRows.parse(
        await sql.all(
          `SELECT ${SESSION_COLUMNS}, s.ended, t.used_at, t.successor
           FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.hash = ?`,
          hash,
        ),
      )
      if (found === undefined) return { outcome: 'unknown' }
      const { used_at: usedAt, successor, ended, ...session } = found
      if (claimed !== undefined) {
        await addToken(sql, next, session)
        // Only the last token that was used can be repeated: what the ones before it led to is forgotten.
        await sql.run(
          'UPDATE refresh_tokens SET successor = NULL WHERE session_id = ? AND hash <> ?',
          session.id,
          hash,
        )
        await sql.run('UPDATE sessions SET last_used_at = ? WHERE id = ?', now, session.id)
        return { outcome: 'rotated', session: { ...session, lastUsedAt: now } }
      }
      if (ended !== 0 || session.expiresAt <= now || usedAt === null) return { outcome: 'unknown' }
      if (successor !== null && now - usedAt < repeatMs) {
        return { outcome: 'repeated', session, sealed: successor }
      }
      await endOne(sql, session.id, session.userId)
      await noteAccessChange(sql, session.userId, now)
      return { outcome: 'reused', session }
    }),
  findHolder: async ({ sessionId, tokenId }, now) => {
    const rows = await database.all(
      `SELECT u.id, u.username, u.password_hash, u.password_expires_at, u.role, u.disabled, u.created_at,
         CASE WHEN s.ended = 0 AND s.expires_at > ?
           AND NOT EXISTS (SELECT 1 FROM revocations WHERE kind = 'token' AND subject = ?) THEN 1 ELSE 0 END AS is_open
       FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`,
      now,
      tokenId,
      sessionId,
    )
    const [row] = holderRows.parse(rows)
    if (row === undefined) return undefined
    const { is_open: isOpen, ...user } = row
    return { user, isOpen: isOpen !== 0 }
  },
  listSessions: async (userId, now) =>
    sessionRows.parse(
      await database.all(
        `SELECT ${SESSION_COLUMNS} FROM sessions s
         WHERE s.user_id = ? AND s.ended = 0 AND s.expires_at > ? ORDER BY s.last_used_at DESC, s.id LIMIT 1000`,
        userId,
        now,
      ),
    ),
  endSession: ({ id, userId }, now) =>
    database.transaction(async sql => {
      if ((await endOne(sql, id, userId)) === 0) return false
      await noteAccessChange(sql, userId, now)
      return true
    }),
  endSessionsOf: (userId, now) =>
    database.transaction(async sql => {
      const ended = await sql.run(
        'UPDATE sessions SET ended = 1 WHERE user_id = ? AND ended = 0 AND expires_at > ?',
        userId,
        now,
      )
      await noteAccessChange(sql, userId, now)
      return ended
    }),
  revoke: ({ kind, subject, userId, expiresAt }, now) =>
    database.transaction(async sql => {
      await sql.run('DELETE FROM revocations WHERE expires_at <= ?', now)
      await sql.run(
        `INSERT INTO revocations (kind, subject, revoked_at, expires_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (kind, subject) DO UPDATE SET revoked_at = excluded.revoked_at, expires_at = excluded.expires_at`,
        kind,
        subject,
        now,
        expiresAt,
      )
      await noteAccessChange(sql, userId, now)
    }),
  revokedAt: async (kind, subject) =>
    revokedRows.parse(
      await database.all('SELECT revoked_at FROM revocations WHERE kind = ? AND subject = ?', kind, subject),
    )[0]?.revoked_at,
  accessChangesSince: async since =>
    changeRows.parse(
      await database.all(
        'SELECT id, user_id FROM access_changes WHERE changed_at > ? ORDER BY changed_at',
        since,
      ),
    ),
})
