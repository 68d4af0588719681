import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { type Repeating, startRepeating } from '../repeating.ts'
import type { DecisionStore, OutboxEntry } from '../store/decisions.ts'

const BATCH = 100

/** A gateway publishes what others have decided when those have not done so for so long, in ms. */
const PATIENCE_MS = 5_000

/** Writes to `decisions`, as long as no other gateway does. */
export interface DecisionWriter {
  /** Writes entries in order, all or none. Throws when another writer was opened since, or the broker is away. */
  write(entries: readonly OutboxEntry[]): Promise<void>
  close(): Promise<void>
}

interface DecisionPublisherDeps {
  readonly store: Pick<DecisionStore, 'unpublishedDecisions' | 'markDecisionsPublished'>
  /** Opens a writer; from then on no earlier one can write any more, whichever gateway has it. */
  readonly open: () => Promise<DecisionWriter>
  /** How often it looks for what others have left, in ms. */
  readonly intervalMs: number
  readonly log: Log
  readonly metrics: Pick<Metrics, 'decisionWait'>
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Carries decisions out of the store. */
export interface DecisionPublisher extends Pick<Repeating, 'close'> {
  /** Publishes what was decided here just now. */
  wake(): void
}

/**
 * Publishes each decision at least once, in the order in which they were made: by the gateway where it was made, else by
 * any other. What was read from the store is written only while nobody else has opened a writer since, so a gateway that
 * was held up cannot bring back what was lifted meanwhile.
 */
export const startDecisionPublisher = (deps: DecisionPublisherDeps): DecisionPublisher => {
  const { store, log, metrics, now } = deps
  let writer: DecisionWriter | undefined
  let isAwake = true

  const discard = async () => {
    const discarded = writer
    writer = undefined
    await discarded?.close()
  }

  const drain = async () => {
    let isOurs = false
    for (;;) {
      isOurs ||= isAwake
      isAwake = false
      const entries = await store.unpublishedDecisions(BATCH)
      const [oldest] = entries
      metrics.decisionWait.set(oldest === undefined ? 0 : Math.max(0, now() - oldest.at) / 1000)
      if (oldest === undefined || (!isOurs && oldest.at > now() - PATIENCE_MS)) {
        // Something may have been decided while it looked.
        if (isAwake) continue
        return
      }
      if (writer === undefined) {
        // What was read before a writer is open may be published already.
        writer = await deps.open()
        continue
      }
      await writer.write(entries)
      await store.markDecisionsPublished(entries.map(({ place }) => place))
    }
  }

  const repeating = startRepeating({
    work: async () => {
      try {
        await drain()
      } catch (error) {
        isAwake = true
        await discard()
        throw error
      }
    },
    intervalMs: deps.intervalMs,
    says: { failing: 'decisions wait to be published', working: 'decisions are published again' },
    log,
  })
  return {
    wake: () => {
      isAwake = true
      repeating.run()
    },
    close: async () => {
      isAwake = true
      await repeating.close()
      await discard()
    },
  }
}
