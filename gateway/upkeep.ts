import { createCloser } from '../runtime/lifecycle.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { AuditEntry } from '../schemas/audit.ts'
import { startAuditPublisher } from './audit-publisher.ts'
import type { Audit } from './auth/audit.ts'
import type { GatewaySettings } from './config.ts'
import { startHistoryRetention } from './history-retention.ts'
import type { Store } from './store/store.ts'
import { type DecisionWriter, startDecisionPublisher } from './triage/decision-publisher.ts'
import { startEscalation } from './triage/escalation.ts'

/** How often the audit log is looked at for what is not published yet, in ms. */
const AUDIT_INTERVAL_MS = 1_000

/** How often the store is looked at for decisions that nobody has published, in ms. */
const DECISION_INTERVAL_MS = 1_000

/** How often alerts are looked at that nobody has acknowledged, in ms. */
const ESCALATION_INTERVAL_MS = 5_000

interface UpkeepDeps {
  readonly settings: GatewaySettings
  readonly store: Store
  readonly audit: Audit
  /** Publishes entries of the audit log; resolves when they are durable. */
  readonly publishAudit: (entries: readonly AuditEntry[]) => Promise<void>
  /** Opens a writer of `decisions`, which no earlier one outlives. */
  readonly openDecisions: () => Promise<DecisionWriter>
  readonly log: Log
  readonly metrics: Metrics
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** What a gateway does with the store though nobody asks. */
export interface Upkeep {
  /** Publishes what was decided just now. */
  wake(): void
  close(): Promise<void>
}

/** Publishes the audit log and the decisions, escalates what nobody acknowledges, and forgets what is old. */
export const startUpkeep = (deps: UpkeepDeps): Upkeep => {
  const { settings } = deps
  const closer = createCloser()
  const publisher = startAuditPublisher({
    ...deps,
    publish: deps.publishAudit,
    intervalMs: AUDIT_INTERVAL_MS,
    keptDays: settings.auditDays,
  })
  closer.add(() => publisher.close())
  const retention = startHistoryRetention({ ...deps, keptDays: settings.historyDays })
  closer.add(() => retention.close())
  const decisions = startDecisionPublisher({
    ...deps,
    open: deps.openDecisions,
    intervalMs: DECISION_INTERVAL_MS,
  })
  closer.add(() => decisions.close())
  if (settings.escalateAfterS > 0) {
    const escalation = startEscalation({
      ...deps,
      minSeverity: settings.escalateSeverity,
      afterMs: settings.escalateAfterS * 1000,
      intervalMs: ESCALATION_INTERVAL_MS,
      wake: decisions.wake,
    })
    closer.add(() => escalation.close())
  }
  return { wake: decisions.wake, close: closer.close }
}
