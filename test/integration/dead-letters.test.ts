import { describe, expect, it } from '@jest/globals'
import { deadLetter } from '../../connectors/dead-letters.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { openProducer } from '../../connectors/kafka/transaction.ts'
import { type FoundLetter, findDeadLetters } from '../../pipelines/dead-letters/read.ts'
import { type ReplayDeps, replayDeadLetters } from '../../pipelines/dead-letters/replay.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { unique } from '../support/services.ts'
import { cleanUp, makeTopic, readAll, testKafka } from '../support/stages.ts'

/** A topic of dead letters of `count` records of another topic, whose values are their numbers. */
const makeLetters = async (kafka: Kafka, count: number) => {
  const source = await makeTopic(kafka, 'events', { partitions: 3 })
  const topic = await makeTopic(kafka, 'dead-letters')
  const producer = await createBatchProducer({ kafka })
  cleanUp(() => producer.close())
  const letters = Array.from({ length: count }, (_, i) =>
    deadLetter({
      topic,
      stage: 'scoring',
      record: {
        topic: source,
        partition: i % 3,
        offset: i,
        timestamp: 1_700_000_000_000 + i,
        key: Buffer.from(`k${i}`),
        value: Buffer.from(String(i)),
        headers: { trace: Buffer.from(`t${i}`) },
      },
      error: new SentinelError('NS_UNDECODABLE', 'the value is not framed'),
    }),
  )
  await producer.send(topic, letters)
  return { source, topic, transactionalId: unique('replay') }
}

const replay = (
  kafka: Kafka,
  made: { readonly topic: string; readonly transactionalId: string },
  more: Partial<ReplayDeps> = {},
) =>
  replayDeadLetters({
    kafka,
    ...made,
    origins: [],
    selection: {},
    limit: Number.POSITIVE_INFINITY,
    again: false,
    dryRun: false,
    signal: new AbortController().signal,
    ...more,
  })

const found = async (kafka: Kafka, topic: string): Promise<FoundLetter[]> => {
  const all: FoundLetter[] = []
  await findDeadLetters({ kafka, topic, selection: {}, onLetters: letters => void all.push(...letters) })
  return all
}

const numbers = (records: readonly { readonly value: Buffer | null }[]) =>
  records.map(({ value }) => Number(String(value))).toSorted((a, b) => a - b)

describe('a replay', () => {
  it('writes each record to the partition it came from, with key, timestamp and headers, and marks its dead letter', async () => {
    const kafka = testKafka()
    const made = await makeLetters(kafka, 5)
    const { replayed, before } = await replay(kafka, made)
    expect([[...replayed.keys()], [...replayed.values()].flat().length, before]).toEqual([
      [made.source],
      5,
      0,
    ])
    const records = await readAll(kafka, made.source)
    expect(numbers(records)).toEqual([0, 1, 2, 3, 4])
    for (const { key, partition, timestamp, value, headers } of records) {
      const i = Number(String(value))
      expect([String(key), partition, timestamp]).toEqual([`k${i}`, i % 3, 1_700_000_000_000 + i])
      expect(headers).toEqual({ trace: Buffer.from(`t${i}`), 'ns-attempt': Buffer.from('1') })
    }
    expect((await found(kafka, made.topic)).map(each => each.replay?.into)).toEqual(
      Array(5).fill(made.source),
    )
  })

  it('passes over what was replayed before, unless told again, and stops at its limit', async () => {
    const kafka = testKafka()
    const made = await makeLetters(kafka, 5)
    await replay(kafka, made, { limit: 2 })
    expect(numbers(await readAll(kafka, made.source))).toEqual([0, 1])
    expect((await replay(kafka, made, { limit: 2 })).before).toBe(2)
    expect(numbers(await readAll(kafka, made.source))).toEqual([0, 1, 2, 3])
    await replay(kafka, made, { selection: { places: new Set(['0-0']) } })
    expect(numbers(await readAll(kafka, made.source))).toHaveLength(4)
    await replay(kafka, made, { selection: { places: new Set(['0-0']) }, again: true })
    expect(numbers(await readAll(kafka, made.source))).toEqual([0, 0, 1, 2, 3])
  })

  it('goes into another topic by key, and writes nothing when it is dry', async () => {
    const kafka = testKafka()
    const made = await makeLetters(kafka, 4)
    const into = await makeTopic(kafka, 'other', { partitions: 2 })
    const dry = await replay(kafka, made, { into, dryRun: true })
    expect(dry.replayed.get(into)).toHaveLength(4)
    expect(await readAll(kafka, into)).toEqual([])
    await replay(kafka, made, { into })
    expect(numbers(await readAll(kafka, into))).toEqual([0, 1, 2, 3])
    expect(await readAll(kafka, made.source)).toEqual([])
  })

  it('that another one has overtaken writes nothing more; together they write each record once', async () => {
    const kafka = testKafka()
    // Small fetches make many transactions.
    const slow = testKafka({ KAFKA_MAX_BYTES_PER_PARTITION: '1024' })
    const made = await makeLetters(kafka, 300)
    const outcomes = await Promise.allSettled([replay(slow, made), replay(slow, made), replay(slow, made)])
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'NS_TRANSACTION_FAILED' })
    }
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    await replay(kafka, made)
    expect(numbers(await readAll(kafka, made.source))).toEqual(Array.from({ length: 300 }, (_, i) => i))
  })

  it('that was killed in a transaction leaves nothing of it, and the next one does the rest', async () => {
    const kafka = testKafka()
    const made = await makeLetters(kafka, 3)
    await replay(kafka, made, { limit: 1 })
    // What a killed one leaves: records and marks in a transaction that nobody ends.
    const killed = await openProducer(kafka, made.transactionalId, { topics: [] })
    cleanUp(() => killed.disconnect())
    const open = await killed.transaction()
    await open.send({ topic: made.source, messages: [{ key: 'k1', value: '1', partition: 1 }] })
    await open.send({
      topic: made.topic,
      messages: [
        { value: null, headers: { 'ns-replayed': `${made.topic}-0-1`, 'ns-replayed-into': made.source } },
      ],
    })
    await replay(kafka, made)
    expect(numbers(await readAll(kafka, made.source))).toEqual([0, 1, 2])
  })

  it('refuses a partition that is not there any more, and says how far it came', async () => {
    const kafka = testKafka()
    const made = await makeLetters(kafka, 3)
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    const [letter] = await found(kafka, made.topic)
    const headers = { ...letter?.letter.record.headers, 'ns-partition': '7' }
    await producer.send(made.topic, [{ key: null, value: null, headers }])
    const failed = replay(kafka, made)
    await expect(failed).rejects.toMatchObject({ code: 'NS_TOPIC_MISMATCH' })
    await expect(failed).rejects.toThrow(/^\d dead letters were replayed, then: .*-0-3 came from/)
    await replay(kafka, made, { selection: { from: 1_700_000_000_000, to: 1_700_000_000_003 } })
    expect(numbers(await readAll(kafka, made.source))).toEqual([0, 1, 2])
  })
})
