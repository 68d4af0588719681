import { z } from 'zod'
import { createKafka, type Kafka, kafkaConfig } from '../../connectors/kafka/client.ts'
import type { BatchResult, InputRecord, OutputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { type Environment, loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import type { BrokerProxy } from './proxy.ts'

/** Access to a broker with settings from `env`. */
export const kafkaOf = (env: Environment, proxy?: BrokerProxy): Kafka => {
  const { kafka: config } = loadConfig({ kafka: kafkaConfig }, env)
  return createKafka({ config, log: silentLog(), ...(proxy && { socketFactory: proxy.socketFactory }) })
}

/** Topics of a stage that counts, each with as many partitions, and its group. */
export const countingTopicsSchema = z.strictObject({
  group: z.string(),
  input: z.string(),
  output: z.string(),
  changelog: z.string(),
  /** A side input; its keys are counted apart. */
  side: z.string().optional(),
})

/** Values of {@link countingTopicsSchema}. */
export type CountingTopics = z.output<typeof countingTopicsSchema>

const keyOf = (record: InputRecord): string => record.key?.toString() ?? ''

/** The key that a record is counted under: those of the side input begin with `side/`. */
const countedKey = (record: InputRecord, { side }: CountingTopics): string =>
  record.topic === side ? `side/${keyOf(record)}` : keyOf(record)

/** What a test can do while a counting stage works. */
export interface CountingHooks {
  readonly before?: (records: readonly InputRecord[]) => Promise<void>
}

/**
 * A stage whose output betrays every record lost, doubled or met with wrong state: for the n-th record of a key it writes
 * `key:n`, n being its state.
 */
export const countingStage = (topics: CountingTopics, hooks: CountingHooks = {}): Stage => ({
  name: 'counting',
  group: topics.group,
  input: topics.input,
  outputs: [{ topic: topics.output }],
  changelog: topics.changelog,
  ...(topics.side === undefined ? {} : { sideInputs: [topics.side] }),
  createTask: () => {
    const counts = new Map<string, number>()
    return {
      restore: async records => {
        for (const record of records) {
          if (record.value === null) counts.delete(keyOf(record))
          else counts.set(keyOf(record), Number(record.value.toString()))
        }
      },
      process: async (records): Promise<BatchResult> => {
        await hooks.before?.(records)
        const changed = new Map<string, number>()
        const outputs = records.map((record): OutputRecord => {
          const key = countedKey(record, topics)
          const count = (changed.get(key) ?? counts.get(key) ?? 0) + 1
          changed.set(key, count)
          const value = Buffer.from(`${key}:${count}`)
          return {
            topic: topics.output,
            partition: record.partition,
            key,
            value,
            timestamp: record.timestamp,
          }
        })
        return {
          outputs,
          changes: [...changed].map(([key, count]) => ({ key, value: Buffer.from(String(count)) })),
          committed: () => {
            for (const [key, count] of changed) counts.set(key, count)
          },
        }
      },
      size: () => ({ entries: counts.size, bytes: 10 * counts.size }),
    }
  },
})

/** What a counting stage writes for so many records of each key, in the order of text. */
export const expectedCounts = (perKey: Readonly<Record<string, number>>): string[] =>
  Object.entries(perKey)
    .flatMap(([key, count]) => Array.from({ length: count }, (_, i) => `${key}:${i + 1}`))
    .toSorted()
