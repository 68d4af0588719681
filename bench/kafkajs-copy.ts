import kafkajs, { type Batch, type Producer } from 'kafkajs'

/**
 * The peer: bare kafkajs that copies a topic, every byte, in a transaction per fetched batch with one transactional
 * producer per partition. It computes nothing, so it is what the client itself costs.
 */
export const copyTopic = async (options: {
  readonly brokers: readonly string[]
  readonly group: string
  readonly from: string
  readonly to: string
  /** Records to copy; it ends when they are committed. */
  readonly records: number
}): Promise<{ readonly seconds: number }> => {
  const { Kafka, logLevel, Partitioners } = kafkajs
  const kafka = new Kafka({
    brokers: [...options.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, retries: 20 },
  })
  const producers = new Map<number, Promise<Producer>>()
  const open = async (partition: number) => {
    const producer = kafka.producer({
      transactionalId: `${options.group}-${partition}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    return producer
  }
  const consumer = kafka.consumer({ groupId: options.group, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic: options.from, fromBeginning: true })
  const done = Promise.withResolvers<void>()
  let first: number | undefined
  let copied = 0
  const copy = async (batch: Batch) => {
    first ??= performance.now()
    let opened = producers.get(batch.partition)
    if (opened === undefined) {
      opened = open(batch.partition)
      producers.set(batch.partition, opened)
    }
    const transaction = await (await opened).transaction()
    for (let at = 0; at < batch.messages.length; at += CHUNK) {
      const messages = batch.messages
        .slice(at, at + CHUNK)
        .map(({ key, value }) => ({ key, value, partition: batch.partition }))
      await transaction.send({ topic: options.to, messages })
    }
    const offset = String(Number(batch.lastOffset()) + 1)
    await transaction.sendOffsets({
      consumerGroupId: options.group,
      topics: [{ topic: options.from, partitions: [{ partition: batch.partition, offset }] }],
    })
    await transaction.commit()
    copied += batch.messages.length
    if (copied >= options.records) done.resolve()
  }
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 8,
    eachBatch: async ({ batch, resolveOffset }) => {
      await copy(batch)
      resolveOffset(batch.lastOffset())
    },
  })
  await done.promise
  const seconds = (performance.now() - (first ?? 0)) / 1000
  await consumer.disconnect()
  await Promise.all([...producers.values()].map(async producer => (await producer).disconnect()))
  return { seconds }
}

/** Records in one send: about 300 bytes each, well under the broker's limit of a batch. */
const CHUNK = 2_000
