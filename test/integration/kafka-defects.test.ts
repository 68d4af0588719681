import { describe, expect, it } from '@jest/globals'
import { topicOffsets, withAdmin } from '../../connectors/kafka/admin.ts'
import { compressionType } from '../../connectors/kafka/codecs.ts'
import { createPositions } from '../../connectors/kafka/positions.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { planSends } from '../../connectors/kafka/records.ts'
import type { InputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { openProducer, runTransaction } from '../../connectors/kafka/transaction.ts'
import type { SentinelError } from '../../runtime/errors.ts'
import { countingStage, expectedCounts } from '../support/counting.ts'
import { kcat } from '../support/kcat.ts'
import { API, startProxy } from '../support/proxy.ts'
import { services, unique, until } from '../support/services.ts'
import {
  cleanUp,
  drained,
  makeCountingTopics,
  makeTopic,
  produce,
  readAll,
  readValues,
  run,
  testKafka,
} from '../support/stages.ts'

const compression = compressionType('none')

const proxyOf = async () => {
  const [broker = ''] = services().kafkaBrokers
  const proxy = await startProxy(broker)
  cleanUp(() => proxy.close())
  return proxy
}

/** The error that a service ends with. */
const failure = async (failed: Promise<never>): Promise<SentinelError> => {
  try {
    return await failed
  } catch (error) {
    return error as SentinelError
  }
}

/** A stage that copies values, or nothing at all. */
const copyStage = (input: string, output: string | undefined, group = unique('copy')): Stage => ({
  name: 'copy',
  group,
  input,
  outputs: output === undefined ? [] : [{ topic: output, everywhere: true }],
  createTask: () => ({
    restore: async () => undefined,
    process: async records => ({
      outputs:
        output === undefined
          ? []
          : records.map(({ key, value, headers, timestamp }) => ({
              topic: output,
              key,
              value,
              headers,
              timestamp,
            })),
      changes: [],
      committed: () => undefined,
    }),
  }),
})

describe('defect 1: records of aborted transactions', () => {
  it('are never read, wherever the fetch starts and in whatever order they ended', async () => {
    const kafka = testKafka()
    const topic = await makeTopic(kafka, 'aborted')
    const producers = await Promise.all(
      ['a', 'b', 'c'].map(() => openProducer(kafka, unique('tx'), { topics: [] })),
    )
    cleanUp(() => Promise.all(producers.map(each => each.disconnect())))
    const open = await Promise.all(producers.map(each => each.transaction()))
    const key = Buffer.from([0, 0, 0, 0])
    for (let round = 0; round < 3; round++) {
      for (const transaction of open) {
        await transaction.send({ topic, messages: [{ key, value: `aborted ${round}`, partition: 0 }] })
      }
    }
    // The one that began last ends first.
    for (const transaction of open.toReversed()) await transaction.abort()
    // An abort is answered before its marker is written.
    await until(async () => (await topicOffsets(kafka, topic))[0]?.high === 12)
    await produce(topic, { committed: 1 })
    const [{ high } = { high: 0 }] = await topicOffsets(kafka, topic)
    expect(high).toBe(13)
    for (let from = 0; from < high; from++) {
      const seen: string[] = []
      await readTopic({
        kafka,
        topic,
        from: new Map([[0, from]]),
        onRecords: records => void seen.push(...records.map(record => String(record.key))),
      })
      expect([from, seen]).toEqual([from, ['committed']])
    }
  })
})

describe('defects 2 and 3: a lost answer', () => {
  it('to a produce request loses nothing and doubles nothing', async () => {
    const proxy = await proxyOf()
    const kafka = testKafka({ KAFKA_REQUEST_TIMEOUT_MS: '500' }, proxy)
    const topics = await makeCountingTopics(kafka, 1)
    const stage = await run(kafka, countingStage(topics))
    await produce(topics.input, { a: 5 })
    await drained(topics.group, topics.input)
    proxy.fault(API.produce, 'drop')
    await produce(topics.input, { b: 5 })
    await until(async () => (await stage.transactions('failed')) > 0, {
      what: 'a failure',
      timeoutMs: 45_000,
    })
    // What comes next has the same number of records, as the sequence numbers that kafkajs takes back would have it.
    await produce(topics.input, { c: 5 })
    proxy.heal()
    await drained(topics.group, topics.input)
    expect(proxy.faults(API.produce)).toBeGreaterThan(0)
    expect((await readValues(testKafka(), topics.output)).toSorted()).toEqual(
      expectedCounts({ a: 5, b: 5, c: 5 }),
    )
  }, 120_000)

  it.each(['drop', 'cut'] as const)('to a commit (%s) loses nothing and doubles nothing', async fault => {
    const proxy = await proxyOf()
    const kafka = testKafka({ KAFKA_REQUEST_TIMEOUT_MS: '500' }, proxy)
    const topics = await makeCountingTopics(kafka, 1)
    const stage = await run(kafka, countingStage(topics))
    await produce(topics.input, { a: 5 })
    await drained(topics.group, topics.input)
    proxy.fault(API.endTxn, fault, 1)
    await produce(topics.input, { a: 5, b: 5 })
    await until(async () => (await stage.transactions('failed')) === 1, { what: 'a failure' })
    expect(proxy.faults(API.endTxn)).toBe(1)
    await produce(topics.input, { b: 5 })
    await drained(topics.group, topics.input)
    expect((await readValues(testKafka(), topics.output)).toSorted()).toEqual(
      expectedCounts({ a: 10, b: 10 }),
    )
    // The commit had been taken: the state in memory was behind it and had to be read back.
    expect(await stage.restores()).toBeGreaterThan(0)
  })
})

const content = (group: string, input: string, next: number) => ({
  group,
  offsets: [{ topic: input, partition: 0, next }],
  compression,
})

describe('defect 10: offsets of a transaction are not fenced by the group', () => {
  it('takes none of a member that the group does not have', async () => {
    const kafka = testKafka()
    const producer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => producer.disconnect())
    const input = await makeTopic(kafka, 'in')
    const member = { memberId: 'gone', generationId: 3 }
    const sent = runTransaction(producer, { ...content(unique('g'), input, 1), sends: [], member })
    await expect(sent).rejects.toMatchObject({
      type: expect.stringMatching(/^(ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID)$/),
    })
  })

  it('tells none that a transaction is about to change', async () => {
    const kafka = testKafka()
    const [input, group] = [await makeTopic(kafka, 'in'), unique('g')]
    const producer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => producer.disconnect())
    const transaction = await producer.transaction()
    const partitions = [{ partition: 0, offset: '7' }]
    await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: input, partitions }] })
    const fetched = withAdmin(kafka, 'test', admin =>
      admin.fetchOffsets({ groupId: group, topics: [input], requireStable: true }),
    )
    await expect(fetched).rejects.toThrow(/unstable offsets/)
    const positions = createPositions(kafka)
    cleanUp(() => positions.close())
    const committed = positions.committed(group, input, 0)
    const unwanted = new AbortController()
    const given = positions.committed(group, input, 0, unwanted.signal)
    unwanted.abort()
    await expect(given).rejects.toMatchObject({ name: 'AbortError' })
    await transaction.commit()
    await expect(committed).resolves.toBe(7)
  })
})

describe('defects 4, 5 and 12: transactions back to back', () => {
  it('with records do not each wait for kafkajs’ first retry of 300 ms', async () => {
    const kafka = testKafka()
    const [input, output] = [await makeTopic(kafka, 'in'), await makeTopic(kafka, 'out')]
    const producer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => producer.disconnect())
    const times: number[] = []
    for (let next = 1; next <= 21; next++) {
      const sends = planSends([{ topic: output, key: null, value: Buffer.from('v') }], 1_000)
      const started = performance.now()
      await runTransaction(producer, { ...content(unique('g'), input, next), sends })
      times.push(performance.now() - started)
    }
    // By default about half of them wait for 300 ms or more.
    expect(times.filter(ms => ms > 200).length).toBeLessThan(5)
  })

  it('without any record all commit', async () => {
    const kafka = testKafka()
    const input = await makeTopic(kafka, 'in')
    const group = unique('offsets-only')
    const producer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => producer.disconnect())
    for (let next = 1; next <= 30; next++)
      await runTransaction(producer, { ...content(group, input, next), sends: [] })
    const [answer] = await withAdmin(kafka, 'test', admin =>
      admin.fetchOffsets({ groupId: group, topics: [input] }),
    )
    expect(answer?.partitions[0]?.offset).toBe('30')
  })
})

describe('defect 6: compressed batches', () => {
  it('of all five codecs are read, as librdkafka writes them', async () => {
    const kafka = testKafka()
    const [input, output] = [await makeTopic(kafka, 'in'), await makeTopic(kafka, 'out')]
    const stage = copyStage(input, output)
    await run(kafka, stage)
    const expected: string[] = []
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const lines = Array.from({ length: 50 }, (_, i) => `${codec} ${i} ${'again and '.repeat(20)}`)
      await kcat(['-P', '-t', input, '-z', codec], lines.join('\n'))
      expected.push(...lines)
    }
    await drained(stage.group, input)
    expect(await readValues(kafka, output)).toEqual(expected)
  })

  it.each(['gzip', 'zstd'] as const)(
    'that inflate beyond the limit (%s) end a stage without dead letters, which says where',
    async codec => {
      const input = await makeTopic(testKafka(), 'in')
      const producer = await createBatchProducer({ kafka: testKafka(), compression: codec })
      await producer.send(input, [{ key: null, value: Buffer.alloc(900_000) }])
      await producer.close()
      const stage = await run(testKafka({ KAFKA_MAX_INFLATED_BYTES: '100000' }), copyStage(input, undefined))
      const error = await failure(stage.service.failed)
      expect(error.code).toBe('NS_DECOMPRESSION_LIMIT')
      expect(error.message).toContain(`${input}-0, offsets 0 to 0`)
      // The limit is one for the process: put back what the other tests expect.
      testKafka()
    },
  )
})

describe('defects 7 and 8: what kafkajs ends with or skips', () => {
  const lose = (topic: string, before: number) =>
    withAdmin(testKafka(), 'test', async admin => {
      // kafkajs deletes only in topics whose metadata it has loaded for another request.
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(before) }] })
    })
  const committed = async (group: string, topic: string) =>
    withAdmin(testKafka(), 'test', async admin => {
      const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      return answer?.partitions[0]?.offset
    })

  it('records deleted while the stage was down end it with their number, and the offset stays', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 1)
    const first = await run(kafka, countingStage(topics))
    await produce(topics.input, { a: 10 })
    await drained(topics.group, topics.input)
    await first.service.close()
    await produce(topics.input, { a: 10 })
    await lose(topics.input, 15)
    const second = await run(kafka, countingStage(topics))
    const error = await failure(second.service.failed)
    expect(error.code).toBe('NS_OFFSET_LOST')
    expect(error.message).toContain('5 offsets (10 to 14)')
    expect(await committed(topics.group, topics.input)).toBe('10')
    expect(await readValues(kafka, topics.output)).toHaveLength(10)
  })

  it('records deleted under a running stage end it too, and no default offset is committed', async () => {
    const kafka = testKafka({ KAFKA_MAX_BYTES_PER_PARTITION: '1024' })
    const topics = await makeCountingTopics(kafka, 1)
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const before = () => {
      reached.resolve()
      return gate.promise
    }
    const stage = await run(kafka, countingStage(topics, { before }))
    const producer = await createBatchProducer({ kafka })
    // One record a batch on the log, so that a fetch of 1 KiB brings one.
    for (let i = 0; i < 10; i++) await producer.send(topics.input, [{ key: 'a', value: Buffer.alloc(2_000) }])
    await producer.close()
    await reached.promise
    await lose(topics.input, 8)
    gate.resolve()
    const error = await failure(stage.service.failed)
    expect(error.code).toBe('NS_OFFSET_LOST')
    expect(error.message).toMatch(/\d offsets \(\d to 7\) were deleted/)
    const offset = Number(await committed(topics.group, topics.input))
    expect(offset).toBeLessThan(8)
    expect(await readValues(kafka, topics.output)).toHaveLength(Math.max(0, offset))
  })

  it('a group without offsets but with state ends the stage: its offsets have expired', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 1)
    const first = await run(kafka, countingStage(topics))
    await produce(topics.input, { a: 10 })
    await drained(topics.group, topics.input)
    await first.service.close()
    await withAdmin(kafka, 'test', admin => admin.deleteGroups([topics.group]))
    const second = await run(kafka, countingStage(topics))
    const error = await failure(second.service.failed)
    expect(error.code).toBe('NS_OFFSET_LOST')
    expect(error.message).toContain('no committed offset')
  })
})

describe('a record larger than the broker takes', () => {
  it('becomes what the stage makes of it, and the others go through', async () => {
    const kafka = testKafka({ KAFKA_MAX_RECORD_BYTES: '2000' })
    const [input, output] = [await makeTopic(kafka, 'in'), await makeTopic(kafka, 'out')]
    const stage: Stage = {
      ...copyStage(input, output),
      createTask: () => ({
        restore: async () => undefined,
        process: async (records: readonly InputRecord[]) => ({
          outputs: records.flatMap(record =>
            [1, 3].map(times => ({
              topic: output,
              key: null,
              value: Buffer.alloc(Number(record.value) * times, 0x61),
              timestamp: record.timestamp,
              cause: record,
            })),
          ),
          changes: [],
          committed: () => undefined,
        }),
      }),
      tooLarge: (record, error) => ({
        topic: output,
        key: null,
        value: Buffer.from(`${record.offset} ${error.code}`),
        timestamp: record.timestamp,
      }),
    }
    await run(kafka, stage)
    const producer = await createBatchProducer({ kafka })
    await producer.send(
      input,
      ['100', '700', '200'].map(value => ({ key: null, value: Buffer.from(value) })),
    )
    await producer.close()
    await drained(stage.group, input)
    const sizes = (await readAll(kafka, output)).map(({ value }) =>
      value?.[0] === 0x61 ? value.length : String(value),
    )
    expect(sizes).toEqual([100, 300, '1 NS_TOO_LARGE', 200, 600])
  })
})
