import { describe, expect, it } from '@jest/globals'
import type { Producer } from 'kafkajs'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { protocolError } from '../../test/support/partition.ts'
import { type Kafka, kafkaConfig } from './client.ts'
import type { Stage } from './stage.ts'
import { type Contribution, createTransactions } from './transactions.ts'

interface Sent {
  readonly id: string
  readonly values: string[]
  readonly offsets: number[]
  member?: string
}

const { kafka: config } = loadConfig({ kafka: kafkaConfig }, {})

/** The transactions of a member, and a broker that keeps what was committed and which ids were initialised. */
const setUp = () => {
  const [initialised, committed, open]: [string[], Sent[], Set<string>] = [[], [], new Set()]
  let fail: string | undefined
  const producer = ({ transactionalId: id }: { transactionalId: string }) => {
    let fresh = true
    return {
      connect: async () => void open.add(id),
      disconnect: async () => void open.delete(id),
      lastTransaction: async () => null,
      lost: () => new Promise<void>(() => undefined),
      transaction: async () => {
        if (fresh) initialised.push(id)
        fresh = false
        const sent: Sent = { id, values: [], offsets: [] }
        return {
          abort: async () => undefined,
          sendBatch: async ({ topicMessages }: { topicMessages: { messages: { value: Buffer }[] }[] }) => {
            for (const { messages } of topicMessages)
              sent.values.push(...messages.map(each => `${each.value}`))
          },
          sendOffsets: async (what: {
            generationId: number
            memberId: string
            topics: { partitions: { partition: number }[] }[]
          }) => {
            sent.member = `${what.memberId} ${what.generationId}`
            sent.offsets.push(...what.topics.flatMap(each => each.partitions.map(one => one.partition)))
          },
          commit: async () => {
            if (fail !== undefined) throw protocolError(fail)
            committed.push(sent)
          },
        }
      },
    } as unknown as Producer
  }
  const stage: Stage = {
    name: 's',
    group: 'g',
    input: 'in',
    outputs: [{ topic: 'out' }],
    createTask: () => ({
      restore: async () => undefined,
      process: () => Promise.reject(new Error('unused')),
    }),
  }
  const transactions = createTransactions({
    kafka: { config, producer } as unknown as Kafka,
    stage,
    log: silentLog(),
    metrics: createMetrics(),
  })
  return {
    ...{ transactions, initialised, committed, open },
    assign: (generationId: number, ...partitions: number[]) =>
      transactions.assign({ member: { memberId: 'm', generationId }, partitions }),
    failWith: (type?: string) => {
      fail = type
    },
  }
}

const contribution = (partition: number): Contribution => ({
  records: [{ topic: 'out', key: null, value: Buffer.from(`of ${partition}`), timestamp: 0 }],
  offsets: [{ topic: 'in', partition, next: 1 }],
})

describe('the transactions of a member', () => {
  it('initialises the ids of all its partitions, keeps the lowest, and commits as this member', async () => {
    const { transactions, initialised, committed, open, assign } = setUp()
    assign(4, 2, 0, 1)
    const session = await transactions.session()
    await session.begin().commit(contribution(2))
    expect(initialised.toSorted()).toEqual(['g-in-0', 'g-in-1', 'g-in-2'])
    expect(committed).toEqual([{ id: 'g-in-0', values: ['of 2'], offsets: [2], member: 'm 4' }])
    expect([...open]).toEqual(['g-in-0'])
    await transactions.close()
    expect(open.size).toBe(0)
  })

  it('commits batches that are under way at the same time together, and without those that have failed', async () => {
    const { transactions, committed, assign } = setUp()
    assign(1, 0, 1, 2)
    const session = await transactions.session()
    const [first, second, third] = [session.begin(), session.begin(), session.begin()]
    const done = [first.commit(contribution(0)), second.commit(contribution(1))]
    third.drop()
    await Promise.all(done)
    expect(committed.map(({ offsets }) => offsets)).toEqual([[0, 1]])
  })

  it('does not wait for ever for a batch that is under way', async () => {
    const { transactions, committed, assign } = setUp()
    assign(1, 0, 1)
    const session = await transactions.session()
    session.begin()
    await session.begin().commit(contribution(1))
    expect(committed).toHaveLength(1)
  })

  it('fails all that shared a transaction, ends the session, and opens the next with one id', async () => {
    const { transactions, initialised, committed, assign, failWith } = setUp()
    assign(1, 0, 1)
    const session = await transactions.session()
    const [first, second, late] = [session.begin(), session.begin(), session.begin()]
    failWith('INVALID_PRODUCER_EPOCH')
    const done = Promise.allSettled([first.commit(contribution(0)), second.commit(contribution(1))])
    late.drop()
    const reason = { reason: { type: 'INVALID_PRODUCER_EPOCH' } }
    expect(await done).toMatchObject([reason, reason])
    await expect(session.ended).resolves.toMatchObject(reason.reason)
    await expect(session.begin().commit(contribution(0))).rejects.toMatchObject(reason.reason)
    failWith()
    initialised.length = 0
    const next = await transactions.session()
    await next.begin().commit(contribution(0))
    expect(initialised).toEqual(['g-in-0'])
    expect(committed).toHaveLength(1)
  })

  it('commits nothing of a session that an assignment has ended', async () => {
    const { transactions, committed, assign } = setUp()
    assign(1, 0, 1)
    const turn = (await transactions.session()).begin()
    assign(2, 1)
    await (await transactions.session()).begin().commit(contribution(1))
    await expect(turn.commit(contribution(0))).rejects.toMatchObject({ code: 'NS_TRANSACTION_FAILED' })
    expect(committed).toEqual([{ id: 'g-in-1', values: ['of 1'], offsets: [1], member: 'm 2' }])
    transactions.end()
    await expect(transactions.session()).rejects.toMatchObject({ code: 'NS_TRANSACTION_FAILED' })
  })
})
