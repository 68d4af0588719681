import { z } from 'zod'
import { ROLES, type Role } from '../auth/permissions.ts'
import { noteAccessChange } from './access-changes.ts'
import type { Database, Sql, SqlValue } from './database.ts'

/** An account. */
export interface User {
  readonly id: string
  /** In the form that `foldUsername` gives; unique. */
  readonly username: string
  /** PHC string. */
  readonly passwordHash: string
  /**
   * When a password that its owner did not choose stops working, in ms since 1970 (UTC); until then it serves only to be
   * changed. Null when the owner chose it.
   */
  readonly passwordExpiresAt: number | null
  readonly role: Role
  readonly disabled: boolean
  /** In ms since 1970 (UTC). */
  readonly createdAt: number
}

/** What an administrator may change. */
export type UserChange = Partial<Pick<User, 'role' | 'disabled'>>

/** What came of a change to a user; somebody must remain who can undo it, so the last administrator stays one. */
export type UserOutcome = 'done' | 'unknown' | 'last-admin'

/** The accounts. */
export interface UserStore {
  hasUsers(): Promise<boolean>
  /** Adds the first user; resolves with false, and adds nothing, when there is any user. */
  addFirstUser(user: User): Promise<boolean>
  /** Adds a user; resolves with false when the name is taken. */
  addUser(user: User): Promise<boolean>
  findUserByName(username: string): Promise<User | undefined>
  findUserById(id: string): Promise<User | undefined>
  /** Users in the order of their names, those after `after`. */
  listUsers(page: { readonly after: string; readonly limit: number }): Promise<readonly User[]>
  /** Changes a user; one who is disabled loses every session. */
  updateUser(id: string, change: UserChange, now: number): Promise<UserOutcome>
  /** Deletes a user with all that is theirs, but for the audit log. */
  deleteUser(id: string, now: number): Promise<UserOutcome>
  /** Replaces a password hash, unless it is no longer `previous`. */
  replacePasswordHash(userId: string, previous: string, next: string): Promise<void>
  /**
   * Gives a user another password and ends every session; resolves with false, and changes nothing, when there is no such
   * user, or when `previous` is given and is no longer the hash.
   */
  setPassword(
    userId: string,
    password: Pick<User, 'passwordHash' | 'passwordExpiresAt'> & { readonly previous?: string },
    now: number,
  ): Promise<boolean>
}

const USER_COLUMNS = 'id, username, password_hash, password_expires_at, role, disabled, created_at'

/** A row of `users`, as one of its columns in any query. */
export const userRow = z
  .object({
    id: z.string(),
    username: z.string(),
    password_hash: z.string(),
    password_expires_at: z.number().nullable(),
    role: z.enum(ROLES),
    disabled: z.number(),
    created_at: z.number(),
  })
  .transform(
    (row): User => ({
      id: row.id,
      username: row.username,
      passwordHash: row.password_hash,
      passwordExpiresAt: row.password_expires_at,
      role: row.role,
      disabled: row.disabled !== 0,
      createdAt: row.created_at,
    }),
  )

const userRows = z.array(userRow)

const INSERT = `INSERT INTO users (${USER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (username) DO NOTHING`

const valuesOf = (user: User): readonly SqlValue[] => [
  user.id,
  user.username,
  user.passwordHash,
  user.passwordExpiresAt,
  user.role,
  user.disabled ? 1 : 0,
  user.createdAt,
]

const endSessions = (sql: Sql, userId: string) =>
  sql.run('UPDATE sessions SET ended = 1 WHERE user_id = ?', userId)

/** The accounts in a database. */
export const createUserStore = (database: Database): UserStore => {
  const find = async (where: 'id' | 'username', value: string, sql: Sql = database) =>
    userRows.parse(await sql.all(`SELECT ${USER_COLUMNS} FROM users WHERE ${where} = ?`, value))[0]

  const hasAny = async (sql: Sql) => (await sql.all('SELECT 1 FROM users LIMIT 1')).length > 0

  /** Whether an enabled administrator is left who is not this one. */
  const hasOtherAdmin = async (sql: Sql, id: string) =>
    (await sql.all("SELECT 1 FROM users WHERE role = 'admin' AND disabled = 0 AND id <> ? LIMIT 1", id))
      .length > 0

  /** Applies a change to a user, unless it would leave nobody to administer. */
  const change = (id: string, isAdminAfter: (user: User) => boolean, apply: (sql: Sql) => Promise<unknown>) =>
    database.exclusive(async (sql): Promise<UserOutcome> => {
      const user = await find('id', id, sql)
      if (user === undefined) return 'unknown'
      const isAdmin = user.role === 'admin' && !user.disabled
      if (isAdmin && !isAdminAfter(user) && !(await hasOtherAdmin(sql, id))) return 'last-admin'
      await apply(sql)
      return 'done'
    })

  return {
    hasUsers: () => hasAny(database),
    addFirstUser: user =>
      database.exclusive(async sql => {
        if (await hasAny(sql)) return false
        return (await sql.run(INSERT, ...valuesOf(user))) > 0
      }),
    addUser: async user => (await database.run(INSERT, ...valuesOf(user))) > 0,
    findUserByName: username => find('username', username),
    findUserById: id => find('id', id),
    listUsers: async ({ after, limit }) =>
      userRows.parse(
        await database.all(
          `SELECT ${USER_COLUMNS} FROM users WHERE username > ? ORDER BY username LIMIT ?`,
          after,
          limit,
        ),
      ),
    updateUser: (id, { role, disabled }, now) =>
      change(
        id,
        user => (role ?? user.role) === 'admin' && !(disabled ?? user.disabled),
        async sql => {
          if (role !== undefined) await sql.run('UPDATE users SET role = ? WHERE id = ?', role, id)
          if (disabled !== undefined) {
            await sql.run('UPDATE users SET disabled = ? WHERE id = ?', disabled ? 1 : 0, id)
          }
          if (disabled === true) await endSessions(sql, id)
          await noteAccessChange(sql, id, now)
        },
      ),
    deleteUser: (id, now) =>
      change(
        id,
        () => false,
        async sql => {
          await sql.run('DELETE FROM users WHERE id = ?', id)
          await sql.run('DELETE FROM row_filters WHERE holder = ?', id)
          await noteAccessChange(sql, id, now)
        },
      ),
    replacePasswordHash: async (userId, previous, next) => {
      await database.run(
        'UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?',
        next,
        userId,
        previous,
      )
    },
    setPassword: (userId, { passwordHash, passwordExpiresAt, previous }, now) =>
      database.transaction(async sql => {
        const changed = await sql.run(
          `UPDATE users SET password_hash = ?, password_expires_at = ?
           WHERE id = ? AND password_hash = COALESCE(?, password_hash)`,
          passwordHash,
          passwordExpiresAt,
          userId,
          previous ?? null,
        )
        if (changed === 0) return false
        await endSessions(sql, userId)
        await noteAccessChange(sql, userId, now)
        return true
      }),
  }
}
