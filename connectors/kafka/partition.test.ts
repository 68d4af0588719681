import { describe, expect, it } from '@jest/globals'
import type { Producer } from 'kafkajs'
import { loadConfig } from '../../runtime/config.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { type Kafka, kafkaConfig } from './client.ts'
import { createPartition, type FetchedBatch } from './partition.ts'
import type { InputRecord, Stage } from './stage.ts'

const protocolError = (type: string) =>
  Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type, retriable: false })

/** A broker of one input partition, as far as transactions and offsets go. */
const createBroker = () => {
  const broker = {
    epoch: 0,
    committed: undefined as number | undefined,
    range: { low: 0, high: 1_000 },
    changelog: { low: 0, high: 0 },
    output: [] as string[],
    opened: 0,
    closed: 0,
    /** Called before each step of a transaction; throws what the step is to fail with. */
    interfere: (_step: 'send' | 'offsets' | 'commit' | 'answer'): void => undefined,
  }
  const producer = () => {
    let epoch = 0
    const check = () => {
      if (epoch !== broker.epoch) throw protocolError('INVALID_PRODUCER_EPOCH')
    }
    return {
      connect: async () => undefined,
      disconnect: async () => {
        broker.closed++
      },
      transaction: async () => {
        if (epoch === 0) {
          broker.opened++
          epoch = ++broker.epoch
        }
        const held: string[] = []
        let next: number | undefined
        return {
          abort: async () => undefined,
          sendBatch: async ({ topicMessages }: { topicMessages: { messages: { value: Buffer }[] }[] }) => {
            broker.interfere('send')
            check()
            for (const { messages } of topicMessages) held.push(...messages.map(each => String(each.value)))
          },
          sendOffsets: async ({ topics }: { topics: { partitions: { offset: string }[] }[] }) => {
            broker.interfere('offsets')
            check()
            next = Number(topics[0]?.partitions[0]?.offset)
          },
          commit: async () => {
            broker.interfere('commit')
            check()
            broker.output.push(...held)
            broker.committed = next
            broker.interfere('answer')
          },
        }
      },
    } as unknown as Producer
  }
  return { broker, producer }
}

const { kafka: config } = loadConfig({ kafka: kafkaConfig }, {})

const records = (from: number, count: number): InputRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    topic: 'in',
    partition: 0,
    offset: from + i,
    timestamp: 0,
    key: null,
    value: Buffer.from(String(from + i)),
    headers: {},
  }))

const batch = (from: number, count: number): FetchedBatch => ({
  records: records(from, count),
  fetched: from,
  next: from + count,
})

/** A partition of a stage that copies values and keeps their number, with all that it deals with. */
const setUp = ({ changelog = false } = {}) => {
  const { broker, producer } = createBroker()
  const flow: string[] = []
  const fatal: SentinelError[] = []
  let tasks = 0
  let started = Promise.withResolvers<void>()
  let during: () => Promise<void> = async () => undefined
  const stage: Stage = {
    name: 's',
    group: 'g',
    input: 'in',
    ...(changelog ? { changelog: 'log' } : {}),
    createTask: () => {
      tasks++
      return {
        restore: async () => undefined,
        process: async some => {
          await during()
          return {
            outputs: some.map(({ value, timestamp }) => ({ topic: 'out', key: null, value, timestamp })),
            changes: [],
            committed: () => undefined,
          }
        },
      }
    },
  }
  const kafka = { config, producer } as unknown as Kafka
  const partition = createPartition({
    kafka,
    stage,
    partition: 0,
    positions: {
      committed: async () => broker.committed,
      range: async topic => (topic === 'in' ? broker.range : broker.changelog),
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
    log: silentLog(),
    metrics: createMetrics(),
    fatal: error => void fatal.push(error),
  })
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
  }
}

describe('a partition that is owned', () => {
  it('fences first, reads the committed offset after that, and goes on there', async () => {
    const { broker, flow, partition, take } = setUp()
    broker.committed = 7
    await take()
    expect(flow).toEqual(['start in 7'])
    expect(broker.epoch).toBe(1)
    await expect(partition.accept(batch(7, 2))).resolves.toBe(true)
    expect([broker.output, broker.committed]).toEqual([['7', '8'], 9])
    await partition.close()
    expect(broker.closed).toBe(broker.opened)
  })

  it('takes no batch before it is taken, after it is released, and while it is taken anew', async () => {
    const { broker, partition, take } = setUp()
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    await take()
    partition.release()
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    expect(broker.output).toEqual([])
  })

  it('refuses a batch at once while its changelog is read, or no fetch could bring the changelog', async () => {
    const { broker, flow, partition, take, nextStart } = setUp({ changelog: true })
    broker.changelog = { low: 0, high: 3 }
    broker.committed = 0
    await take()
    expect(flow).toEqual(['start log 0'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    const resumed = nextStart()
    await partition.restored(records(0, 1), 1)
    await partition.restored([], 3)
    await resumed
    expect(flow).toEqual(['start log 0', 'pause log', 'start in 0'])
    await expect(partition.accept(batch(0, 1))).resolves.toBe(true)
  })

  it.each(['send', 'offsets', 'commit'] as const)(
    'throws the producer away when %s fails, and takes the partition anew',
    async step => {
      const { broker, partition, take, nextStart, tasks, flow } = setUp()
      await take()
      let failing = true
      broker.interfere = at => {
        if (failing && at === step) throw protocolError('INVALID_TXN_STATE')
      }
      const again = nextStart()
      await expect(partition.accept(batch(0, 3))).resolves.toBe(false)
      failing = false
      await again
      expect(flow).toEqual(['start in 0', 'pause in', 'start in 0'])
      expect(broker.opened).toBe(2)
      await expect(partition.accept(batch(0, 3))).resolves.toBe(true)
      expect(broker.output).toEqual(['0', '1', '2'])
      // The committed offset was where the state in memory stood.
      expect(tasks()).toBe(1)
    },
  )

  it('finds out that a commit was taken though its answer was lost, and makes its state anew', async () => {
    const { broker, partition, take, nextStart, tasks, flow } = setUp()
    await take()
    let failing = true
    broker.interfere = at => {
      if (failing && at === 'answer') throw protocolError('INVALID_TXN_STATE')
    }
    const again = nextStart()
    await expect(partition.accept(batch(0, 3))).resolves.toBe(false)
    failing = false
    await again
    expect(flow.at(-1)).toBe('start in 3')
    expect(tasks()).toBe(2)
    expect(broker.output).toEqual(['0', '1', '2'])
  })

  it('cannot commit a batch that was begun before the partition was taken anew', async () => {
    const { broker, partition, take, nextStart, onProcess } = setUp()
    await take()
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    onProcess(async () => {
      reached.resolve()
      await gate.promise
    })
    const late = partition.accept(batch(0, 2))
    await reached.promise
    const again = nextStart()
    partition.take()
    while (broker.opened < 2) await new Promise(resolve => setImmediate(resolve))
    gate.resolve()
    await expect(late).resolves.toBe(false)
    await again
    expect(broker.output).toEqual([])
    await expect(partition.accept(batch(0, 2))).resolves.toBe(true)
    expect(broker.output).toEqual(['0', '1'])
  })

  it('ends the service when another offset was fetched than the next one', async () => {
    const { broker, fatal, partition, take } = setUp()
    await take()
    await partition.accept(batch(0, 2))
    await expect(partition.accept(batch(5, 2))).resolves.toBe(false)
    expect(fatal.map(error => error.code)).toEqual(['NS_OFFSET_LOST'])
    expect(fatal[0]?.message).toContain('offset 5 was fetched where 2 is next')
    expect(broker.output).toEqual(['0', '1'])
  })

  it('goes on behind offsets with nothing to read, and commits them', async () => {
    const { broker, fatal, partition, take } = setUp()
    await take()
    await partition.accept(batch(0, 2))
    partition.skip(9)
    await expect(partition.accept(batch(9, 1))).resolves.toBe(true)
    expect(fatal).toEqual([])
    partition.skip(15)
    while (broker.committed !== 15) await new Promise(resolve => setImmediate(resolve))
    expect(broker.output).toEqual(['0', '1', '9'])
  })

  it('ends the service with a fatal error of the stage, and with a lost range', async () => {
    const { broker, fatal, partition, take, onProcess } = setUp()
    await take()
    onProcess(() => Promise.reject(new SentinelError('NS_SCORING_FAILED', 'no')))
    await expect(partition.accept(batch(0, 1))).resolves.toBe(false)
    expect(fatal.map(error => error.code)).toEqual(['NS_SCORING_FAILED'])
    broker.committed = 3
    broker.range = { low: 8, high: 10 }
    partition.take()
    while (fatal.length < 2) await new Promise(resolve => setImmediate(resolve))
    expect(fatal[1]?.message).toContain('5 offsets (3 to 7)')
  })

  it('says what keeps it from going on, and tries again', async () => {
    const { broker, partition, take, nextStart, onProcess } = setUp()
    await take()
    onProcess(() => Promise.reject(new SentinelError('NS_SCHEMA_UNKNOWN', 'the registry is away')))
    const again = nextStart()
    await partition.accept(batch(0, 1))
    expect(partition.trouble()).toBe('the registry is away')
    await again
    onProcess(async () => undefined)
    await expect(partition.accept(batch(0, 1))).resolves.toBe(true)
    expect(partition.trouble()).toBeUndefined()
    expect(broker.output).toEqual(['0'])
  })
})
