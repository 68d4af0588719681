import { setTimeout as sleep } from 'node:timers/promises'
import type { EachBatchPayload } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import { type Check, createCloser, createFailure, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { checkKafka, partitionCount } from './admin.ts'
import { createCoPartitionAssigner } from './assigner.ts'
import type { Kafka } from './client.ts'
import { startConsumer, watchConsumer, withHeartbeat } from './consumer.ts'
import { createFlow } from './flow.ts'
import { inputsOf } from './inputs.ts'
import { createPartition, type OwnedPartition } from './partition.ts'
import { createPositions } from './positions.ts'
import { fetchedOffset, toInputRecords, toStageRecords } from './records.ts'
import { measurePartitions } from './scrape.ts'
import type { Stage } from './stage.ts'
import type { Member } from './transaction.ts'
import { createTransactions } from './transactions.ts'

/** What a stage runs with. */
export interface RunStageDeps {
  readonly kafka: Kafka
  readonly stage: Stage
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Runs a stage as a member of its consumer group, exactly once: a batch's outputs, its changes of state and its input
 * offset are in one transaction, which the partitions of the member share.
 * `docs/decisions/0002-exactly-once-on-kafkajs.md` says why it is built so.
 *
 * Resolves when the member has joined. The service fails with NS_OFFSET_LOST when records are gone that were not read,
 * NS_CONSUMER_CRASHED, and whatever fatal error the stage throws; it rides out what is transient.
 * Throws NS_TOPIC_MISSING, NS_TOPIC_MISMATCH (its topics differ in their number of partitions), NS_SERVICE_UNREACHABLE.
 */
export const runStage = async ({ kafka, stage, log: parent, metrics }: RunStageDeps): Promise<Service> => {
  const log = parent.child({ stage: stage.name })
  const { failed, fail } = createFailure()
  const closer = createCloser()
  const partitions = new Map<number, OwnedPartition>()
  const inputs = inputsOf(stage)
  const topics = stage.changelog === undefined ? inputs : [...inputs, stage.changelog]
  const count = await countPartitions(kafka, topics)

  const positions = createPositions(kafka)
  closer.add(() => positions.close())
  const transactions = createTransactions({ kafka, stage, log, metrics })
  closer.add(() => transactions.close())
  closer.add(() => Promise.all([...partitions.values()].map(each => each.close())))
  closer.add(measurePartitions({ stage, partitions, positions, metrics, log }))
  const consumer = kafka.consumer({
    groupId: stage.group,
    partitionAssigners: [createCoPartitionAssigner(topics)],
    maxBytes: Math.ceil(kafka.config.maxFetchBytes * (stage.fetchShare ?? 1)),
  })
  let ended = false

  const releaseAll = () => {
    for (const each of partitions.values()) each.release()
    transactions.end()
  }
  const fatal = (error: SentinelError) => {
    if (ended) return
    ended = true
    releaseAll()
    pauseAll()
    fail(error)
  }
  const watch = watchConsumer(consumer, {
    log,
    group: stage.group,
    positions,
    fatal,
    stopped: releaseAll,
    joined: (assignment, member) => assign(assignment[stage.input] ?? [], member),
    filtered: (topic, partition, next) => {
      const owned = partitions.get(partition)
      if (inputs.includes(topic)) owned?.skip(topic, next)
      // Nothing but the count of what was read changes: an error of the task cannot come from here.
      else owned?.restored([], next).catch((error: unknown) => log.error({ err: error }, 'restore'))
    },
  })
  closer.add(() => watch.close())

  const flow = createFlow(consumer, watch)
  const pauseAll = () => {
    for (const topic of topics) for (const partition of partitions.keys()) flow.pause(topic, partition)
  }

  /** Called synchronously on each assignment, before anything of it is fetched. */
  const assign = (assigned: readonly number[], member: Member) => {
    for (const topic of topics) consumer.pause([{ topic, partitions: [...assigned] }])
    if (ended) return
    transactions.assign({ member, partitions: assigned })
    for (const [number, owned] of partitions) if (!assigned.includes(number)) owned.release()
    for (const number of assigned) {
      let owned = partitions.get(number)
      if (owned === undefined) {
        owned = createPartition({
          ...{ transactions, stage, partition: number, positions, flow, log, metrics, fatal },
          maxRecordBytes: kafka.config.maxRecordBytes,
        })
        partitions.set(number, owned)
      }
      owned.take()
    }
  }

  const closing = new AbortController()
  closer.add(() => closing.abort())
  /** kafkajs fetches again when all batches of a fetch are through: this is where the next one is put off. */
  const pause = async (fetchedAt: number) => {
    const early = kafka.config.fetchIntervalMs - (performance.now() - fetchedAt)
    // Aborted at closing, when there is no next fetch to wait for.
    if (early > 0) await sleep(early, undefined, { signal: closing.signal }).catch(() => undefined)
  }

  const eachBatch = async ({ batch, resolveOffset, heartbeat, isStale }: EachBatchPayload) => {
    const owned = partitions.get(batch.partition)
    if (owned === undefined || ended || isStale()) return
    const fetchedAt = performance.now()
    const isInput = inputs.includes(batch.topic)
    const generation = watch.generation()
    const next = Number(batch.lastOffset()) + 1
    const done = await withHeartbeat(heartbeat, async () => {
      if (isInput) {
        const records = toStageRecords(batch)
        const end = Number(batch.highWatermark)
        return owned.accept({ topic: batch.topic, records, fetched: fetchedOffset(batch), next, end })
      }
      await owned.restored(toInputRecords(batch), next)
      return true
    })
    const last = batch.messages.at(-1)
    // After a new assignment kafkajs would note the offset for a partition that it may no longer have.
    if (done && last !== undefined && generation === watch.generation()) resolveOffset(last.offset)
    if (isInput) await pause(fetchedAt)
  }

  try {
    await startConsumer(consumer, topics, {
      eachBatch,
      partitionsConsumedConcurrently: count * inputs.length,
    })
    await watch.firstJoin
  } catch (error) {
    await closer.close()
    throw error
  }

  const check = async (): Promise<readonly Check[]> => {
    const reachable = await checkKafka(kafka)
    const troubles = [...partitions.values()].flatMap(each => each.trouble() ?? [])
    const problem = reachable ?? watch.problem() ?? troubles[0]
    return [{ name: `kafka (${stage.name})`, ...(problem === undefined ? {} : { problem }) }]
  }
  return { name: stage.name, check, failed, close: () => closer.close() }
}

const countPartitions = async (kafka: Kafka, topics: readonly string[]): Promise<number> => {
  const counts = await partitionCount(kafka, topics)
  const [[input, count] = ['', 0], ...others] = counts
  for (const [topic, each] of others) {
    if (each !== count) {
      throw new SentinelError(
        'NS_TOPIC_MISMATCH',
        `${topic} has ${each} partitions and ${input} has ${count}: what a stage reads needs as many as its input`,
      )
    }
  }
  return count
}
