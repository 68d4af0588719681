import { setTimeout as sleep } from 'node:timers/promises'
import { readRecords } from '../../connectors/collect/files.ts'
import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { type Command, numberOption } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { bundledCapture } from './capture.ts'

/** The settings that replay reads. */
interface ReplayConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
}

interface ReplayDeps {
  readonly config: ReplayConfig
  readonly log: Log
  readonly files: readonly string[]
  /** Records a second; 0 for as fast as the broker takes them. */
  readonly rate: number
  readonly signal: AbortSignal
  /** Called after each batch that the broker has taken, with the records sent so far. */
  readonly onProgress?: (sent: number) => void
}

/** Most records in one send when no rate is given. */
const BATCH = 500

/** How often a paced replay sends, in ms. */
const TICK_MS = 100

/**
 * Sends the records of files to `raw-events` in the order they stand. Those of one send share a key, so that they come to
 * one partition and stay in order, as a producer without keys that fills one partition after another leaves them; what
 * depends on the rhythm of events is lost when they are shuffled. Stops early when the signal aborts. Resolves with the number of records that the broker has taken.
 */
export const replayFiles = async (deps: ReplayDeps): Promise<number> => {
  const { files, rate, signal } = deps
  const topic = topicCatalogue(deps.config.topics).rawEvents.name
  const producer = await createBatchProducer({
    kafka: createKafka({ config: deps.config.kafka, log: deps.log }),
  })
  const size = rate === 0 ? BATCH : Math.max(1, Math.round((rate * TICK_MS) / 1000))
  const started = Date.now()
  let sent = 0
  let batch: Buffer[] = []
  const flush = async () => {
    if (batch.length === 0) return
    await producer.send(
      topic,
      batch.map(value => ({ key: `replay-${sent}`, value })),
    )
    sent += batch.length
    batch = []
    deps.onProgress?.(sent)
    if (rate > 0) await pause(started + (sent / rate) * 1000 - Date.now(), signal)
  }
  try {
    for (const file of files) {
      for await (const record of readRecords(file)) {
        if (signal.aborted) break
        batch.push(record)
        if (batch.length >= size) await flush()
      }
    }
    await flush()
  } finally {
    await producer.close()
  }
  return sent
}

const pause = async (ms: number, signal: AbortSignal) => {
  if (ms <= 0 || signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => resolve()
  signal.addEventListener('abort', wake, { once: true })
  await Promise.race([sleep(ms), promise])
  signal.removeEventListener('abort', wake)
}

/** `netsentinel replay FILE…`. */
export const replay: Command<ReplayConfig> = {
  summary: 'Send the records of files to raw-events.',
  operands: '[FILE…]',
  details: [
    'FILE holds one record a line, in any of the formats that ingest understands (OpenCanary, Cowrie, Zeek JSON,',
    'Suricata EVE), or is a tab-separated Zeek log; it may be gzipped.',
  ].join('\n'),
  options: {
    rate: {
      type: 'string',
      value: 'N',
      doc: 'Records a second; as fast as the broker takes them when not given.',
    },
    capture: { type: 'boolean', doc: 'Send the bundled capture of real events.' },
  },
  run: async ({ config, log, options, operands, print, interrupted }) => {
    const files = [...(options['capture'] === true ? bundledCapture() : []), ...operands]
    if (files.length === 0) throw new SentinelError('NS_USAGE', 'replay: name a file, or give --capture')
    const rate = numberOption(options, 'rate', 0, { min: 1, max: 1_000_000 })
    const sent = await replayFiles({ config, log, files, rate, signal: interrupted })
    print(`${sent} records sent`)
    return EXIT.ok
  },
}
