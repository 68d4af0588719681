import { setTimeout as sleep } from 'node:timers/promises'
import type { Producer } from 'kafkajs'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { type Age, createAge } from './age.ts'
import { createChangelog } from './changelog.ts'
import { HEARTBEAT_MS, type Kafka } from './client.ts'
import { compressionType } from './codecs.ts'
import { isFenced, toKafkaError } from './errors.ts'
import type { Flow } from './flow.ts'
import { createInputs, inputsOf } from './inputs.ts'
import { createMeasures } from './measures.ts'
import { planBatch } from './plan.ts'
import type { Positions } from './positions.ts'
import { planSends, type TopicMessages } from './records.ts'
import type { InputRecord, PartitionTask, Stage, StateSize } from './stage.ts'
import { openProducer, runTransaction, type TransactionScope } from './transaction.ts'
import { processReadable } from './withheld.ts'

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
  /** The input that it is of. */
  readonly topic: string
  readonly records: readonly InputRecord[]
  /** Offset that was asked for. */
  readonly fetched: number
  /** Offset after the last record and all that was filtered out behind it. */
  readonly next: number
  /** Offset at which the log ended when it was fetched. */
  readonly end: number
}

/** One partition number of the inputs in the hands of this member of the group. */
export interface OwnedPartition {
  /**
   * Takes the partition, or takes it anew: fences the predecessor, then finds where to read on, restores, reads the side
   * inputs up to their present ends, and last reads the main one.
   */
  take(): void
  /** Gives it up: nothing is written any more, state in memory is dropped. */
  release(): void
  /**
   * Processes a batch in one transaction. True when it is committed; false when it was not taken, because the partition
   * is being taken anew and the records will come again.
   */
  accept(batch: FetchedBatch): Promise<boolean>
  /** Everything read of an input before `next` was filtered out; the committed offset follows, so that lag reads 0. */
  skip(topic: string, next: number): void
  /** Records, or nothing readable, of the changelog up to `next`. */
  restored(records: readonly InputRecord[], next: number): Promise<void>
  /** Whether this member has it: it is active or being taken. */
  owned(): boolean
  /**
   * How long ago the next record of an input was stamped, in s, given how many there are; undefined when unknown.
   */
  lagSeconds(topic: string, records: number): number | undefined
  /** How large its state is; undefined while there is none, or the stage does not say. */
  size(): StateSize | undefined
  /** Why it does not progress at the moment, in words. */
  trouble(): string | undefined
  /** Releases it, and resolves when no work is in flight and its connections are closed. */
  close(): Promise<void>
}

/** Waits of 0.1 s to 10 s, doubled each time, each ±50 %, in ms. */
const backoffMs = (failures: number): number =>
  Math.min(10_000, 100 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random())

/**
 * Makes the owner of one partition. It is in one of three states: released, being taken, or active; each change aborts
 * the signal of the state before, so that work which outlived it can tell. Batches and takings of it never overlap.
 */
export const createPartition = (deps: PartitionDeps): OwnedPartition => {
  const { kafka, stage, partition, flow } = deps
  const name = `${stage.input}-${partition}`
  const log = deps.log.child({ topic: stage.input, partition })
  const transactionalId = `${stage.group}-${stage.input}-${partition}`
  const { maxMessageBytes, maxRecordBytes, compression } = kafka.config
  const inputs = createInputs(deps)
  const changelog = createChangelog({ ...deps, log })
  const measures = createMeasures(deps)
  const ages = new Map<string, Age>()

  const scope: TransactionScope = {
    topics: [
      ...stage.outputs.map(({ topic, everywhere }) => (everywhere ? { topic } : { topic, partition })),
      ...(stage.changelog === undefined ? [] : [{ topic: stage.changelog, partition }]),
    ],
    group: stage.group,
  }

  let state = new AbortController()
  let owned = false
  let active = false
  /** Whether the main input is read, too. */
  let open = false
  let producer: Producer | undefined
  let task: PartitionTask | undefined
  let failures = 0
  let trouble: string | undefined
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

  const supersede = (): AbortSignal => {
    state.abort()
    state = new AbortController()
    active = false
    open = false
    discard(producer)
    producer = undefined
    return state.signal
  }

  const fatal = (error: SentinelError) => {
    supersede()
    deps.fatal(error)
  }

  /** Finds where the group goes on in each input, and a task that stands there. */
  const recover = async (signal: AbortSignal): Promise<void> => {
    const starts = await inputs.find()
    signal.throwIfAborted()
    if (task === undefined || !inputs.standAt(starts)) {
      task = undefined
      const { task: restored, records } = await changelog.restore(signal)
      if (records > 0 && !starts.some(each => each.topic === stage.input && each.committed)) {
        throw new SentinelError(
          'NS_OFFSET_LOST',
          `${name}: ${stage.group} has no committed offset, but ${stage.changelog} holds the state of ${records} records: its offsets have expired or were deleted`,
        )
      }
      task = restored
    }
    inputs.set(starts)
  }

  /** Reads the main input on, once all that the side inputs held when the partition was taken is known. */
  const openMain = () => {
    if (open || !inputs.caughtUp()) return
    flow.start(stage.input, partition, inputs.position(stage.input))
    open = true
  }

  /** A batch that is under way when its producer loses its coordinator fails by itself; then there is nothing left to do. */
  const renewWhenLost = (mine: Producer) => {
    const renew = async () => {
      await mine.lost()
      await serially(async () => {
        if (producer === mine) pauseAndTakeAnew(0)
      })
    }
    renew().catch((error: unknown) => fatal(toSentinelError(error)))
  }

  const takeOnce = async (signal: AbortSignal): Promise<void> => {
    const fresh = await openProducer(kafka, transactionalId, scope)
    let kept = false
    try {
      // The batch that an earlier state began can no longer commit, but it may just have; wait for its end.
      await serially(async () => {
        signal.throwIfAborted()
        await recover(signal)
      })
      signal.throwIfAborted()
      for (const side of stage.sideInputs ?? []) flow.start(side, partition, inputs.position(side))
      openMain()
      kept = true
      producer = fresh
      active = true
      renewWhenLost(fresh)
      trouble = undefined
      log.debug({ offset: inputs.position(stage.input) }, 'partition taken')
    } finally {
      if (!kept) discard(fresh)
    }
  }

  const take = async (signal: AbortSignal, delayMs: number): Promise<void> => {
    let delay = delayMs
    while (!signal.aborted) {
      try {
        if (delay > 0) await sleep(delay, undefined, { signal })
        await takeOnce(signal)
        return
      } catch (error) {
        if (signal.aborted) return
        const problem = toKafkaError(error, `taking over ${name}`)
        if (problem.outcome !== 'retriable') return fatal(problem)
        trouble = problem.message
        delay = backoffMs(failures++)
        log.warn({ code: problem.code, retryMs: Math.round(delay) }, problem.message)
      }
    }
  }

  const takeAnew = (delayMs: number) => {
    const signal = supersede()
    take(signal, delayMs).catch((error: unknown) => fatal(toSentinelError(error)))
  }

  /** Outside of an assignment, which pauses the partition anyway. */
  const pauseAndTakeAnew = (delayMs: number) => {
    for (const input of inputsOf(stage)) flow.pause(input, partition)
    takeAnew(delayMs)
  }

  /** After any error the producer is done with, and so is everything that was believed about the partition. */
  const failed = (signal: AbortSignal, error: unknown, topic: string, from: number) => {
    measures.failed(error)
    const problem = toKafkaError(error, `processing ${topic}-${partition} from offset ${from}`)
    if (signal.aborted) return
    if (problem.outcome !== 'retriable') return fatal(problem)
    failures++
    // A member that was thought dead learns from its next heartbeat that it has lost the partition: it waits for that
    // before it fences the new owner in turn.
    const delay = Math.max(isFenced(error) ? 1.2 * HEARTBEAT_MS : 0, backoffMs(failures))
    trouble = problem.message
    log.warn({ code: problem.code, topic, offset: from, retryMs: Math.round(delay) }, problem.message)
    pauseAndTakeAnew(delay)
  }

  const commit = async (owner: Producer, sends: readonly TopicMessages[][], topic: string, next: number) => {
    await runTransaction(owner, {
      sends,
      compression: compressionType(compression),
      group: stage.group,
      partition,
      offsets: inputs.toCommit(topic, next),
    })
    failures = 0
  }

  const process = async (batch: FetchedBatch, fetchedAt: number): Promise<boolean> => {
    const { signal } = state
    const [owner, current] = [producer, task]
    const { topic, fetched, next, records } = batch
    if (!active || owner === undefined || current === undefined) return false
    const from = inputs.position(topic)
    if (!inputs.expects(topic, fetched)) {
      const message = `${topic}-${partition}: offset ${fetched} was fetched where ${from} is next`
      fatal(new SentinelError('NS_OFFSET_LOST', message))
      return false
    }
    const begun = performance.now()
    const age = ageOf(topic)
    age.fetched(records)
    try {
      const result = await processReadable(stage, current, records)
      const processed = performance.now()
      const outputs = planBatch(result, stage, partition, maxRecordBytes)
      await commit(owner, planSends(outputs, maxMessageBytes), topic, next)
      // From here on the effects are facts, whoever owns the partition by now.
      result.committed()
      inputs.advance(topic, next)
      age.committed(records, next >= batch.end)
      measures.committed(batch, outputs, {
        fetched: fetchedAt,
        begun,
        processed,
        committed: performance.now(),
      })
      if (signal.aborted) return false
      openMain()
      return true
    } catch (error) {
      failed(signal, error, topic, from)
      return false
    }
  }

  const ageOf = (topic: string): Age => {
    const age = ages.get(topic) ?? createAge()
    ages.set(topic, age)
    return age
  }

  const commitSkipped = async (topic: string, next: number): Promise<void> => {
    const { signal } = state
    const owner = producer
    if (!active || owner === undefined || !inputs.behind(topic, next)) return
    try {
      await commit(owner, [], topic, next)
      inputs.advance(topic, next)
      measures.skipped()
    } catch (error) {
      failed(signal, error, topic, inputs.position(topic))
    }
  }

  return {
    take: () => {
      owned = true
      takeAnew(0)
    },
    release: () => {
      supersede()
      owned = false
      ages.clear()
      task = undefined
      trouble = undefined
    },
    // Refused at once: while it waited for the partition to be taken, no fetch could bring the changelog for that.
    accept: async batch => {
      const fetchedAt = performance.now()
      return active && (open || batch.topic !== stage.input) && serially(() => process(batch, fetchedAt))
    },
    skip: (topic, next) => {
      if (!active || !inputs.skip(topic, next)) return
      openMain()
      serially(() => commitSkipped(topic, next)).catch((error: unknown) => fatal(toSentinelError(error)))
    },
    restored: (records, next) => changelog.feed(records, next),
    owned: () => owned,
    lagSeconds: (topic, records) => ageOf(topic).seconds(records),
    size: () => task?.size?.(),
    trouble: () => trouble,
    close: async () => {
      supersede()
      await serially(() => Promise.resolve())
      await Promise.all(closings)
    },
  }
}
