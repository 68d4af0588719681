import kafkajs, { type Batch, type EachBatchPayload, type Message, type Producer } from 'kafkajs'

// It imports nothing else, so that it runs beside any kafkajs: as published, or with this repository's patches.

/** What a client does with each record of a topic. */
export type ClientMode =
  /** Writes every byte to another topic, a transaction per fetched batch, one transactional producer per partition. */
  | 'copy'
  /** What most code does: auto-commit, JSON.parse, each hundredth record written again by a plain producer. */
  | 'naive'

/** What to run. */
export interface ClientOptions {
  readonly mode: ClientMode
  readonly brokers: readonly string[]
  readonly group: string
  readonly from: string
  readonly to: string
  /** Records to read; it ends when they are done. */
  readonly records: number
  readonly partitions: number
}

/** How it went: from the first record to the last, and over the second half alone, as a warm process does it. */
export interface ClientResult {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly warm: { readonly records: number; readonly seconds: number; readonly cpuSeconds: number }
}

/** Records in one send: of some 600 bytes each, well under the broker's limit of a batch. */
const CHUNK = 1_500

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Counts records, and notes time and CPU at the first, in the middle and at the end. */
const createMeter = (records: number) => {
  const now = () => ({ at: performance.now() / 1000, cpu: cpuSeconds(), done })
  const { promise: finished, resolve, reject } = Promise.withResolvers<ClientResult>()
  let done = 0
  let first: ReturnType<typeof now> | undefined
  let half: ReturnType<typeof now> | undefined
  return {
    finished,
    fail: reject,
    start: () => {
      first ??= now()
    },
    add: (count: number) => {
      done += count
      if (done * 2 >= records) half ??= now()
      if (done < records || first === undefined || half === undefined) return
      const end = now()
      resolve({
        seconds: end.at - first.at,
        cpuSeconds: end.cpu - first.cpu,
        warm: { records: done - half.done, seconds: end.at - half.at, cpuSeconds: end.cpu - half.cpu },
      })
    },
  }
}

const inChunks = async (messages: readonly Message[], send: (some: Message[]) => Promise<unknown>) => {
  for (let at = 0; at < messages.length; at += CHUNK) await send(messages.slice(at, at + CHUNK))
}

/** Runs a client over a topic that is already full; it computes nothing, so it is what the client itself costs. */
export const runClient = async (options: ClientOptions): Promise<ClientResult> => {
  const { mode, group, from, to } = options
  const { Kafka, logLevel, Partitioners } = kafkajs
  const kafka = new Kafka({
    brokers: [...options.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 5, retries: 20 },
  })
  const producers = new Map<number, Promise<Producer>>()
  const open = async (transactionalId?: string) => {
    const producer = kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      ...(transactionalId === undefined ? {} : { transactionalId, idempotent: true, maxInFlightRequests: 1 }),
    })
    await producer.connect()
    return producer
  }
  const producerOf = (partition: number, transactionalId?: string) => {
    const opened = producers.get(partition) ?? open(transactionalId)
    producers.set(partition, opened)
    return opened
  }
  const meter = createMeter(options.records)

  const copy = async ({ partition, messages, ...batch }: Batch) => {
    const producer = await producerOf(partition, `${group}-${partition}`)
    const transaction = await producer.transaction()
    const copies = messages.map(({ key, value }) => ({ key, value, partition }))
    await inChunks(copies, some => transaction.send({ topic: to, messages: some }))
    const offset = String(Number(messages.at(-1)?.offset) + 1)
    await transaction.sendOffsets({
      consumerGroupId: group,
      topics: [{ topic: batch.topic, partitions: [{ partition, offset }] }],
    })
    await transaction.commit()
  }
  const pick = async ({ messages }: Batch) => {
    const picked = messages.filter(({ value, offset }) => {
      const parsed: unknown = JSON.parse(String(value))
      return parsed !== null && Number(offset) % 100 === 0
    })
    if (picked.length > 0)
      await (await producerOf(0)).send({
        topic: to,
        messages: picked.map(({ key, value }) => ({ key, value })),
      })
  }

  const eachBatch = async ({ batch, resolveOffset }: EachBatchPayload) => {
    meter.start()
    await (mode === 'copy' ? copy(batch) : pick(batch))
    resolveOffset(batch.lastOffset())
    meter.add(batch.messages.length)
  }
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 100 })
  // A consumer that crashed for good lives on, and does nothing.
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) meter.fail(payload.error)
  })
  await consumer.connect()
  await consumer.subscribe({ topic: from, fromBeginning: true })
  await consumer.run({
    autoCommit: mode === 'naive',
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: options.partitions,
    eachBatch,
  })
  const result = await meter.finished
  await consumer.disconnect()
  await Promise.all([...producers.values()].map(async producer => (await producer).disconnect()))
  return result
}

if (import.meta.main) {
  const result = await runClient(JSON.parse(process.argv[2] ?? '') as ClientOptions)
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
