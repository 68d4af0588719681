import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import type { Kafka } from './client.ts'

const { KafkaJSProtocolError } = kafkajs

/**
 * Offsets of a partition's log: the first that is there, and the high watermark. Not the last stable offset, which may lag
 * behind a transaction that has been committed: the broker answers the commit before its markers are written.
 */
export interface LogRange {
  readonly low: number
  readonly high: number
}

/** Reads offsets from the broker; never from the consumer's own map, which runs ahead of commits. */
export interface Positions {
  /**
   * The committed offset of a group, once no transaction is about to change it; undefined when there is none. Throws
   * AbortError when it is no longer wanted.
   */
  committed(
    group: string,
    topic: string,
    partition: number,
    signal?: AbortSignal,
  ): Promise<number | undefined>
  range(topic: string, partition: number): Promise<LogRange>
  /** How many offsets of each partition a group has yet to read, by partition number. */
  lag(group: string, topic: string): Promise<Map<number, number>>
  close(): Promise<void>
}

const missing = (topic: string, partition: number) =>
  new SentinelError('NS_TOPIC_MISSING', `${topic} has no partition ${partition}`)

const UNSTABLE = 'UNSTABLE_OFFSET_COMMIT'
const UNSTABLE_PAUSE_MS = 10

/** Asks until no transaction is about to change the answer: it ends within ms, or when the next of its id is opened. */
const whenStable = async <T>(
  ask: () => Promise<T>,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<T> => {
  const began = performance.now()
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const unstable = error instanceof KafkaJSProtocolError && error.type === UNSTABLE
      if (!unstable || performance.now() - began > patienceMs) throw error
      await sleep(UNSTABLE_PAUSE_MS, undefined, signal === undefined ? {} : { signal })
    }
  }
}

/** Makes the reader of offsets; it connects when it is first asked, and anew after an error. */
export const createPositions = (kafka: Kafka): Positions => {
  let admin: Promise<Admin> | undefined
  const connect = async () => {
    const client = kafka.admin()
    await client.connect()
    return client
  }
  const use = async <T>(run: (admin: Admin) => Promise<T>): Promise<T> => {
    admin ??= connect()
    const mine = admin
    try {
      return await run(await mine)
    } catch (error) {
      // That nobody waits any more says nothing of the connection, which others use.
      if (error instanceof Error && error.name === 'AbortError') throw error
      if (admin === mine) admin = undefined
      await disconnect(mine)
      throw error
    }
  }
  return {
    committed: (group, topic, partition, signal) =>
      use(async client => {
        const [answer] = await whenStable(
          () => client.fetchOffsets({ groupId: group, topics: [topic], requireStable: true }),
          kafka.config.transactionTimeoutMs,
          signal,
        )
        const found = answer?.partitions.find(each => each.partition === partition)
        if (found === undefined) throw missing(topic, partition)
        const offset = Number(found.offset)
        return offset < 0 ? undefined : offset
      }),
    range: (topic, partition) =>
      use(async client => {
        const all = await client.fetchTopicOffsets(topic)
        const found = all.find(each => each.partition === partition)
        if (found === undefined) throw missing(topic, partition)
        return { low: Number(found.low), high: Number(found.high) }
      }),
    lag: (group, topic) =>
      use(async client => {
        const [answer] = await client.fetchOffsets({ groupId: group, topics: [topic] })
        const ends = await client.fetchTopicOffsets(topic)
        return new Map(
          ends.map(({ partition, low, high }) => {
            const committed = Number(
              answer?.partitions.find(each => each.partition === partition)?.offset ?? -1,
            )
            return [partition, Math.max(0, Number(high) - (committed < 0 ? Number(low) : committed))]
          }),
        )
      }),
    close: async () => {
      if (admin !== undefined) await disconnect(admin)
    },
  }
}

const disconnect = async (admin: Promise<Admin>): Promise<void> => {
  const [connected] = await Promise.allSettled([admin])
  if (connected.status === 'fulfilled') await connected.value.disconnect()
}

/**
 * Where a group reads on. Records that were deleted before they were read are never skipped silently.
 * Throws NS_OFFSET_LOST when the committed offset lies outside the log, with the number of records that are gone.
 */
export const startOffset = (
  committed: number | undefined,
  { low, high }: LogRange,
  where: { readonly group: string; readonly topic: string; readonly partition: number },
): number => {
  const { group, topic, partition } = where
  if (committed === undefined) return low
  if (committed < low) {
    throw new SentinelError(
      'NS_OFFSET_LOST',
      `${topic}-${partition}: ${low - committed} offsets (${committed} to ${low - 1}) were deleted before ${group} read them`,
    )
  }
  if (committed > high) {
    throw new SentinelError(
      'NS_OFFSET_LOST',
      `${topic}-${partition}: ${group} has read up to offset ${committed}, but the log ends at ${high}: ${committed - high} offsets are gone`,
    )
  }
  return committed
}
