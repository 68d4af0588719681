import { setTimeout as sleep } from 'node:timers/promises'
import { type Job as BullJob, Queue, UnrecoverableError, Worker } from 'bullmq'
import { toSentinelError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import { connectionLog, HOLD, keyPrefix, openAdder, type QueuePlace } from './queue-connection.ts'
import { createQueueConnection, reached } from './redis.ts'

/** How long a job is tried, and what is kept of it. */
interface QueueOptions extends QueuePlace {
  readonly log: Log
  /** How often a job is tried before it is given up. */
  readonly attempts: number
  /** How long a job that is done or given up is kept, in ms: as long, its id keeps the same one from being added anew. */
  readonly keptMs: number
}

/** What is yet to be done in a queue. */
export interface Backlog {
  /** Jobs that are not done and not given up. */
  readonly jobs: number
  /** When the oldest of them was added, in ms since 1970 (UTC). Among more than 1,000 delayed ones it may be missed. */
  readonly oldest: number | undefined
}

/** The end of a queue that jobs are put into. `T` is written as JSON. */
export interface JobQueue<T> {
  /**
   * Adds a job, unless one with its id is there, done or not; resolves when Redis has it. Throws NS_SERVICE_UNREACHABLE,
   * at once, while Redis is away.
   */
  add(id: string, data: T): Promise<void>
  /** Throws NS_SERVICE_UNREACHABLE. */
  backlog(): Promise<Backlog>
  /** What is wrong with the connection, if anything. Never throws. */
  problem(): Promise<string | undefined>
  close(): Promise<void>
}

/** Longest that finished jobs are kept by number. */
const KEPT_JOBS = 10_000
const DELAYED_JOBS_SEEN = 1_000
const PENDING = ['waiting', 'active', 'delayed'] as const

/** Opens a queue to add jobs to. Resolves when Redis has answered; throws NS_SERVICE_UNREACHABLE when it does not. */
export const createQueue = async <T>(options: QueueOptions): Promise<JobQueue<T>> => {
  const { name } = options
  const { client, complain, problem, disconnect } = await openAdder(options)
  const kept = { age: Math.ceil(options.keptMs / 1000), count: KEPT_JOBS }
  const queue = new Queue<unknown, void, string>(name, {
    connection: client,
    prefix: keyPrefix(options.prefix),
    defaultJobOptions: {
      attempts: options.attempts,
      backoff: { type: 'custom' },
      removeOnComplete: kept,
      removeOnFail: kept,
      stackTraceLimit: 1,
    },
  })
  queue.on('error', complain.error)
  return {
    add: async (id, data) => {
      await reached(queue.add(name, data, { jobId: id }))
    },
    backlog: async () => {
      const counts = await reached(queue.getJobCounts(...PENDING))
      const [first, delayed] = await reached(
        Promise.all([
          queue.getJobs(['waiting', 'active'], 0, 0, true),
          queue.getJobs(['delayed'], 0, DELAYED_JOBS_SEEN - 1, true),
        ]),
      )
      // A job may be gone by the time that it is looked up.
      const times = [...first, ...delayed].flatMap((job: BullJob | undefined) => job?.timestamp ?? [])
      const jobs = Object.values(counts).reduce((sum, count) => sum + count, 0)
      return { jobs, oldest: times.length === 0 ? undefined : Math.min(...times) }
    },
    problem,
    close: async () => {
      disconnect()
      await queue.close()
    },
  }
}

/** A job in the hands of a worker. */
export interface Job<T> {
  readonly id: string
  readonly data: T
  /** 1 for the first time. */
  readonly attempt: number
}

/** What an attempt came to: done, to be tried again, or given up. */
export type JobOutcome = 'done' | 'retried' | 'failed'

interface WorkerOptions<T> extends QueuePlace {
  readonly log: Log
  /** Jobs at a time. */
  readonly concurrency: number
  /**
   * Does a job, at least once: one whose process is killed is done again. A retriable error is tried again later, after
   * its `retryAfterMs` when it has one; any other gives the job up, which is kept with the reason. The signal aborts when
   * the worker closes and the job has not ended within 5 s.
   */
  readonly run: (job: Job<T>, signal: AbortSignal) => Promise<void>
  /** Called when Redis has taken note of the outcome. */
  readonly onOutcome: (outcome: JobOutcome, job: Job<T>, error?: Error) => void
  /** First wait before a job is tried again, in ms; 1,000 when not given. */
  readonly firstWaitMs?: number
}

const GRACE_MS = 5_000
/** How long Redis may take, at closing, to take note of what was done, in ms. */
const NOTE_MS = 2_000
/** How often a job may be taken from a killed process before it is given up: a crash of the process is not its fault. */
const STALLS = 1_000
const MOST_WAIT_MS = 3_600_000

const pause = (ms: number): Promise<void> => sleep(ms, undefined, { ref: false })

/** When an error says how long to wait before the next attempt. */
const retryAfterMsOf = (error: unknown): number | undefined =>
  error instanceof Error && 'retryAfterMs' in error && typeof error.retryAfterMs === 'number'
    ? error.retryAfterMs
    : undefined

/**
 * How long to wait after a failed attempt, in ms: doubled each time, up to an hour, each with "equal jitter" of half of it
 * (Brooker, Exponential Backoff and Jitter, 2015); never less than the receiver asked for, up to an hour.
 */
export const waitBeforeRetry = (
  attempt: number,
  {
    firstMs,
    retryAfterMs = 0,
    random = Math.random,
  }: { readonly firstMs: number; readonly retryAfterMs?: number; readonly random?: () => number },
): number => {
  const full = Math.min(MOST_WAIT_MS, firstMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(Math.max(full / 2 + (random() * full) / 2, Math.min(MOST_WAIT_MS, retryAfterMs)))
}

const jobOf = <T>({ id, data, attemptsMade }: BullJob<T, void, string>, done: number): Job<T> => ({
  id: id ?? '',
  data,
  attempt: attemptsMade + 1 - done,
})

/** The end of a queue that does the jobs. */
export interface JobWorker {
  /** Takes no further job, and resolves when those in hand have ended; after 5 s their signal aborts. */
  close(): Promise<void>
}

/** Starts doing the jobs of a queue, of this process and of others. While Redis is away it waits. */
export const createWorker = <T>(options: WorkerOptions<T>): JobWorker => {
  const { name, run, onOutcome, log, firstWaitMs = 1_000 } = options
  const { client, isUp, disconnect } = createQueueConnection(options.redis, 'worker')
  const closing = new AbortController()
  const inHand = new Set<Promise<void>>()
  const complain = connectionLog(log, `worker of ${name}`)
  const worker = new Worker<T, void, string>(
    name,
    async job => {
      const work = run(jobOf(job, 0), closing.signal)
      inHand.add(work)
      try {
        await work
      } catch (error) {
        const problem = toSentinelError(error)
        if (problem.outcome === 'retriable') throw error
        throw new UnrecoverableError(problem.message)
      } finally {
        inHand.delete(work)
      }
    },
    {
      connection: client,
      prefix: keyPrefix(options.prefix),
      concurrency: options.concurrency,
      ...HOLD,
      maxStalledCount: STALLS,
      settings: {
        backoffStrategy: (attempt, _type, error) => {
          const retryAfterMs = retryAfterMsOf(error)
          return waitBeforeRetry(attempt, {
            firstMs: firstWaitMs,
            ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          })
        },
      },
    },
  )
  worker.on('error', complain.error)
  worker.on('ready', complain.ready)
  worker.on('completed', job => onOutcome('done', jobOf(job, 1)))
  worker.on('failed', (job, error) => {
    if (job === undefined) return
    const isFinal = error.name === 'UnrecoverableError' || job.attemptsMade >= (job.opts.attempts ?? 1)
    onOutcome(isFinal ? 'failed' : 'retried', jobOf(job, 1), error)
  })
  return {
    close: async () => {
      await worker.pause(true)
      const timer = setTimeout(() => closing.abort(), GRACE_MS)
      await Promise.allSettled(inHand)
      clearTimeout(timer)
      // Without Redis nothing can take note of what was done, and the library would wait for it for ever.
      await Promise.race([worker.close(!isUp()), pause(NOTE_MS)])
      disconnect()
    },
  }
}
