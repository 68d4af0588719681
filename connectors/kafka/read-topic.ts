import { randomUUID } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { silentLog } from '../../runtime/log.ts'
import { topicOffsets } from './admin.ts'
import type { Kafka } from './client.ts'
import { startConsumer, watchConsumer, withHeartbeat } from './consumer.ts'
import { toKafkaError } from './errors.ts'
import { createPositions } from './positions.ts'
import { toInputRecords } from './records.ts'
import type { InputRecord } from './stage.ts'

/** What is read of a topic. */
export interface ReadTopicOptions {
  readonly kafka: Kafka
  readonly topic: string
  /** The partitions to read; all of them when not given. */
  readonly partitions?: readonly number[]
  /** Offset to begin at, by partition; the first that is there where none is given. */
  readonly from?: ReadonlyMap<number, number>
  /** Offset to end before, by partition; the end of the log at the call where none is given. */
  readonly to?: ReadonlyMap<number, number>
  /** Takes records of one partition, in order; one call at a time. */
  readonly onRecords: (records: readonly InputRecord[]) => Promise<void> | void
}

/**
 * Reads a topic up to where it ends now, committed records only, and resolves when all of them have been taken. Waits for
 * transactions that are open at the call to end, which they do within their timeout: one that was committed just before
 * may still look open to a reader. Leaves no offsets behind. Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE, NS_OFFSET_LOST, and what `onRecords` throws.
 */
export const readTopic = async (options: ReadTopicOptions): Promise<void> => {
  const { kafka, topic, onRecords } = options
  const log = silentLog()
  const group = `netsentinel-read-${randomUUID()}`
  const ends = new Map<number, number>()
  const nexts = new Map<number, number>()
  for (const { partition, low, high } of await topicOffsets(kafka, topic)) {
    if (options.partitions?.includes(partition) === false) continue
    const [start, end] = [options.from?.get(partition) ?? low, options.to?.get(partition) ?? high]
    nexts.set(partition, start)
    if (start < end) ends.set(partition, Math.min(end, high))
  }
  if (ends.size === 0) return

  const done = Promise.withResolvers<void>()
  const positions = createPositions(kafka)
  const consumer = kafka.consumer({ groupId: group })
  const progress = (partition: number, next: number) => {
    const end = ends.get(partition)
    nexts.set(partition, next)
    if (end === undefined || next < end) return
    ends.delete(partition)
    consumer.pause([{ topic, partitions: [partition] }])
    if (ends.size === 0) done.resolve()
  }
  const watch = watchConsumer(consumer, {
    log,
    group,
    positions,
    fatal: done.reject,
    stopped: () => log.debug({ group }, 'stopped'),
    joined: assignment => {
      consumer.pause([{ topic, partitions: [...(assignment[topic] ?? [])] }])
      for (const partition of ends.keys()) {
        consumer.seek({ topic, partition, offset: String(nexts.get(partition) ?? 0) })
        consumer.resume([{ topic, partitions: [partition] }])
      }
    },
    filtered: (_, partition, next) => progress(partition, next),
  })
  try {
    const started = startConsumer(consumer, [topic], {
      eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
        const end = ends.get(batch.partition)
        const last = batch.messages.at(-1)
        if (end === undefined || last === undefined) return
        const records = toInputRecords(batch).filter(record => record.offset < end)
        try {
          if (records.length > 0) await withHeartbeat(heartbeat, async () => onRecords(records))
          resolveOffset(last.offset)
          progress(batch.partition, Number(batch.lastOffset()) + 1)
        } catch (error) {
          ends.delete(batch.partition)
          done.reject(error)
        }
      },
    })
    await started.catch((error: unknown) => {
      throw toKafkaError(error, `reading ${topic}`)
    })
    await done.promise
  } finally {
    await watch.close()
    await positions.close()
  }
}

/**
 * The records of a topic as {@link readTopic} reads it, for whoever takes them at a pace of his own: a batch of one
 * partition at a time, of which few are held. Ends its reading when the one who iterates does. Throws as readTopic does.
 */
export async function* streamTopic(
  options: Omit<ReadTopicOptions, 'onRecords'>,
): AsyncGenerator<readonly InputRecord[], void, undefined> {
  const lane = new PassThrough({ objectMode: true, highWaterMark: 1 })
  const put = (records: readonly InputRecord[]) =>
    new Promise<void>((resolve, reject) => {
      lane.write(records, error => (error ? reject(error) : resolve()))
    })
  const reading = readTopic({ ...options, onRecords: put }).then(
    () => void lane.end(),
    (error: unknown) => void lane.destroy(toKafkaError(error, `reading ${options.topic}`)),
  )
  try {
    for await (const records of lane) yield records as readonly InputRecord[]
  } finally {
    lane.destroy()
    await reading
  }
}
