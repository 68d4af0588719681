import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Log } from '../../runtime/log.ts'
import type { Severity } from '../../schemas/generated.ts'
import type { Audit } from '../auth/audit.ts'
import { type Repeating, startRepeating } from '../repeating.ts'
import type { DecisionStore } from '../store/decisions.ts'
import type { EscalationStore, OpenAlert } from '../store/escalations.ts'
import { BLANK_DECISION } from './triage.ts'

/** Who escalates, in the alert and in its history. */
const ESCALATOR = 'netsentinel'

interface EscalationDeps {
  readonly store: Pick<DecisionStore, 'addEscalation'> & EscalationStore
  /** The mildest severity that is escalated. */
  readonly minSeverity: Severity
  /** How long an alert may be open before, in ms. */
  readonly afterMs: number
  /** How often it looks, in ms. */
  readonly intervalMs: number
  /** Called when there is something to publish. */
  readonly wake: () => void
  readonly audit: Audit
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/**
 * Escalates alerts that nobody has acknowledged in time, each once for each time that it is opened, whichever gateway sees
 * it first. The time is the wall clock's, from when the gateways have known the alert: one that was away for an hour, or that
 * reads old alerts, escalates none of them at once.
 */
export const startEscalation = (deps: EscalationDeps): Pick<Repeating, 'close'> => {
  const { store, audit, now } = deps

  const escalate = async ({ alert, openedRevision }: OpenAlert) => {
    const { id: alertId, entity, revision, severity } = alert
    const decision = {
      ...BLANK_DECISION,
      kind: 'escalate' as const,
      id: randomUUID(),
      by: ESCALATOR,
      at: now(),
      alertId,
    }
    const made = { decision, actor: ESCALATOR, alertId, entity }
    if (!(await store.addEscalation(made, { known: revision, openedRevision }))) return
    deps.wake()
    await audit.note({ event: 'alert.escalate', outcome: 'accepted', subject: alertId, detail: { severity } })
  }

  const escalateDue = async () => {
    for (const each of await store.listOpenAlerts(deps.minSeverity)) {
      // There may be thousands, and SQLite answers without letting anybody else in.
      await setImmediate()
      const found = await store.findOpenAlert(each)
      if (found !== undefined && found.knownSince < now() - deps.afterMs) await escalate(found)
    }
  }

  return startRepeating({
    work: escalateDue,
    intervalMs: deps.intervalMs,
    says: { failing: 'alerts are not escalated', working: 'alerts are escalated again' },
    log: deps.log,
  })
}
