import { afterEach } from '@jest/globals'
import { ensureTopics, groupLag } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import type { InputRecord, Stage } from '../../connectors/kafka/stage.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics, type Metrics } from '../../runtime/metrics.ts'
import { type CountingTopics, kafkaOf } from './counting.ts'
import type { BrokerProxy } from './proxy.ts'
import { services, unique, until } from './services.ts'

/** Access to the test's broker; `env` are KAFKA_ variables that differ from their defaults. */
export const testKafka = (env: Readonly<Record<string, string>> = {}, proxy?: BrokerProxy): Kafka =>
  kafkaOf({ KAFKA_BROKERS: services().kafkaBrokers.join(','), ...env }, proxy)

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
  transactions(outcome: 'committed' | 'failed' | 'fenced'): Promise<number>
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

/** Makes the topics of a counting stage. */
export const makeCountingTopics = async (kafka: Kafka, partitions = 2): Promise<CountingTopics> => ({
  group: unique('counting'),
  input: await makeTopic(kafka, 'in', { partitions }),
  output: await makeTopic(kafka, 'out', { partitions }),
  changelog: await makeTopic(kafka, 'state', { partitions, config: { 'cleanup.policy': 'compact' } }),
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

/** Sends keyed records, so many of each key, keys in turn. */
export const produce = async (topic: string, perKey: Readonly<Record<string, number>>): Promise<void> => {
  const producer = await createBatchProducer({ kafka: testKafka() })
  const most = Math.max(...Object.values(perKey))
  const records = Array.from({ length: most }, (_, i) =>
    Object.entries(perKey).flatMap(([key, count]) => (i < count ? [{ key, value: Buffer.from('v') }] : [])),
  ).flat()
  try {
    await producer.send(topic, records)
  } finally {
    await producer.close()
  }
}

/** Waits until a group has read a topic to its end. */
export const drained = (group: string, topic: string, kafka: Kafka = testKafka()): Promise<unknown> =>
  until(async () => (await groupLag(kafka, group, topic)) === 0, {
    what: `${group} at the end of ${topic}`,
    timeoutMs: 45_000,
  })
