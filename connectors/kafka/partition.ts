import { setTimeout as sleep } from 'node:timers/promises'
import type { Producer } from 'kafkajs'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { createRestore, type Restore } from './changelog.ts'
import { HEARTBEAT_MS, type Kafka } from './client.ts'
import { compressionType } from './codecs.ts'
import { isFenced, toKafkaError } from './errors.ts'
import { planBatch } from './plan.ts'
import { type Positions, startOffset } from './positions.ts'
import { planSends, type TopicMessages } from './records.ts'
import type { InputRecord, PartitionTask, Stage } from './stage.ts'
import { openProducer, runTransaction } from './transaction.ts'

/** What a partition needs of the consumer: where it reads on, and whether. */
export interface Flow {
  pause(topic: string, partition: number): void
  /** Reads on at `offset`. */
  start(topic: string, partition: number, offset: number): void
}

interface PartitionDeps {
  readonly kafka: Kafka
  readonly stage: Stage
  readonly partition: number
  readonly positions: Positions
  readonly flow: Flow
  readonly log: Log
  readonly metrics: Metrics
  /** Ends the service. */
  readonly fatal: (error: SentinelError) => void
}

/** A batch as it was fetched. */
export interface FetchedBatch {
  readonly records: readonly InputRecord[]
  /** Offset that was asked for. */
  readonly fetched: number
  /** Offset after the last record and all that was filtered out behind it. */
  readonly next: number
}

/** One input partition in the hands of this member of the group. */
export interface OwnedPartition {
  /** Takes the partition, or takes it anew: fences the predecessor, then finds where to read on, restores, resumes. */
  take(): void
  /** Gives it up: nothing is written any more, state in memory is dropped. */
  release(): void
  /**
   * Processes a batch in one transaction. True when it is committed; false when it was not taken, because the partition
   * is being taken anew and the records will come again.
   */
  accept(batch: FetchedBatch): Promise<boolean>
  /** Everything read before `next` was filtered out; keeps the committed offset up with it, so that lag reads 0. */
  skip(next: number): void
  /** Records, or nothing readable, of the changelog up to `next`. */
  restored(records: readonly InputRecord[], next: number): Promise<void>
  /** Why it does not progress at the moment, in words. */
  trouble(): string | undefined
  /** Releases it, and resolves when no work is in flight and its connections are closed. */
  close(): Promise<void>
}

/** Waits of 0.1 s to 10 s, doubled each time, each ±50 %, in ms. */
const backoffMs = (failures: number): number =>
  Math.min(10_000, 100 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random())

/** Nobody wants this any more: the partition was released or taken anew meanwhile. */
const superseded = () => new Error('superseded')

/**
 * Makes the owner of one partition. It is in one of three states: released, being taken, or active; `generation` counts
 * the changes, so that work which outlived its generation can tell. Batches and takings of it never overlap.
 */
export const createPartition = (deps: PartitionDeps): OwnedPartition => {
  const { kafka, stage, partition, positions, flow, metrics } = deps
  const name = `${stage.input}-${partition}`
  const log = deps.log.child({ stage: stage.name, topic: stage.input, partition })
  const transactionalId = `${stage.group}-${stage.input}-${partition}`
  const { maxMessageBytes, maxRecordBytes, compression } = kafka.config

  let generation = 0
  let active = false
  let producer: Producer | undefined
  let task: PartitionTask | undefined
  /** Offset of the next record, up to which `task` holds the effects of every record; the committed one when known. */
  let position = -1
  /** Offset up to which everything from `position` on is known to hold nothing to read. */
  let skipped = -1
  let restore: Restore | undefined
  let failures = 0
  let trouble: string | undefined
  let waiting = new AbortController()
  let tail: Promise<unknown> = Promise.resolve()
  const closings = new Set<Promise<void>>()

  /** Runs work after all that was handed in before. */
  const serially = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work)
    // Whoever handed it in sees the error; the next in line only waits.
    tail = result.catch(() => undefined)
    return result
  }

  const discard = (old: Producer | undefined) => {
    if (old === undefined) return
    // A batch in flight keeps the producer it began with; it can no longer commit once there is another.
    const closing = tail
      .then(() => old.disconnect())
      .catch((error: unknown) => log.debug({ err: error }, 'a producer did not close cleanly'))
      .then(() => {
        closings.delete(closing)
      })
    closings.add(closing)
  }

  const supersede = () => {
    generation++
    active = false
    waiting.abort()
    waiting = new AbortController()
    restore?.cancel(superseded())
    discard(producer)
    producer = undefined
    return generation
  }

  const fatal = (error: SentinelError) => {
    supersede()
    deps.fatal(error)
  }

  const restoreTask = async (mine: number): Promise<{ task: PartitionTask; records: number }> => {
    const fresh = stage.createTask(partition)
    if (stage.changelog === undefined) return { task: fresh, records: 0 }
    const { low, high } = await positions.range(stage.changelog, partition)
    if (mine !== generation) throw superseded()
    if (low >= high) return { task: fresh, records: 0 }
    const started = performance.now()
    const reading = createRestore(fresh, high)
    restore = reading
    try {
      flow.start(stage.changelog, partition, low)
      const records = await reading.done
      log.info({ records, ms: Math.round(performance.now() - started) }, 'state restored')
      return { task: fresh, records }
    } finally {
      if (restore === reading) restore = undefined
      if (mine === generation) flow.pause(stage.changelog, partition)
      metrics.restores.inc({ stage: stage.name })
    }
  }

  const findPosition = async (mine: number): Promise<number> => {
    const where = { group: stage.group, topic: stage.input, partition }
    const committed = await positions.committed(stage.group, stage.input, partition)
    const start = startOffset(committed, await positions.range(stage.input, partition), where)
    if (task !== undefined && position === start) return start
    task = undefined
    const { task: restored, records } = await restoreTask(mine)
    if (committed === undefined && records > 0) {
      throw new SentinelError(
        'NS_OFFSET_LOST',
        `${name}: ${stage.group} has no committed offset, but ${stage.changelog} holds the state of ${records} records: its offsets have expired or were deleted`,
      )
    }
    task = restored
    position = start
    return start
  }

  const takeOnce = async (mine: number): Promise<void> => {
    const fresh = await openProducer(kafka, transactionalId)
    let kept = false
    try {
      // The batch that an earlier generation began can no longer commit, but it may just have; wait for its end.
      const start = await serially(async () => {
        if (mine !== generation) throw superseded()
        return findPosition(mine)
      })
      if (mine !== generation) throw superseded()
      flow.start(stage.input, partition, start)
      kept = true
      producer = fresh
      skipped = start
      active = true
      trouble = undefined
      log.debug({ offset: start }, 'partition taken')
    } finally {
      if (!kept) discard(fresh)
    }
  }

  const take = async (mine: number, delayMs: number): Promise<void> => {
    let delay = delayMs
    while (mine === generation) {
      try {
        if (delay > 0) await sleep(delay, undefined, { signal: waiting.signal })
        await takeOnce(mine)
        return
      } catch (error) {
        if (mine !== generation) return
        const problem = toKafkaError(error, `taking over ${name}`)
        if (problem.outcome !== 'retriable') return fatal(problem)
        trouble = problem.message
        delay = backoffMs(failures++)
        log.warn({ code: problem.code, retryMs: Math.round(delay) }, problem.message)
      }
    }
  }

  const takeAnew = (delayMs: number) => {
    const mine = supersede()
    take(mine, delayMs).catch((error: unknown) => fatal(toSentinelError(error)))
  }

  /** After any error the producer is done with, and so is everything that was believed about the partition. */
  const failed = (mine: number, error: unknown, from: number) => {
    metrics.transactions.inc({ stage: stage.name, outcome: 'failed' })
    const problem = toKafkaError(error, `processing ${name} from offset ${from}`)
    if (mine !== generation) return
    if (problem.outcome !== 'retriable') return fatal(problem)
    failures++
    // A member that was thought dead learns from its next heartbeat that it has lost the partition: it waits for that
    // before it fences the new owner in turn.
    const delay = Math.max(isFenced(error) ? 1.2 * HEARTBEAT_MS : 0, backoffMs(failures))
    trouble = problem.message
    log.warn({ code: problem.code, offset: from, retryMs: Math.round(delay) }, problem.message)
    flow.pause(stage.input, partition)
    takeAnew(delay)
  }

  const commit = async (owner: Producer, sends: readonly TopicMessages[][], next: number) => {
    await runTransaction(owner, {
      sends,
      compression: compressionType(compression),
      group: stage.group,
      input: stage.input,
      partition,
      next,
    })
    failures = 0
    metrics.transactions.inc({ stage: stage.name, outcome: 'committed' })
  }

  const process = async (batch: FetchedBatch): Promise<boolean> => {
    const mine = generation
    const [owner, current] = [producer, task]
    if (!active || owner === undefined || current === undefined) return false
    if (batch.fetched !== position && batch.fetched !== skipped) {
      fatal(
        new SentinelError(
          'NS_OFFSET_LOST',
          `${name}: offset ${batch.fetched} was fetched where ${position} is next`,
        ),
      )
      return false
    }
    const started = performance.now()
    const from = position
    try {
      const result = await current.process(batch.records)
      const outputs = planBatch(result, stage, partition, maxRecordBytes)
      await commit(owner, planSends(outputs, maxMessageBytes), batch.next)
      // From here on the effects are facts, whoever owns the partition by now.
      result.committed()
      position = batch.next
      skipped = batch.next
      count(batch, outputs)
      metrics.batchSeconds.observe({ stage: stage.name }, (performance.now() - started) / 1000)
      return mine === generation
    } catch (error) {
      failed(mine, error, from)
      return false
    }
  }

  const count = (batch: FetchedBatch, outputs: readonly { readonly topic: string }[]) => {
    metrics.recordsIn.inc({ stage: stage.name, topic: stage.input }, batch.records.length)
    const perTopic = Map.groupBy(outputs, output => output.topic)
    for (const [topic, some] of perTopic) metrics.recordsOut.inc({ stage: stage.name, topic }, some.length)
  }

  const commitSkipped = async (next: number): Promise<void> => {
    const mine = generation
    const owner = producer
    if (!active || owner === undefined || next <= position) return
    try {
      await commit(owner, [], next)
      position = next
    } catch (error) {
      failed(mine, error, position)
    }
  }

  return {
    take: () => takeAnew(0),
    release: () => {
      supersede()
      task = undefined
      trouble = undefined
    },
    // Refused at once: while it waited for the partition to be taken, no fetch could bring the changelog for that.
    accept: async batch => active && serially(() => process(batch)),
    skip: next => {
      if (next <= skipped) return
      skipped = next
      serially(() => commitSkipped(next)).catch((error: unknown) => fatal(toSentinelError(error)))
    },
    restored: async (records, next) => {
      if (records.length > 0) await restore?.feed(records, next)
      else restore?.skip(next)
    },
    trouble: () => trouble,
    close: async () => {
      supersede()
      await serially(() => Promise.resolve())
      await Promise.all(closings)
    },
  }
}
