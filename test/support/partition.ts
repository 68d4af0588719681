import type { Producer } from 'kafkajs'
import { type Kafka, kafkaConfig } from '../../connectors/kafka/client.ts'
import { createPartition, type FetchedBatch } from '../../connectors/kafka/partition.ts'
import type { BatchResult, InputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { createTransactions } from '../../connectors/kafka/transactions.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'

export const protocolError = (type: string) =>
  Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type, retriable: false })

interface Offsets {
  readonly topics: readonly { topic: string; partitions: readonly { offset: string }[] }[]
}

/** A broker of one partition number of the topics `in`, `side` and `log`, as far as transactions and offsets go. */
const createBroker = () => {
  const broker = {
    epoch: 0,
    committed: new Map<string, number>(),
    ranges: new Map([
      ['in', { low: 0, high: 1_000 }],
      ['side', { low: 0, high: 0 }],
      ['log', { low: 0, high: 0 }],
    ]),
    output: [] as string[],
    opened: 0,
    closed: 0,
    /** Each ends the connection of a producer to its coordinator. */
    loseConnections: [] as (() => void)[],
    /** Called before each step of a transaction; throws what the step is to fail with. */
    interfere: (_step: 'send' | 'offsets' | 'commit' | 'answer'): void => undefined,
  }
  const producer = () => {
    let epoch = 0
    const lost = Promise.withResolvers<void>()
    broker.loseConnections.push(lost.resolve)
    const check = () => {
      if (epoch !== broker.epoch) throw protocolError('INVALID_PRODUCER_EPOCH')
    }
    return {
      connect: async () => undefined,
      disconnect: async () => {
        if (epoch > 0) broker.closed++
      },
      lastTransaction: async () => null,
      lost: () => lost.promise,
      transaction: async () => {
        if (epoch === 0) {
          broker.opened++
          epoch = ++broker.epoch
        }
        const held: string[] = []
        const nexts = new Map<string, number>()
        return {
          abort: async () => undefined,
          sendBatch: async ({ topicMessages }: { topicMessages: { messages: { value: Buffer }[] }[] }) => {
            broker.interfere('send')
            check()
            for (const { messages } of topicMessages) held.push(...messages.map(each => String(each.value)))
          },
          sendOffsets: async ({ topics }: Offsets) => {
            broker.interfere('offsets')
            check()
            for (const { topic, partitions } of topics) nexts.set(topic, Number(partitions[0]?.offset))
          },
          commit: async () => {
            broker.interfere('commit')
            check()
            broker.output.push(...held)
            for (const [topic, next] of nexts) broker.committed.set(topic, next)
            broker.interfere('answer')
          },
        }
      },
    } as unknown as Producer
  }
  return { broker, producer }
}

const { kafka: config } = loadConfig({ kafka: kafkaConfig }, {})

/** So many records whose values are their offsets. */
export const records = (from: number, count: number, topic = 'in'): InputRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    topic,
    partition: 0,
    offset: from + i,
    timestamp: 0,
    key: null,
    value: Buffer.from(String(from + i)),
    headers: {},
  }))

/** A batch of them. */
export const batch = (from: number, count: number, topic = 'in'): FetchedBatch => ({
  topic,
  records: records(from, count, topic),
  fetched: from,
  next: from + count,
  end: from + count,
})

const copyOf = ({ value, timestamp }: InputRecord) => ({ key: null, value, timestamp })

/**
 * A partition of a stage that copies values of `in`, and with `side` also those of `side`, with all that it deals with:
 * a broker in memory, and what it says to the consumer.
 */
export const setUpPartition = ({ changelog = false, side = false } = {}) => {
  const { broker, producer } = createBroker()
  const flow: string[] = []
  const fatal: SentinelError[] = []
  let tasks = 0
  let started = Promise.withResolvers<void>()
  let during: () => Promise<void> = async () => undefined
  let changed: (result: BatchResult) => Partial<BatchResult> = () => ({})
  const metrics = createMetrics()
  const stage: Stage = {
    name: 's',
    group: 'g',
    input: 'in',
    outputs: [{ topic: 'out' }],
    ...(changelog ? { changelog: 'log' } : {}),
    ...(side ? { sideInputs: ['side'] } : {}),
    createTask: () => {
      tasks++
      return {
        restore: async () => undefined,
        process: async some => {
          await during()
          const result: BatchResult = {
            outputs: some.map(record => ({ topic: 'out', ...copyOf(record), cause: record })),
            changes: [],
            committed: () => undefined,
          }
          return { ...result, ...changed(result) }
        },
      }
    },
  }
  const kafka = { config, producer } as unknown as Kafka
  const log = silentLog()
  const transactions = createTransactions({ kafka, stage, log, metrics })
  const owned = createPartition({
    transactions,
    maxRecordBytes: config.maxRecordBytes,
    stage,
    partition: 0,
    positions: {
      committed: async (_, topic) => broker.committed.get(topic),
      range: async topic => broker.ranges.get(topic) ?? { low: 0, high: 0 },
      lag: async () => new Map(),
      close: async () => undefined,
    },
    flow: {
      pause: topic => void flow.push(`pause ${topic}`),
      start: (topic, _, offset) => {
        flow.push(`start ${topic} ${offset}`)
        started.resolve()
        started = Promise.withResolvers()
      },
    },
    log,
    metrics,
    fatal: error => void fatal.push(error),
  })
  let generationId = 0
  const partition = {
    ...owned,
    /** As on an assignment. */
    take: () => {
      transactions.assign({ member: { memberId: 'm', generationId: ++generationId }, partitions: [0] })
      owned.take()
    },
    close: async () => {
      await owned.close()
      await transactions.close()
    },
  }
  /** Resolves when the partition, or its changelog, is read on. */
  const nextStart = () => started.promise
  const take = async () => {
    const start = nextStart()
    partition.take()
    await start
  }
  return {
    broker,
    flow,
    fatal,
    partition,
    take,
    nextStart,
    tasks: () => tasks,
    onProcess: (work: () => Promise<void>) => {
      during = work
    },
    /** Changes what a batch comes to. */
    result: (change: (result: BatchResult) => Partial<BatchResult>) => {
      changed = change
    },
    /** The lines of the metrics that begin with a name. */
    lines: async (name: string) =>
      (await metrics.registry.metrics()).split('\n').filter(line => line.startsWith(name)),
  }
}
