import pg from 'pg'
import { z } from 'zod'
import { codeOf, messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Database, Sql, SqlValue } from './database.ts'
import { migrationsFor } from './migrations.ts'
import { securityOf } from './postgres-tls.ts'

const CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 10_000

/** Number of the advisory lock that migrations and exclusive transactions hold; any, so long as it stays the same. */
const LOCK = 7_358_001

/** Type id of BIGINT, which the client hands over as text; all of ours are exact as numbers. */
const BIGINT_OID = 20

/** Classes of SQLSTATE that pass: connection, resources, shutdown, conflict with another transaction. */
const PASSING = /^(?:08|53|57|40|55P03)/

const SQLSTATE = /^[0-9A-Z]{5}$/

const toStoreError = (cause: unknown): unknown => {
  const code = codeOf(cause) ?? ''
  // An error without an SQLSTATE does not come from the database: it could not be asked.
  const isDefect = cause instanceof SentinelError || (SQLSTATE.test(code) && !PASSING.test(code))
  return isDefect
    ? cause
    : new SentinelError('NS_SERVICE_UNREACHABLE', `Postgres: ${messageOf(cause)}`, { cause })
}

/** `?` → `$1`, `$2` … */
const numbered = (sql: string): string => {
  let count = 0
  return sql.replaceAll('?', () => {
    count += 1
    return `$${count}`
  })
}

/** Its texts hold no NUL, and what people and sensors send may: it becomes the mark of a character that is none. */
const storable = (value: SqlValue): SqlValue =>
  typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value

const createSql = (client: Pick<pg.ClientBase, 'query'>): Sql => ({
  all: async (sql, ...values) => (await client.query<object>(numbered(sql), values.map(storable))).rows,
  run: async (sql, ...values) => (await client.query(numbered(sql), values.map(storable))).rowCount ?? 0,
})

const versionRows = z.array(z.object({ version: z.number() }))

const migrate = async (sql: Sql): Promise<void> => {
  const migrations = migrationsFor('postgres')
  await sql.run('CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)')
  const [row] = versionRows.parse(await sql.all('SELECT version FROM schema_version'))
  const version = row?.version ?? 0
  if (version > migrations.length) {
    throw new SentinelError('NS_STORE_UNUSABLE', 'the store in Postgres was made by a newer version')
  }
  for (const text of migrations.slice(version)) await sql.run(text)
  await sql.run('DELETE FROM schema_version')
  await sql.run('INSERT INTO schema_version (version) VALUES (?)', migrations.length)
}

interface PostgresDeps {
  /** `postgres://user:password@host:port/database`, with `?sslmode=verify-full` for TLS. */
  readonly address: string
  readonly log: Log
}

/**
 * Connects to Postgres, for gateways on several hosts; makes the tables and brings them up to date when needed. Throws
 * NS_CONFIG_INVALID, NS_SERVICE_UNREACHABLE, and NS_STORE_UNUSABLE: the account may not make tables, or a newer version made them.
 */
export const openPostgres = async ({ address, log }: PostgresDeps): Promise<Database> => {
  if (securityOf(address) === 'open') {
    log.warn('the store is reached in plain text over the network: add ?sslmode=verify-full to GATEWAY_STORE')
  }
  const pool = new pg.Pool({
    connectionString: address,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 1_000,
    application_name: 'netsentinel-gateway',
    // A server may be told to acknowledge what is not on disk yet; what a client of ours was told must be.
    options: '-c synchronous_commit=on',
    types: {
      getTypeParser: ((oid: number, format: 'text') =>
        oid === BIGINT_OID ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  })
  // Whoever uses it learns it from the statement that fails, and the next one who asks gets another.
  const onLost = (error: Error) =>
    log.warn({ problem: messageOf(error) }, 'a connection to postgres was lost')
  pool.on('error', onLost)

  const within = async <T>(begin: readonly string[], work: (sql: Sql) => Promise<T>): Promise<T> => {
    const client = await pool.connect()
    client.on('error', onLost)
    let failure: unknown
    try {
      for (const text of begin) await client.query(text)
      const result = await work(createSql(client))
      await client.query('COMMIT')
      return result
    } catch (error) {
      failure = error
      throw error
    } finally {
      // A connection whose transaction failed is thrown away, which ends the transaction in any case.
      client.off('error', onLost)
      client.release(failure !== undefined)
    }
  }
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw toStoreError(error)
    }
  }
  const plain = createSql(pool)
  const locked = ['BEGIN', `SELECT pg_advisory_xact_lock(${LOCK})`]
  const database: Database = {
    all: (sql, ...values) => guarded(() => plain.all(sql, ...values)),
    run: (sql, ...values) => guarded(() => plain.run(sql, ...values)),
    transaction: work => guarded(() => within(['BEGIN'], work)),
    exclusive: work => guarded(() => within(locked, work)),
    problem: async () => {
      try {
        await pool.query('SELECT 1')
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },
    close: async () => {
      if (!pool.ending) await pool.end()
    },
  }
  try {
    await database.exclusive(migrate)
    return database
  } catch (error) {
    await database.close()
    if (error instanceof SentinelError) throw error
    throw new SentinelError('NS_STORE_UNUSABLE', `the store in Postgres: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
