import { afterEach } from '@jest/globals'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { createKafka, type Kafka, kafkaConfig } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import type { BatchResult, InputRecord, OutputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics, type Metrics } from '../../runtime/metrics.ts'
import type { BrokerProxy } from './proxy.ts'
import { services, unique } from './services.ts'

/** Access to the test's broker; `env` are KAFKA_ variables that differ from their defaults. */
export const testKafka = (env: Readonly<Record<string, string>> = {}, proxy?: BrokerProxy): Kafka => {
  const { kafka: config } = loadConfig(
    { kafka: kafkaConfig },
    { KAFKA_BROKERS: services().kafkaBrokers.join(','), ...env },
  )
  return createKafka({ config, log: silentLog(), ...(proxy && { socketFactory: proxy.socketFactory }) })
}

/** Creates a topic that no other test uses, and returns its name. */
export const makeTopic = async (
  kafka: Kafka,
  name: string,
  { partitions = 1, config = {} }: { partitions?: number; config?: Record<string, string> } = {},
): Promise<string> => {
  const full = unique(name)
  const rest = { key: '', writtenBy: '', readBy: '' }
  await ensureTopics(kafka, [{ name: full, partitions, replicationFactor: 1, config, ...rest }])
  return full
}

const cleanups: (() => Promise<unknown>)[] = []

/** Has something closed when the test ends, in reverse order. */
export const cleanUp = (close: () => Promise<unknown>): void => {
  cleanups.push(close)
}

afterEach(async () => {
  for (const close of cleanups.splice(0).reverse()) await close()
})

/** A stage that runs, with its metrics. */
export interface RunningStage {
  readonly service: Service
  readonly metrics: Metrics
  /** How many transactions of the stage ended so. */
  transactions(outcome: 'committed' | 'failed'): Promise<number>
  restores(): Promise<number>
}

/** A counter of prom-client, as far as it is read here. */
interface Counted {
  get(): Promise<{ values: readonly { value: number; labels: Partial<Record<string, string | number>> }[] }>
}

const total = async (metric: Counted, label: string, wanted?: string): Promise<number> => {
  const { values } = await metric.get()
  const some = values.filter(each => wanted === undefined || each.labels[label] === wanted)
  return some.reduce((sum, each) => sum + each.value, 0)
}

/** Runs a stage until the test ends. */
export const run = async (kafka: Kafka, stage: Stage): Promise<RunningStage> => {
  const metrics = createMetrics()
  const service = await runStage({ kafka, stage, log: silentLog(), metrics })
  cleanUp(() => service.close())
  return {
    service,
    metrics,
    transactions: outcome => total(metrics.transactions, 'outcome', outcome),
    restores: () => total(metrics.restores, 'stage'),
  }
}

/** Topics of a stage that counts, each with as many partitions. */
export interface CountingTopics {
  readonly group: string
  readonly input: string
  readonly output: string
  readonly changelog: string
}

/** Makes the topics of a counting stage. */
export const makeCountingTopics = async (kafka: Kafka, partitions = 2): Promise<CountingTopics> => ({
  group: unique('counting'),
  input: await makeTopic(kafka, 'in', { partitions }),
  output: await makeTopic(kafka, 'out', { partitions }),
  changelog: await makeTopic(kafka, 'state', { partitions, config: { 'cleanup.policy': 'compact' } }),
})

const keyOf = (record: InputRecord): string => record.key?.toString() ?? ''

/**
 * A stage whose output betrays every record lost, doubled or met with wrong state: for the n-th record of a key it writes
 * `key:n`, n being its state.
 */
export const countingStage = (
  topics: CountingTopics,
  hooks: { readonly before?: (records: readonly InputRecord[]) => Promise<void> } = {},
): Stage => ({
  name: 'counting',
  group: topics.group,
  input: topics.input,
  changelog: topics.changelog,
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
          const key = keyOf(record)
          const count = (changed.get(key) ?? counts.get(key) ?? 0) + 1
          changed.set(key, count)
          return {
            topic: topics.output,
            partition: record.partition,
            key,
            value: Buffer.from(`${key}:${count}`),
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
    }
  },
})

/** Every record of a topic up to its present end, committed ones only. */
export const readAll = async (kafka: Kafka, topic: string): Promise<InputRecord[]> => {
  const all: InputRecord[] = []
  await readTopic({ kafka, topic, onRecords: records => void all.push(...records) })
  return all
}

/** The values of a topic as text. */
export const readValues = async (kafka: Kafka, topic: string): Promise<string[]> =>
  (await readAll(kafka, topic)).map(record => String(record.value))

/** What a counting stage writes for so many records of each key, in the order of text. */
export const expectedCounts = (perKey: Readonly<Record<string, number>>): string[] =>
  Object.entries(perKey)
    .flatMap(([key, count]) => Array.from({ length: count }, (_, i) => `${key}:${i + 1}`))
    .toSorted()
