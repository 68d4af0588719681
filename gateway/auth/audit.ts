import { randomBytes } from 'node:crypto'
import type { Log } from '../../runtime/log.ts'
import type { AuditEntry } from '../../schemas/audit.ts'
import type { AuditStore } from '../store/audit.ts'

const TIME_DIGITS = 15
const UNIQUE_BYTES = 6

/** What a security event consists of; what is not known is left out. */
export interface SecurityEvent {
  readonly event: string
  readonly outcome: string
  readonly actor?: string | undefined
  readonly subject?: string | undefined
  readonly address?: string | undefined
  readonly detail?: AuditEntry['detail']
}

/** Writes security events down. */
export interface Audit {
  /** Resolves when the event is durable in the audit log. Throws NS_SERVICE_UNREACHABLE. */
  note(event: SecurityEvent): Promise<void>
}

interface AuditDeps {
  readonly store: Pick<AuditStore, 'addAudit'>
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Writes to the store, from where the events are published, and to the log. */
export const createAudit = ({ store, log, now }: AuditDeps): Audit => ({
  note: async ({ event, outcome, actor, subject, address, detail = {} }) => {
    const at = now()
    const entry: AuditEntry = {
      id: `${String(at).padStart(TIME_DIGITS, '0')}${randomBytes(UNIQUE_BYTES).toString('hex')}`,
      at,
      event,
      outcome,
      actor: actor ?? null,
      subject: subject ?? null,
      address: address ?? null,
      detail,
    }
    log.info(entry, 'security event')
    await store.addAudit(entry)
  },
})
