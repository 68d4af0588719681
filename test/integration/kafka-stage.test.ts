import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { withAdmin } from '../../connectors/kafka/admin.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import type { InputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { openProducer } from '../../connectors/kafka/transaction.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { type CountingTopics, countingStage, expectedCounts } from '../support/counting.ts'
import { kcat } from '../support/kcat.ts'
import { startProxy } from '../support/proxy.ts'
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

/** So many records of each of `keys` keys. */
const load = (keys: number, count: number, prefix = 'k'): Record<string, number> =>
  Object.fromEntries(Array.from({ length: keys }, (_, i) => [`${prefix}${i}`, count]))

/** Per partition, a counting stage's outputs must be in order for each key. */
const expectInOrder = (records: readonly InputRecord[]) => {
  const last = new Map<string, number>()
  for (const { value } of records) {
    const [key = '', count = ''] = String(value).split(':')
    expect(Number(count)).toBe((last.get(key) ?? 0) + 1)
    last.set(key, Number(count))
  }
}

const outputs = async ({ output }: CountingTopics) => {
  const records = await readAll(testKafka(), output)
  expectInOrder(records)
  return records.map(({ value }) => String(value)).toSorted()
}

describe('a stage', () => {
  it('goes on where it was, with its state read back, when it starts again', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka)
    const first = await run(kafka, countingStage(topics))
    await produce(topics.input, load(10, 30))
    await drained(topics.group, topics.input)
    await first.service.close()
    expect(await first.restores()).toBe(0)
    await produce(topics.input, load(10, 20))
    const second = await run(kafka, countingStage(topics))
    await drained(topics.group, topics.input)
    expect(await second.restores()).toBe(2)
    expect(await outputs(topics)).toEqual(expectedCounts(load(10, 50)))
  })

  it('reads its state back over an aborted tail, tombstones and a partition that is empty', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 2)
    const stage = countingStage(topics)
    const first = await run(kafka, stage)
    // Murmur2 puts both of these keys into one of the two partitions, so that the other stays empty.
    await produce(topics.input, { a: 5, c: 5 })
    await drained(topics.group, topics.input)
    await first.service.close()
    const used = (await readAll(kafka, topics.changelog)).map(record => record.partition)
    expect(new Set(used).size).toBe(1)
    const [partition = 0] = used
    const writer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => writer.disconnect())
    const tombstone = await writer.transaction()
    await tombstone.send({ topic: topics.changelog, messages: [{ key: 'c', value: null, partition }] })
    await tombstone.commit()
    const aborted = await writer.transaction()
    for (let i = 0; i < 3; i++) {
      await aborted.send({ topic: topics.changelog, messages: [{ key: 'a', value: '99', partition }] })
    }
    await aborted.abort()
    await run(kafka, stage)
    await produce(topics.input, { a: 1, c: 1 })
    await drained(topics.group, topics.input)
    const values = await readValues(kafka, topics.output)
    expect(values.slice(-2).toSorted()).toEqual(['a:6', 'c:1'])
  })

  it('keeps the state in memory of partitions that an assignment leaves to it', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 2)
    const first = await run(kafka, countingStage(topics))
    await produce(topics.input, load(10, 5))
    await drained(topics.group, topics.input)
    // Of two partitions a second member gets one, and gives it back when it leaves.
    const second = await run(kafka, countingStage(topics))
    await produce(topics.input, load(10, 5))
    await drained(topics.group, topics.input)
    expect([await first.restores(), await second.restores()]).toEqual([0, 1])
    await second.service.close()
    await produce(topics.input, load(10, 5))
    await drained(topics.group, topics.input)
    expect([await first.restores(), await second.restores()]).toEqual([1, 1])
    expect(await outputs(topics)).toEqual(expectedCounts(load(10, 15)))
  })

  it('loses and doubles nothing while members join and leave under load', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 4)
    const rounds = 12
    const first = await run(kafka, countingStage(topics))
    const members = [first]
    for (let round = 0; round < rounds; round++) {
      await produce(topics.input, load(20, 25))
      if (round === 2 || round === 4) members.push(await run(kafka, countingStage(topics)))
      if (round === 6) await members.shift()?.service.close()
      if (round === 8) members.push(await run(kafka, countingStage(topics)))
      if (round === 10) await members.shift()?.service.close()
    }
    await drained(topics.group, topics.input)
    expect(await outputs(topics)).toEqual(expectedCounts(load(20, 25 * rounds)))
  })

  it('hands over at once when it closes', async () => {
    const kafka = testKafka({ KAFKA_SESSION_TIMEOUT_MS: '30000' })
    const topics = await makeCountingTopics(kafka)
    const first = await run(kafka, countingStage(topics))
    await produce(topics.input, load(5, 5))
    await drained(topics.group, topics.input)
    await first.service.close()
    const started = performance.now()
    await run(kafka, countingStage(topics))
    await produce(topics.input, load(5, 5))
    await drained(topics.group, topics.input)
    // A member that had not left would keep its partitions for 30 s.
    expect(performance.now() - started).toBeLessThan(15_000)
    expect(await outputs(topics)).toEqual(expectedCounts(load(5, 10)))
  })

  it('commits the batch in hand before it closes, and takes no other', async () => {
    const topics = await makeCountingTopics(testKafka(), 1)
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let batches = 0
    const before = () => {
      batches++
      reached.resolve()
      return gate.promise
    }
    const { service } = await run(testKafka(), countingStage(topics, { before }))
    await produce(topics.input, { a: 5 })
    await reached.promise
    await produce(topics.input, { b: 5 })
    const closed = service.close()
    gate.resolve()
    await closed
    const done = await outputs(topics)
    expect(done).toContain('a:1')
    expect(batches).toBe(1)
    await run(testKafka(), countingStage(topics))
    await drained(topics.group, topics.input)
    expect(await outputs(topics)).toEqual(expectedCounts({ a: 5, b: 5 }))
  })

  it('closes in the middle of reading its state back, which is then as it was', async () => {
    const topics = await makeCountingTopics(testKafka(), 1)
    const stage = countingStage(topics)
    const first = await run(testKafka(), stage)
    await produce(topics.input, { a: 5 })
    await drained(topics.group, topics.input)
    await first.service.close()
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow: Stage = {
      ...stage,
      createTask: partition => ({
        ...stage.createTask(partition),
        restore: () => {
          reached.resolve()
          return gate.promise
        },
      }),
    }
    const second = await run(testKafka(), slow)
    await reached.promise
    await produce(topics.input, { a: 5 })
    const closed = second.service.close()
    gate.resolve()
    await closed
    await run(testKafka(), stage)
    await drained(topics.group, topics.input)
    expect(await outputs(topics)).toEqual(expectedCounts({ a: 10 }))
  })

  it('that was thought dead can write nothing any more, and takes its place again', async () => {
    const [broker = ''] = services().kafkaBrokers
    const proxy = await startProxy(broker)
    cleanUp(() => proxy.close())
    const env = { KAFKA_SESSION_TIMEOUT_MS: '6000' }
    const topics = await makeCountingTopics(testKafka(), 2)
    let held = false
    const hold = Promise.withResolvers<void>()
    const before = async () => {
      if (!held) return
      proxy.freeze()
      await hold.promise
    }
    const zombie = await run(testKafka(env, proxy), countingStage(topics, { before }))
    await produce(topics.input, load(10, 10))
    await drained(topics.group, topics.input)
    held = true
    await produce(topics.input, load(10, 10))
    const heir = await run(testKafka(env), countingStage(topics))
    await drained(topics.group, topics.input)
    held = false
    hold.resolve()
    proxy.heal()
    await until(async () => (await zombie.transactions('fenced')) > 0, {
      what: 'the fence',
      timeoutMs: 45_000,
    })
    await produce(topics.input, load(10, 10))
    await drained(topics.group, topics.input)
    await heir.service.close()
    await produce(topics.input, load(10, 10))
    await drained(topics.group, topics.input)
    expect(await outputs(topics)).toEqual(expectedCounts(load(10, 40)))
  }, 120_000)

  it('killed in the middle, again and again, loses and doubles nothing', async () => {
    const topics = await makeCountingTopics(testKafka(), 2)
    const brokers = services().kafkaBrokers.join(',')
    const script = resolve(import.meta.dirname, '../support/counting-process.ts')
    let sent = 0
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [script, brokers, JSON.stringify(topics)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const exited = once(child, 'exit')
      await once(child.stdout, 'data')
      const before = (await readAll(testKafka(), topics.output)).length
      await produce(topics.input, load(50, 200))
      sent += 200
      const more = async () => (await readAll(testKafka(), topics.output)).length > before
      await until(more, { what: 'some output', timeoutMs: 45_000 })
      child.kill('SIGKILL')
      await exited
    }
    await run(testKafka(), countingStage(topics))
    await drained(topics.group, topics.input)
    expect(await outputs(topics)).toEqual(expectedCounts(load(50, sent)))
  }, 180_000)

  it('rides out errors that are transient, and ends with one that is not', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 1)
    let failures = 2
    const before = async (records: readonly InputRecord[]) => {
      if (records.some(record => String(record.key) === 'bad')) {
        throw new SentinelError('NS_SCORING_FAILED', 'no such row')
      }
      if (failures-- > 0) throw new SentinelError('NS_SCHEMA_UNKNOWN', 'the registry is away')
    }
    const stage = await run(kafka, countingStage(topics, { before }))
    await produce(topics.input, { a: 5 })
    await drained(topics.group, topics.input)
    expect(await stage.transactions('failed')).toBe(2)
    expect(await outputs(topics)).toEqual(expectedCounts({ a: 5 }))
    await produce(topics.input, { bad: 1 })
    await expect(stage.service.failed).rejects.toMatchObject({ code: 'NS_SCORING_FAILED' })
    expect(await outputs(topics)).toEqual(expectedCounts({ a: 5 }))
  })

  it('refuses topics that are not there, and a changelog with another number of partitions', async () => {
    const kafka = testKafka()
    const topics = await makeCountingTopics(kafka, 1)
    await expect(run(kafka, countingStage({ ...topics, input: unique('none') }))).rejects.toMatchObject({
      code: 'NS_TOPIC_MISSING',
    })
    const wide = await makeTopic(kafka, 'wide', { partitions: 2 })
    await expect(run(kafka, countingStage({ ...topics, changelog: wide }))).rejects.toMatchObject({
      code: 'NS_TOPIC_MISMATCH',
    })
  })
})

describe('records', () => {
  const copyStage = (input: string, output: string): Stage => ({
    name: 'copy',
    group: unique('copy'),
    input,
    outputs: [{ topic: output }],
    createTask: () => ({
      restore: async () => undefined,
      process: async records => ({
        outputs: records.map(({ key, value, headers, timestamp }) => ({
          topic: output,
          partition: 0,
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

  it('come out as they went in: null and empty, repeated headers, old and future times', async () => {
    const kafka = testKafka()
    const config = { 'message.timestamp.after.max.ms': '9223372036854775807', 'retention.ms': '-1' }
    const [input, output] = [
      await makeTopic(kafka, 'in', { config }),
      await makeTopic(kafka, 'out', { config }),
    ]
    const stage = copyStage(input, output)
    await run(kafka, stage)
    const [past, future] = [Date.UTC(2018, 2, 24), Date.now() + 86_400_000]
    const headers = { one: Buffer.from('1'), many: [Buffer.from('a'), Buffer.from('b')] }
    const sent = [
      { key: null, value: null, timestamp: past },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), timestamp: future },
      { key: Buffer.from('k'), value: Buffer.from([0, 255]), timestamp: past, headers },
    ]
    const producer = await createBatchProducer({ kafka })
    await producer.send(input, sent)
    await producer.close()
    // What librdkafka writes: a header without a value, one that is empty, one with the name of a method.
    await kcat(['-P', '-t', input, '-k', 'x', '-H', 'empty=', '-H', 'constructor=c', '-H', 'nothing'], 'v')
    await drained(stage.group, input)
    const read = await readAll(kafka, output)
    const empty = Buffer.alloc(0)
    expect(
      read.map(({ key, value, timestamp, headers: h }) => ({ key, value, timestamp, headers: h })),
    ).toEqual([
      { ...sent[0], headers: {} },
      { ...sent[1], headers: {} },
      sent[2],
      {
        key: Buffer.from('x'),
        value: Buffer.from('v'),
        timestamp: expect.any(Number),
        headers: { empty, constructor: Buffer.from('c'), nothing: empty },
      },
    ])
  })

  it.each([
    ['a whole fetch', 1, 1, 3],
    ['an eighth of one', 1 / 8, 4, 8],
  ])(
    'of more than a batch’s size go out in several sends of one transaction: %s',
    async (_, share, least, most) => {
      const bytes = String(8 * 1_048_576)
      const kafka = testKafka({ KAFKA_MAX_BYTES_PER_PARTITION: bytes, KAFKA_MAX_FETCH_BYTES: bytes })
      const [input, output] = [await makeTopic(kafka, 'in'), await makeTopic(kafka, 'out')]
      const producer = await createBatchProducer({ kafka })
      const value = Buffer.alloc(10_000, 0x61)
      await producer.send(
        input,
        Array.from({ length: 500 }, () => ({ key: null, value })),
      )
      await producer.close()
      const stage = await run(kafka, { ...copyStage(input, output), fetchShare: share })
      await until(async () => (await readAll(kafka, output)).length === 500, { what: '500 records' })
      expect(await stage.transactions('failed')).toBe(0)
      const committed = await stage.transactions('committed')
      expect(committed).toBeGreaterThanOrEqual(least)
      expect(committed).toBeLessThanOrEqual(most)
    },
  )

  it('that were aborted behind the last one leave no lag', async () => {
    const kafka = testKafka()
    const [input, output] = [await makeTopic(kafka, 'in'), await makeTopic(kafka, 'out')]
    const stage = copyStage(input, output)
    await run(kafka, stage)
    await produce(input, { a: 1 })
    await drained(stage.group, input)
    const writer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => writer.disconnect())
    const aborted = await writer.transaction()
    await aborted.send({ topic: input, messages: [{ key: 'a', value: 'aborted' }] })
    await aborted.abort()
    await drained(stage.group, input)
    const [answer] = await withAdmin(kafka, 'test', admin =>
      admin.fetchOffsets({ groupId: stage.group, topics: [input] }),
    )
    expect(answer?.partitions[0]?.offset).toBe('3')
    await produce(input, { a: 1 })
    await drained(stage.group, input)
    expect(await readValues(kafka, output)).toEqual(['v', 'v'])
  })
})
