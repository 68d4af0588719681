import { SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import { createAuditStore } from './audit.ts'
import { createCredentialStore } from './credentials.ts'
import { createDecisionStore } from './decisions.ts'
import { createEscalationStore } from './escalations.ts'
import { createHistoryStore } from './history.ts'
import { openPostgres } from './postgres.ts'
import { createRowFilterStore } from './row-filters.ts'
import { createSessionStore } from './sessions.ts'
import { openSqlite } from './sqlite.ts'
import type { Store } from './store.ts'
import { createUserStore } from './users.ts'

const POSTGRES = /^postgres(?:ql)?:\/\//
const ADDRESS = /^[a-z0-9+.-]+:\/\//i

interface OpenStoreDeps {
  /** A `postgres://` address, or the path of an SQLite file. */
  readonly address: string
  readonly log: Log
}

/**
 * Opens the store where it is, and brings its schema up to date: forward only, one gateway at a time.
 * Throws NS_CONFIG_INVALID, NS_STORE_UNUSABLE and NS_SERVICE_UNREACHABLE.
 */
export const openStore = async ({ address, log }: OpenStoreDeps): Promise<Store> => {
  if (ADDRESS.test(address) && !POSTGRES.test(address)) {
    // Not shown: it may hold a password.
    throw new SentinelError('NS_CONFIG_INVALID', 'GATEWAY_STORE: neither a file nor a postgres:// address')
  }
  const database = POSTGRES.test(address) ? await openPostgres({ address, log }) : await openSqlite(address)
  return {
    ...createUserStore(database),
    ...createSessionStore(database),
    ...createCredentialStore(database),
    ...createRowFilterStore(database),
    ...createAuditStore(database),
    ...createHistoryStore(database),
    ...createDecisionStore(database),
    ...createEscalationStore(database),
    problem: database.problem,
    close: database.close,
  }
}
