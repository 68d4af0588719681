import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from 'kafkajs'
import { messageOf, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import { HEARTBEAT_MS } from './client.ts'
import { outOfRangePartition, toKafkaError } from './errors.ts'
import { type Positions, startOffset } from './positions.ts'
import type { Member } from './transaction.ts'

/** What a member of a group wants to hear of its consumer. */
interface ConsumerEvents {
  readonly log: Log
  readonly group: string
  readonly positions: Positions
  /** The consumer has ended for good. */
  readonly fatal: (error: SentinelError) => void
  /** Called synchronously on each assignment (partitions per topic), before anything of it is fetched. */
  readonly joined: (assignment: Readonly<Record<string, readonly number[]>>, member: Member) => void
  /** Called when the consumer has stopped, for good or to start again: seek, pause and resume throw until it joins. */
  readonly stopped: () => void
  /** A fetch brought nothing to read: markers, aborted records, holes. `next` is the offset after them. */
  readonly filtered: (topic: string, partition: number, next: number) => void
}

/** A consumer that is watched. */
export interface WatchedConsumer {
  /** Resolves at the first assignment; rejects when the consumer ends before. */
  readonly firstJoin: Promise<void>
  /** Whether it is in the group, so that it can be paused and resumed. */
  running(): boolean
  /** Counts assignments. */
  generation(): number
  /** Why it is not consuming, in words. */
  problem(): string | undefined
  /** Finishes what is in flight and leaves the group, so that others take over at once. */
  close(): Promise<void>
}

/** How long to wait at closing for a consumer that is just starting again; stopped in between it would live on. */
const RESTART_MS = 5_000

/** Watches a consumer: what is transient kafkajs restarts, everything else is fatal, because nothing would restart it. */
export const watchConsumer = (consumer: Consumer, events: ConsumerEvents): WatchedConsumer => {
  const { log, group } = events
  const first = Promise.withResolvers<void>()
  // Awaited by who starts the consumer; a crash before that must not count as unhandled.
  first.promise.catch(() => undefined)
  let settled = Promise.withResolvers<void>()
  let running = false
  let restarting = false
  let generation = 0
  let problem: string | undefined = 'has not joined its group yet'

  const crashed = async (error: unknown) => {
    const reason = await explainCrash(error, group, events.positions)
    problem = reason.message
    first.reject(reason)
    events.fatal(reason)
  }

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    generation++
    running = true
    restarting = false
    problem = undefined
    log.info({ group, assignment: payload.memberAssignment }, 'joined the group')
    const { memberId, generationId } = payload
    events.joined(payload.memberAssignment, { memberId, generationId })
    first.resolve()
    settled.resolve()
  })
  consumer.on(consumer.events.STOP, () => {
    running = false
    events.stopped()
  })
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    settled.resolve()
    if (!restart) {
      crashed(error).catch((unexpected: unknown) => events.fatal(toSentinelError(unexpected)))
      return
    }
    restarting = true
    settled = Promise.withResolvers<void>()
    problem = `is reconnecting: ${messageOf(error)}`
    log.warn({ group, err: error }, 'the consumer stopped and starts again')
  })
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const { topic, partition, batchSize, lastOffset } = payload
    if (batchSize === 0) events.filtered(topic, partition, Number(lastOffset) + 1)
  })

  return {
    firstJoin: first.promise,
    running: () => running,
    generation: () => generation,
    problem: () => problem,
    close: async () => {
      if (restarting) await Promise.race([settled.promise, sleep(RESTART_MS, undefined, { ref: false })])
      await consumer.disconnect()
    },
  }
}

/** Says what a crash means; for an offset out of range, how many records are gone. */
const explainCrash = async (error: unknown, group: string, positions: Positions): Promise<SentinelError> => {
  const where = outOfRangePartition(error)
  if (where !== undefined) {
    const { topic, partition } = where
    try {
      const committed = await positions.committed(group, topic, partition)
      startOffset(committed, await positions.range(topic, partition), { group, topic, partition })
    } catch (found) {
      const reason = toKafkaError(found, `looking for what is left of ${topic}-${partition}`)
      if (reason.code === 'NS_OFFSET_LOST') return reason
    }
    return new SentinelError(
      'NS_OFFSET_LOST',
      `${topic}-${partition}: the log no longer holds the offset that ${group} reads next`,
      { cause: error },
    )
  }
  const reason = toKafkaError(error, `consuming as ${group}`)
  return reason.outcome === 'fatal' && reason.code !== 'NS_INTERNAL'
    ? reason
    : new SentinelError('NS_CONSUMER_CRASHED', reason.message, { cause: error })
}

/** Runs work of any length inside eachBatch while the group is told that this member lives. */
export const withHeartbeat = async <T>(
  heartbeat: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> => {
  const timer = setInterval(() => {
    // kafkajs sends one more after the batch, and acts on what that one says: rebalance, unknown member.
    heartbeat().catch(() => undefined)
  }, HEARTBEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** Has a consumer read topics from their beginning; offsets are resolved and committed by whoever takes the batches. */
export const startConsumer = async (
  consumer: Consumer,
  topics: readonly string[],
  run: Pick<Parameters<Consumer['run']>[0] & object, 'eachBatch' | 'partitionsConsumedConcurrently'>,
) => {
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, ...run })
}
