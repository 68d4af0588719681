import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { AuditEntry } from '../schemas/audit.ts'
import { type Repeating, startRepeating } from './repeating.ts'
import type { AuditStore } from './store/audit.ts'

const BATCH = 200
const DAY_MS = 86_400_000

interface AuditPublisherDeps {
  readonly store: Pick<AuditStore, 'unpublishedAudit' | 'markAuditPublished' | 'forgetAudit'>
  /** Writes entries where others read them, in order; resolves when they are durable there. */
  readonly publish: (entries: readonly AuditEntry[]) => Promise<void>
  /** How often it looks for new entries, in ms. */
  readonly intervalMs: number
  /** Published entries are kept in the store for so many days. */
  readonly keptDays: number
  readonly log: Log
  readonly metrics: Pick<Metrics, 'auditWait'>
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Carries the audit log out of the store; publishes what is there once more when it is closed. */
export type AuditPublisher = Pick<Repeating, 'close'>

/**
 * Publishes each entry of the audit log at least once: what was written to the store is published by whichever gateway
 * looks next, also when the one that wrote it is gone. Two that look at the same moment may both publish an entry, whose id
 * tells. While that fails, entries wait in the store.
 */
export const startAuditPublisher = (deps: AuditPublisherDeps): AuditPublisher => {
  const { store, metrics, now } = deps
  let forgottenAt = now() - DAY_MS

  const drain = async () => {
    for (;;) {
      const entries = await store.unpublishedAudit(BATCH)
      const [oldest] = entries
      metrics.auditWait.set(oldest === undefined ? 0 : Math.max(0, now() - oldest.at) / 1000)
      if (entries.length === 0) break
      await deps.publish(entries)
      await store.markAuditPublished(entries.map(({ id }) => id))
    }
    if (now() - forgottenAt < DAY_MS) return
    forgottenAt = now()
    await store.forgetAudit(now() - deps.keptDays * DAY_MS)
  }
  return startRepeating({
    work: drain,
    intervalMs: deps.intervalMs,
    says: { failing: 'the audit log waits to be published', working: 'the audit log is published again' },
    log: deps.log,
  })
}
