import type { AuditStore } from './audit.ts'
import type { CredentialStore } from './credentials.ts'
import type { DecisionStore } from './decisions.ts'
import type { EscalationStore } from './escalations.ts'
import type { HistoryStore } from './history.ts'
import type { RowFilterStore } from './row-filters.ts'
import type { SessionStore } from './sessions.ts'
import type { UserStore } from './users.ts'

/**
 * What people typed, and what proves who they are. Gateways of a group share one store. Every method is atomic, also
 * against other processes, and durable when it resolves. While the database is away, each throws NS_SERVICE_UNREACHABLE
 * (retriable), but for `problem` and `close`.
 */
export interface Store
  extends UserStore,
    SessionStore,
    CredentialStore,
    AuditStore,
    DecisionStore,
    EscalationStore,
    HistoryStore,
    RowFilterStore {
  /** What is wrong with the store, if anything. Never throws. */
  problem(): Promise<string | undefined>
  /** May be called twice. */
  close(): Promise<void>
}
