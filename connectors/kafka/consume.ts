import { setTimeout as sleep } from 'node:timers/promises'
import type { EachBatchPayload } from 'kafkajs'
import { type SentinelError, toSentinelError } from '../../runtime/errors.ts'
import { aborted, type Check, createCloser, createFailure, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import { checkKafka, partitionCount } from './admin.ts'
import { createCoPartitionAssigner } from './assigner.ts'
import type { Kafka } from './client.ts'
import { startConsumer, watchConsumer, withHeartbeat } from './consumer.ts'
import { toKafkaError } from './errors.ts'
import { createPositions } from './positions.ts'
import { toInputRecords } from './records.ts'
import type { InputRecord } from './stage.ts'

/** What is consumed and by what. */
export interface ConsumeOptions {
  readonly kafka: Kafka
  /** Name of the service in logs and checks. */
  readonly name: string
  /** Consumer group, prefix included. */
  readonly group: string
  readonly topics: readonly string[]
  readonly log: Log
  /**
   * Takes records of one partition, in order, all with offsets after the ones before unless some come again: what is
   * taken when it resolves is committed, so each record comes at least once. A retriable error is tried again with the
   * same records, any other ends the service.
   */
  readonly onBatch: (records: readonly InputRecord[]) => Promise<void>
  /** Called on each assignment with the partitions of each topic, before their records come. */
  readonly onAssigned?: (assignment: Readonly<Record<string, readonly number[]>>) => void
}

const RETRY_FIRST_MS = 100
const RETRY_MOST_MS = 5_000

/**
 * Consumes topics as a member of a group, at least once, from the beginning when the group is new, committed records
 * only. Resolves when the member has joined. Fails with NS_OFFSET_LOST when records are gone that were not read, and with
 * NS_CONSUMER_CRASHED. Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const consumeEach = async (options: ConsumeOptions): Promise<Service> => {
  const { kafka, group, topics, log, onBatch } = options
  const { failed, fail } = createFailure()
  const closer = createCloser()
  const counts = await partitionCount(kafka, topics)
  const positions = createPositions(kafka)
  closer.add(() => positions.close())
  const consumer = kafka.consumer({ groupId: group, partitionAssigners: [createCoPartitionAssigner(topics)] })
  let ended = false
  let trouble: string | undefined
  const closing = new AbortController()

  const fatal = (error: SentinelError) => {
    ended = true
    fail(error)
  }
  const watch = watchConsumer(consumer, {
    log,
    group,
    positions,
    fatal,
    stopped: () => log.debug({ group }, 'stopped'),
    joined: assignment => options.onAssigned?.(assignment),
    filtered: () => undefined,
  })
  closer.add(() => {
    closing.abort()
    return watch.close()
  })

  const pause = (topic: string, partition: number) => {
    if (watch.running()) consumer.pause([{ topic, partitions: [partition] }])
  }

  /** Hands records over until they are taken. False when they will come again, or never, because the service ends. */
  const deliver = async (
    records: readonly InputRecord[],
    heartbeat: () => Promise<void>,
  ): Promise<boolean> => {
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(RETRY_MOST_MS, wait * 2)) {
      try {
        await withHeartbeat(heartbeat, () => onBatch(records))
        trouble = undefined
        return true
      } catch (error) {
        const problem = toSentinelError(error)
        if (problem.outcome !== 'retriable') {
          fatal(problem)
          return false
        }
        trouble = problem.message
        log.warn({ code: problem.code, group, retryMs: wait }, problem.message)
        await Promise.race([sleep(wait, undefined, { ref: false }), aborted(closing.signal)])
        if (closing.signal.aborted) return false
        // Throws when the group has gone on without this member, and the records with it.
        await heartbeat()
      }
    }
  }

  const eachBatch = async ({
    batch,
    resolveOffset,
    heartbeat,
    commitOffsetsIfNecessary,
  }: EachBatchPayload) => {
    const { topic, partition } = batch
    const last = batch.messages.at(-1)
    if (last === undefined) return
    if (ended || !(await deliver(toInputRecords(batch), heartbeat))) {
      pause(topic, partition)
      return
    }
    resolveOffset(last.offset)
    const offset = String(Number(batch.lastOffset()) + 1)
    await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] })
  }

  try {
    await startConsumer(consumer, topics, {
      partitionsConsumedConcurrently: Math.max(1, ...counts.map(([, count]) => count)),
      eachBatch,
    })
    await watch.firstJoin
  } catch (error) {
    await closer.close()
    throw toKafkaError(error, `starting ${options.name}`)
  }

  const check = async (): Promise<readonly Check[]> => {
    const problem = (await checkKafka(kafka)) ?? watch.problem() ?? trouble
    return [{ name: `kafka (${options.name})`, ...(problem === undefined ? {} : { problem }) }]
  }
  return { name: options.name, check, failed, close: () => closer.close() }
}
