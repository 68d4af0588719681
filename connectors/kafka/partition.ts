import { setTimeout as sleep } from 'node:timers/promises'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { type Age, createAge } from './age.ts'
import { createChangelog } from './changelog.ts'
import { HEARTBEAT_MS } from './client.ts'
import { isFenced, toKafkaError } from './errors.ts'
import type { Flow } from './flow.ts'
import { createInputs, inputsOf } from './inputs.ts'
import { createMeasures } from './measures.ts'
import { planBatch } from './plan.ts'
import type { Positions } from './positions.ts'
import type { InputRecord, OutputRecord, PartitionTask, Stage, StateSize } from './stage.ts'
import type { Session, Transactions, Turn } from './transactions.ts'
import { processReadable } from './withheld.ts'

interface PartitionDeps {
  /** The transactions of the member that owns it. */
  readonly transactions: Transactions
  /** Most that a record may hold, in bytes. */
  readonly maxRecordBytes: number
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
   * Takes the partition, or takes it anew: once predecessors are fenced it finds where to read on, restores, reads the side
   * inputs up to their present ends, and last reads the main one.
   */
  take(): void
  /** Gives it up: nothing is written any more, state in memory is dropped. */
  release(): void
  /**
   * Processes a batch, all of it in one transaction. True when it is committed; false when it was not taken, because the
   * partition is being taken anew and the records will come again.
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
  /** Releases it, and resolves when no work is in flight. */
  close(): Promise<void>
}

/** Waits of 0.1 s to 10 s, doubled each time, each ±50 %, in ms. */
const backoffMs = (failures: number): number =>
  Math.min(10_000, 100 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random())

/**
 * A member that was thought dead learns from its next heartbeat that it has lost the partition: it waits for that, in ms,
 * before it fences the new owner in turn.
 */
const FENCED_PAUSE_MS = 1.2 * HEARTBEAT_MS

/**
 * Makes the owner of one partition. It is in one of three states: released, being taken, or active; each change aborts
 * the signal of the state before, so that work which outlived it can tell. Batches and takings of it never overlap.
 */
export const createPartition = (deps: PartitionDeps): OwnedPartition => {
  const { transactions, stage, partition, flow, maxRecordBytes } = deps
  const name = `${stage.input}-${partition}`
  const log = deps.log.child({ topic: stage.input, partition })
  const inputs = createInputs(deps)
  const changelog = createChangelog({ ...deps, log })
  const measures = createMeasures(deps)
  const ages = new Map<string, Age>()

  let state = new AbortController()
  let owned = false
  let active = false
  /** Whether the main input is read, too. */
  let open = false
  let session: Session | undefined
  let task: PartitionTask | undefined
  let failures = 0
  let trouble: string | undefined
  let tail: Promise<unknown> = Promise.resolve()

  /** Runs work after all that was handed in before. */
  const serially = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work)
    // Whoever handed it in sees the error; the next in line only waits.
    tail = result.catch(() => undefined)
    return result
  }

  const supersede = (): AbortSignal => {
    state.abort()
    state = new AbortController()
    active = false
    open = false
    session = undefined
    return state.signal
  }

  const fatal = (error: SentinelError) => {
    supersede()
    deps.fatal(error)
  }

  /** Finds where the group goes on in each input, and a task that stands there. */
  const recover = async (signal: AbortSignal): Promise<void> => {
    const starts = await inputs.find(signal)
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

  /** A batch that is under way when its session ends fails by itself; then there is nothing left to do. */
  const renewAfter = (mine: Session) => {
    const renew = async () => {
      const reason = await mine.ended
      await serially(async () => {
        if (session === mine) pauseAndTakeAnew(isFenced(reason) ? FENCED_PAUSE_MS : 0)
      })
    }
    renew().catch((error: unknown) => fatal(toSentinelError(error)))
  }

  const takeOnce = async (signal: AbortSignal): Promise<void> => {
    const fresh = await transactions.session()
    // The batch that an earlier state began can no longer commit, but it may just have; wait for its end.
    await serially(async () => {
      signal.throwIfAborted()
      await recover(signal)
    })
    signal.throwIfAborted()
    for (const side of stage.sideInputs ?? []) flow.start(side, partition, inputs.position(side))
    openMain()
    session = fresh
    active = true
    renewAfter(fresh)
    trouble = undefined
    log.debug({ offset: inputs.position(stage.input) }, 'partition taken')
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

  /** After any error everything that was believed about the partition is done with. */
  const failed = (signal: AbortSignal, error: unknown, topic: string, from: number) => {
    const problem = toKafkaError(error, `processing ${topic}-${partition} from offset ${from}`)
    if (signal.aborted) return
    if (problem.outcome !== 'retriable') return fatal(problem)
    failures++
    const delay = Math.max(isFenced(error) ? FENCED_PAUSE_MS : 0, backoffMs(failures))
    trouble = problem.message
    log.warn({ code: problem.code, topic, offset: from, retryMs: Math.round(delay) }, problem.message)
    pauseAndTakeAnew(delay)
  }

  const commit = async (turn: Turn, records: readonly OutputRecord[], topic: string, next: number) => {
    const offsets = inputs.toCommit(topic, next).map(each => ({ ...each, partition }))
    await turn.commit({ records, offsets })
    failures = 0
  }

  const process = async (batch: FetchedBatch, fetchedAt: number): Promise<boolean> => {
    const { signal } = state
    const [mine, current] = [session, task]
    const { topic, fetched, next, records } = batch
    if (!active || mine === undefined || current === undefined) return false
    const from = inputs.position(topic)
    if (!inputs.expects(topic, fetched)) {
      const message = `${topic}-${partition}: offset ${fetched} was fetched where ${from} is next`
      fatal(new SentinelError('NS_OFFSET_LOST', message))
      return false
    }
    const begun = performance.now()
    const age = ageOf(topic)
    age.fetched(records)
    const turn = mine.begin()
    try {
      const result = await processReadable(stage, current, records)
      const processed = performance.now()
      const outputs = planBatch(result, stage, partition, maxRecordBytes)
      await commit(turn, outputs, topic, next)
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
      turn.drop()
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
    const mine = session
    if (!active || mine === undefined || !inputs.behind(topic, next)) return
    try {
      await commit(mine.begin(), [], topic, next)
      inputs.advance(topic, next)
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
    },
  }
}
