import { randomUUID } from 'node:crypto'
import { type Check, createCloser, createFailure, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import { topicOffsets } from './admin.ts'
import type { Kafka } from './client.ts'
import { startConsumer, watchConsumer, withHeartbeat } from './consumer.ts'
import { toKafkaError } from './errors.ts'
import { createPositions } from './positions.ts'
import { toInputRecords } from './records.ts'
import type { InputRecord } from './stage.ts'

/** What is followed. */
export interface FollowTopicOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly log: Log
  /** Takes records of one partition, in order; one call at a time. An error ends the service. */
  readonly onRecords: (records: readonly InputRecord[]) => Promise<void> | void
}

/** A topic that is followed. */
export interface FollowedTopic extends Service {
  /**
   * Resolves when all that is committed now has been taken. Rejects when the service has failed, and with
   * NS_SERVICE_UNREACHABLE.
   */
  caughtUp(): Promise<void>
}

/**
 * Reads all of a topic, committed records only, and then whatever comes. Every process that follows it gets all of it, and
 * leaves no offsets behind. Resolves when what there is has been taken. Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const followTopic = async (options: FollowTopicOptions): Promise<FollowedTopic> => {
  const { kafka, topic, log, onRecords } = options
  const group = `netsentinel-read-${randomUUID()}`
  const { failed, fail } = createFailure()
  const closer = createCloser()
  const offsets = await topicOffsets(kafka, topic)
  const nexts = new Map(offsets.map(({ partition, low }) => [partition, low]))
  const waiting = new Set<() => void>()
  const positions = createPositions(kafka)
  closer.add(() => positions.close())
  const consumer = kafka.consumer({ groupId: group })
  const progress = (partition: number, next: number) => {
    nexts.set(partition, next)
    for (const look of waiting) look()
  }
  const watch = watchConsumer(consumer, {
    log,
    group,
    positions,
    fatal: fail,
    stopped: () => log.debug({ group }, 'stopped'),
    joined: () => {
      for (const [partition, next] of nexts) consumer.seek({ topic, partition, offset: String(next) })
    },
    filtered: (_, partition, next) => progress(partition, next),
  })
  closer.add(() => watch.close())

  const caughtUp = async () => {
    const ends = await topicOffsets(kafka, topic)
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (ends.every(({ partition, high }) => (nexts.get(partition) ?? 0) >= high)) resolve()
    }
    waiting.add(look)
    try {
      look()
      await Promise.race([promise, failed])
    } finally {
      waiting.delete(look)
    }
  }

  try {
    await startConsumer(consumer, [topic], {
      eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
        const last = batch.messages.at(-1)
        if (last === undefined) return
        try {
          await withHeartbeat(heartbeat, async () => onRecords(toInputRecords(batch)))
        } catch (error) {
          fail(error)
          consumer.pause([{ topic, partitions: [batch.partition] }])
          return
        }
        resolveOffset(last.offset)
        progress(batch.partition, Number(batch.lastOffset()) + 1)
      },
    })
    await caughtUp()
  } catch (error) {
    await closer.close()
    throw toKafkaError(error, `following ${topic}`)
  }
  const check = async (): Promise<readonly Check[]> => {
    const problem = watch.problem()
    return [{ name: `kafka (${topic})`, ...(problem === undefined ? {} : { problem }) }]
  }
  return { name: topic, check, failed, caughtUp, close: () => closer.close() }
}
