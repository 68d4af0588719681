import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { z } from 'zod'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { ROLES } from '../auth/provider.ts'
import { MIGRATIONS } from './migrations.ts'
import type { Session, Store } from './store.ts'

const BUSY_TIMEOUT_MS = 5_000

const userRow = z
  .object({
    id: z.string(),
    username: z.string(),
    password_hash: z.string(),
    role: z.enum(ROLES),
    disabled: z.number(),
    created_at: z.number(),
  })
  .transform(row => ({
    id: row.id,
    username: row.username,
    passwordHash: row.password_hash,
    role: row.role,
    disabled: row.disabled !== 0,
    createdAt: row.created_at,
  }))

const keyRow = z
  .object({ kid: z.string(), sealed: z.string(), created_at: z.number() })
  .transform(({ kid, sealed, created_at }) => ({ kid, sealed, createdAt: created_at }))

const tokenRow = z.object({
  session_id: z.string(),
  token_expires_at: z.number(),
  used: z.number(),
  user_id: z.string(),
  created_at: z.number(),
  expires_at: z.number(),
  ended: z.number(),
})

const createFile = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // SQLite gives its -wal and -shm files the mode of the main file, which holds password hashes.
  closeSync(openSync(path, 'a', 0o600))
}

const unusable = (path: string, cause: unknown) =>
  cause instanceof SentinelError
    ? cause
    : new SentinelError('NS_STORE_UNUSABLE', `the store ${path} cannot be used: ${messageOf(cause)}`, {
        cause,
      })

const open = (path: string): DatabaseSync => {
  try {
    createFile(path)
    return new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  } catch (cause) {
    throw unusable(path, cause)
  }
}

/**
 * Opens the store in an SQLite file, which several gateways of one host can share; makes it and brings its schema up to
 * date when needed. Throws NS_STORE_UNUSABLE: no access, not a database, or made by a newer version.
 */
export const openSqliteStore = (path: string): Store => {
  const db = open(path)

  const transaction = <T>(work: () => T): T => {
    // IMMEDIATE takes the write lock at once: a reader that turns writer later could not wait for it.
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }
  const get = (sql: string, ...values: SQLInputValue[]): unknown => db.prepare(sql).get(...values)
  const run = (sql: string, ...values: SQLInputValue[]): boolean =>
    Number(db.prepare(sql).run(...values).changes) > 0

  const versionOf = () =>
    z.object({ user_version: z.number() }).parse(get('PRAGMA user_version')).user_version
  try {
    db.exec('PRAGMA journal_mode = WAL')
    // FULL: a commit is on disk when it returns, so a token that a client holds is known after a power cut.
    db.exec('PRAGMA synchronous = FULL')
    transaction(() => {
      const version = versionOf()
      if (version > MIGRATIONS.length) {
        throw new SentinelError('NS_STORE_UNUSABLE', `the store ${path} was made by a newer version`)
      }
      for (const sql of MIGRATIONS.slice(version)) db.exec(sql)
      db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    })
  } catch (cause) {
    db.close()
    throw unusable(path, cause)
  }

  const findUser = (where: 'id' | 'username', value: string) => {
    const row = get(`SELECT * FROM users WHERE ${where} = ?`, value)
    return row === undefined ? undefined : userRow.parse(row)
  }

  const addToken = (hash: string, sessionId: string, expiresAt: number) =>
    run(
      'INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES (?, ?, ?)',
      hash,
      sessionId,
      expiresAt,
    )

  return {
    hasUsers: async () => get('SELECT 1 FROM users LIMIT 1') !== undefined,
    addFirstUser: async user =>
      run(
        `INSERT INTO users (id, username, password_hash, role, disabled, created_at)
         SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users)`,
        ...userValues(user),
      ),
    addUser: async user =>
      run(
        `INSERT INTO users (id, username, password_hash, role, disabled, created_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (username) DO NOTHING`,
        ...userValues(user),
      ),
    findUserByName: async username => findUser('username', username),
    findUserById: async id => findUser('id', id),
    replacePasswordHash: async (userId, previous, next) => {
      run('UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?', next, userId, previous)
    },
    setUserDisabled: async (userId, disabled) => {
      run('UPDATE users SET disabled = ? WHERE id = ?', disabled ? 1 : 0, userId)
    },
    addFirstSigningKey: async key =>
      run(
        `INSERT INTO signing_keys (kid, sealed, created_at)
         SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM signing_keys)`,
        key.kid,
        key.sealed,
        key.createdAt,
      ),
    listSigningKeys: async () =>
      z.array(keyRow).parse(db.prepare('SELECT * FROM signing_keys ORDER BY created_at DESC').all()),
    addSession: async (session, token, now) =>
      transaction(() => {
        run('DELETE FROM sessions WHERE expires_at <= ?', now)
        run(
          'INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)',
          session.id,
          session.userId,
          session.createdAt,
          session.expiresAt,
        )
        addToken(token.hash, session.id, Math.min(token.expiresAt, session.expiresAt))
      }),
    rotateRefreshToken: async (hash, next, now) =>
      transaction(() => {
        const found = get(
          `SELECT session_id, t.expires_at AS token_expires_at, used, user_id, created_at, s.expires_at, ended
           FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE hash = ?`,
          hash,
        )
        if (found === undefined) return { outcome: 'unknown' }
        const row = tokenRow.parse(found)
        const session: Session = {
          id: row.session_id,
          userId: row.user_id,
          createdAt: row.created_at,
          expiresAt: row.expires_at,
        }
        if (row.ended !== 0 || row.expires_at <= now) return { outcome: 'unknown' }
        if (row.used !== 0) {
          run('UPDATE sessions SET ended = 1 WHERE id = ?', session.id)
          return { outcome: 'reused', session }
        }
        if (row.token_expires_at <= now) return { outcome: 'unknown' }
        run('UPDATE refresh_tokens SET used = 1 WHERE hash = ?', hash)
        addToken(next.hash, session.id, Math.min(next.expiresAt, session.expiresAt))
        return { outcome: 'rotated', session }
      }),
    isSessionOpen: async (sessionId, now) =>
      get('SELECT 1 FROM sessions WHERE id = ? AND ended = 0 AND expires_at > ?', sessionId, now) !==
      undefined,
    endSession: async sessionId => {
      run('UPDATE sessions SET ended = 1 WHERE id = ?', sessionId)
    },
    problem: async () => {
      try {
        get('SELECT 1')
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },
    close: async () => {
      if (db.isOpen) db.close()
    },
  }
}

const userValues = (user: Parameters<Store['addUser']>[0]): SQLInputValue[] => [
  user.id,
  user.username,
  user.passwordHash,
  user.role,
  user.disabled ? 1 : 0,
  user.createdAt,
]
