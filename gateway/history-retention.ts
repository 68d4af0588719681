import type { Log } from '../runtime/log.ts'
import { startRepeating } from './repeating.ts'
import type { DecisionStore } from './store/decisions.ts'
import type { HistoryStore } from './store/history.ts'

const INTERVAL_MS = 3_600_000
const DAY_MS = 86_400_000

/** Records of a partition that are forgotten at a time, so that nobody waits long for the store. */
const BATCH = 500

interface HistoryRetentionDeps {
  readonly store: Pick<HistoryStore, 'forgetHistory'> & Pick<DecisionStore, 'forgetOldDecisions'>
  /** Records are kept for so many days. */
  readonly keptDays: number
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Forgets what is older than the history goes back, and what was decided about it: now, and every hour. `close` resolves when it does so no more. */
export const startHistoryRetention = (deps: HistoryRetentionDeps): { close(): Promise<void> } => {
  let isOpen = true
  const { store, now } = deps
  const forget = async () => {
    const before = now() - deps.keptDays * DAY_MS
    while (isOpen && (await store.forgetHistory(before, BATCH)) > 0);
    while (isOpen && (await store.forgetOldDecisions(before, BATCH, now())) > 0);
  }
  const repeating = startRepeating({
    work: forget,
    intervalMs: INTERVAL_MS,
    says: {
      failing: 'old threats, alerts and decisions are forgotten later',
      working: 'old threats, alerts and decisions are forgotten again',
    },
    log: deps.log,
  })
  repeating.run()
  return {
    close: async () => {
      isOpen = false
      await repeating.stop()
    },
  }
}
