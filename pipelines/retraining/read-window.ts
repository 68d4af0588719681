import { offsetsFrom } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { createWindowReader, type WindowEvents } from './window-events.ts'

type ReaderDeps = Parameters<typeof createWindowReader>[0]

/** What a window is read with. */
export interface WindowDeps extends Pick<ReaderDeps, 'codecs' | 'maxEntities' | 'recent'> {
  readonly config: { readonly windowMs: number; readonly rows: number }
  readonly kafka: Kafka
  /** Full name of `events`. */
  readonly events: string
  readonly now?: () => number
}

/** Fewest events of a window that say something of a network. */
export const FEWEST = 1_000

/**
 * Reads the events of late: an even sample, and those that are wanted in any case. Throws what reading throws, and the
 * signal's reason when it aborts.
 */
export const readWindow = async (
  deps: WindowDeps,
  wanted: ReadonlySet<string>,
  onEvents: (events: number) => void,
  signal: AbortSignal,
): Promise<WindowEvents & { readonly from: number; readonly to: number }> => {
  const { config, kafka, events, now = Date.now } = deps
  const to = now()
  const from = to - config.windowMs
  const reader = createWindowReader({ ...deps, rows: config.rows, wanted })
  let seen = 0
  await readTopic({
    kafka,
    topic: events,
    from: await offsetsFrom(kafka, events, from),
    onRecords: async records => {
      signal.throwIfAborted()
      await reader.take(records)
      seen += records.length
      onEvents(seen)
    },
  })
  return { ...reader.end(), from, to }
}
