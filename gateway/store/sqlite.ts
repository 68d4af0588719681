import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Database, Sql } from './database.ts'
import { migrationsFor } from './migrations.ts'

/** How long the lock of another process is waited for, and how long at most between two attempts. */
const BUSY_TIMEOUT_MS = 5_000
const BUSY_RETRY_MS = 8

/** SQLITE_BUSY: somebody else holds the lock. */
const BUSY = 5

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
    return new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true })
  } catch (cause) {
    throw unusable(path, cause)
  }
}

const isBusy = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === BUSY

/** Tries again while the database is locked. SQLite itself would wait too, and the whole process with it. */
const patiently = async <T>(attempt: () => Promise<T> | T): Promise<T> => {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error
      await sleep(1 + Math.random() * BUSY_RETRY_MS)
    }
  }
}

const withinTransaction = async <T>(db: DatabaseSync, work: () => Promise<T> | T): Promise<T> => {
  // IMMEDIATE takes the write lock at once: a reader that turns writer later could not wait for it.
  await patiently(() => db.exec('BEGIN IMMEDIATE'))
  try {
    const result = await work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

const migrate = async (db: DatabaseSync, path: string): Promise<void> => {
  const migrations = migrationsFor('sqlite')
  await withinTransaction(db, () => {
    const { user_version: version } = z
      .object({ user_version: z.number() })
      .parse(db.prepare('PRAGMA user_version').get())
    if (version > migrations.length) {
      throw new SentinelError('NS_STORE_UNUSABLE', `the store ${path} was made by a newer version`)
    }
    for (const sql of migrations.slice(version)) db.exec(sql)
    db.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}

/**
 * Opens an SQLite file, which several gateways of one host can share; makes it and brings its schema up to date when
 * needed. Throws NS_STORE_UNUSABLE: no access, not a database, or made by a newer version.
 */
export const openSqlite = async (path: string): Promise<Database> => {
  const db = open(path)
  try {
    await patiently(() => db.exec('PRAGMA journal_mode = WAL'))
    // FULL: a commit is on disk when it returns, so a token that a client holds is known after a power cut.
    db.exec('PRAGMA synchronous = FULL')
    await migrate(db, path)
  } catch (cause) {
    db.close()
    throw unusable(path, cause)
  }

  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, known)
    return known
  }
  const sql: Sql = {
    all: async (text, ...values) => prepare(text).all(...values),
    run: async (text, ...values) => Number(prepare(text).run(...values).changes),
  }

  let last: Promise<unknown> = Promise.resolve()
  /** There is one connection: nobody else's statements may come between those of a transaction. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work).catch((error: unknown) => {
      if (!isBusy(error)) throw error
      throw new SentinelError('NS_SERVICE_UNREACHABLE', `the store ${path} is busy`, { cause: error })
    })
    // Whoever began it is told; the next one only waits for its turn.
    last = result.catch(() => undefined)
    return result
  }
  const transaction: Database['transaction'] = work => alone(() => withinTransaction(db, () => work(sql)))

  return {
    all: (text, ...values) => alone(() => patiently(() => sql.all(text, ...values))),
    run: (text, ...values) => alone(() => patiently(() => sql.run(text, ...values))),
    transaction,
    exclusive: transaction,
    problem: async () => {
      try {
        db.prepare('SELECT 1').get()
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },
    close: async () => {
      await last
      if (db.isOpen) db.close()
    },
  }
}
