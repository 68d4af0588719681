import { describe, expect, it } from '@jest/globals'
import { checkKafka, ensureTopics, groupLag, topicOffsets, withAdmin } from '../../connectors/kafka/admin.ts'
import { type ConsumeOptions, consumeEach } from '../../connectors/kafka/consume.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { openProducer } from '../../connectors/kafka/transaction.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { unique, until } from '../support/services.ts'
import { cleanUp, drained, makeTopic, produce, readAll, testKafka } from '../support/stages.ts'

const topicOf = (name: string, partitions: number, config: Record<string, string> = {}) => ({
  name,
  partitions,
  replicationFactor: 1,
  config,
  key: '',
  writtenBy: '',
  readBy: '',
})

describe('ensureTopics', () => {
  it('creates what is missing and refuses another number of partitions', async () => {
    const kafka = testKafka()
    const topic = topicOf(unique('t'), 3, { 'cleanup.policy': 'compact' })
    expect(await ensureTopics(kafka, [topic])).toEqual({ created: [topic.name], differences: [] })
    expect(await ensureTopics(kafka, [topic])).toEqual({ created: [], differences: [] })
    expect(await topicOffsets(kafka, topic.name)).toHaveLength(3)
    const wider = { ...topic, partitions: 5 }
    await expect(ensureTopics(kafka, [wider])).rejects.toMatchObject({
      code: 'NS_TOPIC_MISMATCH',
      message: `${topic.name} has 3 partitions, the catalogue says 5`,
    })
  })

  it('reports settings that differ, changes them when told to, and leaves others alone', async () => {
    const kafka = testKafka()
    const name = unique('t')
    await ensureTopics(kafka, [topicOf(name, 1, { 'retention.ms': '1000000', 'segment.bytes': '2000000' })])
    const wanted = topicOf(name, 1, { 'retention.ms': '2000000' })
    const difference = { topic: name, setting: 'retention.ms', wanted: '2000000', actual: '1000000' }
    expect((await ensureTopics(kafka, [wanted])).differences).toEqual([difference])
    expect((await ensureTopics(kafka, [wanted], { apply: true })).differences).toEqual([difference])
    await until(async () => (await ensureTopics(kafka, [wanted])).differences.length === 0)
    const other = topicOf(name, 1, { 'segment.bytes': '2000000' })
    expect((await ensureTopics(kafka, [other])).differences).toEqual([])
  })
})

describe('checkKafka', () => {
  it('says nothing of a broker that answers, and what is wrong with one that does not', async () => {
    expect(await checkKafka(testKafka())).toBeUndefined()
    expect(await checkKafka(testKafka({ KAFKA_BROKERS: '127.0.0.1:1' }))).toMatch(/ECONNREFUSED|no answer/)
  })
})

describe('consumeEach', () => {
  const start = async (options: Pick<ConsumeOptions, 'group' | 'topics' | 'onBatch'>) => {
    const service = await consumeEach({ kafka: testKafka(), name: 'consumer', log: silentLog(), ...options })
    cleanUp(() => service.close())
    return service
  }

  it('hands over every committed record of its topics, and goes on where it was', async () => {
    const topics = [await makeTopic(testKafka(), 'a', { partitions: 2 }), await makeTopic(testKafka(), 'b')]
    const [group, seen] = [unique('consumer'), [] as string[]]
    const onBatch: ConsumeOptions['onBatch'] = async records => {
      expect(new Set(records.map(({ topic, partition }) => `${topic} ${partition}`)).size).toBe(1)
      seen.push(...records.map(({ topic, key }) => `${topics.indexOf(topic)} ${key}`))
    }
    const [a = '', b = ''] = topics
    await produce(a, { x: 2, y: 2 })
    const first = await start({ group, topics, onBatch })
    await produce(b, { z: 1 })
    await until(() => seen.length === 5)
    for (const topic of topics) await drained(group, topic)
    await first.close()
    await produce(a, { w: 1 })
    await start({ group, topics, onBatch })
    await drained(group, a)
    expect(seen.toSorted()).toEqual(['0 w', '0 x', '0 x', '0 y', '0 y', '1 z'])
  })

  it('hands records over again until they are taken, and commits none before', async () => {
    const topic = await makeTopic(testKafka(), 'a')
    const [group, seen] = [unique('consumer'), [] as number[]]
    let away = true
    const service = await start({
      group,
      topics: [topic],
      onBatch: async records => {
        seen.push(records.length)
        if (away) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'redis is away')
      },
    })
    await produce(topic, { x: 3 })
    await until(() => seen.length > 1)
    expect(await groupLag(testKafka(), group, topic)).toBe(3)
    expect(await service.check()).toEqual([{ name: 'kafka (consumer)', problem: 'redis is away' }])
    away = false
    await drained(group, topic)
    expect(new Set(seen)).toEqual(new Set([3]))
    expect(await service.check()).toEqual([{ name: 'kafka (consumer)' }])
  })

  it('ends with an error that is not transient, and when records are gone that it has not read', async () => {
    const kafka = testKafka()
    const topic = await makeTopic(kafka, 'a')
    const group = unique('consumer')
    await produce(topic, { x: 5 })
    const options = { group, topics: [topic], onBatch: async () => undefined }
    const first = await start(options)
    await drained(group, topic)
    await first.close()
    const broken = await start({ ...options, onBatch: () => Promise.reject(new Error('a defect')) })
    await produce(topic, { x: 5 })
    await expect(broken.failed).rejects.toMatchObject({ code: 'NS_INTERNAL', message: 'a defect' })
    await broken.close()
    await withAdmin(kafka, 'test', async admin => {
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '8' }] })
    })
    const late = await start(options)
    await expect(late.failed).rejects.toMatchObject({ code: 'NS_OFFSET_LOST' })
    expect(await groupLag(kafka, group, topic)).toBe(5)
  })
})

describe('readTopic', () => {
  it('waits for what is being committed when it is called', async () => {
    const kafka = testKafka()
    const topic = await makeTopic(kafka, 'a')
    const writer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => writer.disconnect())
    const open = await writer.transaction()
    await open.send({ topic, messages: [{ key: 'x', value: 'v' }] })
    const reading = readAll(kafka, topic)
    // Its markers come after the answer to a commit, so that what is committed may still look open here.
    expect(await topicOffsets(kafka, topic)).toEqual([{ partition: 0, low: 0, high: 1 }])
    await open.commit()
    expect(await reading).toHaveLength(1)
  })

  it('reads what is there now, between the offsets that are given, and nothing that was aborted', async () => {
    const kafka = testKafka()
    const topic = await makeTopic(kafka, 'a', { partitions: 2 })
    expect(await readAll(kafka, topic)).toEqual([])
    await produce(topic, { x: 4, y: 4 })
    const writer = await openProducer(kafka, unique('tx'), { topics: [] })
    cleanUp(() => writer.disconnect())
    const aborted = await writer.transaction()
    await aborted.send({ topic, messages: [0, 1].map(partition => ({ key: 'no', value: 'v', partition })) })
    await aborted.abort()
    const all = await readAll(kafka, topic)
    expect(all.map(({ key }) => String(key)).toSorted()).toEqual(['x', 'x', 'x', 'x', 'y', 'y', 'y', 'y'])
    const [{ partition } = { partition: 0 }] = all
    const part: number[] = []
    await readTopic({
      kafka,
      topic,
      from: new Map([[partition, 1]]),
      to: new Map([
        [partition, 3],
        [1 - partition, 0],
      ]),
      onRecords: records => void part.push(...records.map(({ offset }) => offset)),
    })
    expect(part).toEqual([1, 2])
  })

  it('passes on what the taker throws, and says when the topic is not there', async () => {
    const kafka = testKafka()
    const topic = await makeTopic(kafka, 'a')
    await produce(topic, { x: 1 })
    const onRecords = () => Promise.reject(new Error('no room'))
    await expect(readTopic({ kafka, topic, onRecords })).rejects.toThrow('no room')
    await expect(readTopic({ kafka, topic: unique('none'), onRecords })).rejects.toMatchObject({
      code: 'NS_TOPIC_MISSING',
    })
  })
})

describe('createBatchProducer', () => {
  it('writes in order, in sends that the broker takes, compressed if told so', async () => {
    const kafka = testKafka()
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const topic = await makeTopic(kafka, compression)
      const producer = await createBatchProducer({ kafka, compression })
      const values = Array.from({ length: 30 }, (_, i) => Buffer.alloc(100_000, i))
      await producer.send(
        topic,
        values.map(value => ({ key: 'k', value })),
      )
      await producer.close()
      const read = (await readAll(kafka, topic)).map(({ value }) => value ?? Buffer.alloc(0))
      // Byte by byte, as jest compares them, this would take seconds.
      expect(Buffer.concat(read).equals(Buffer.concat(values))).toBe(true)
      expect(read).toHaveLength(values.length)
    }
  })

  it('says what is too large and what is not there', async () => {
    const kafka = testKafka()
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    const topic = await makeTopic(kafka, 'a', { config: { 'max.message.bytes': '2000' } })
    const large = [{ key: null, value: Buffer.alloc(3_000) }]
    await expect(producer.send(topic, large)).rejects.toMatchObject({ code: 'NS_TOO_LARGE' })
    await expect(
      createBatchProducer({ kafka: testKafka({ KAFKA_BROKERS: '127.0.0.1:1' }) }),
    ).rejects.toMatchObject({
      code: 'NS_SERVICE_UNREACHABLE',
    })
  })
})
