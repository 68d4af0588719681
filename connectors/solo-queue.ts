import { setTimeout as sleep } from 'node:timers/promises'
import { type Job as BullJob, Queue, UnrecoverableError, Worker } from 'bullmq'
import { SentinelError, toSentinelError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import { connectionLog, HOLD, keyPrefix, openAdder, type QueuePlace } from './queue-connection.ts'
import { followQueueEvents } from './queue-events.ts'
import { createQueueConnection, reached } from './redis.ts'

/** How far a job has come. */
export interface SoloProgress {
  readonly phase: string
  /** 0 to 1, of the phase. */
  readonly done: number
}

/** What came of a job. */
export type SoloOutcome<R> = { readonly result: R } | { readonly failed: string }

/** A job as those see it who neither do it nor wait for it. Times are in ms since 1970 (UTC). */
export interface SoloJobView<T, R> {
  readonly id: string
  readonly state: 'waiting' | 'active' | 'completed' | 'failed'
  readonly data: T
  readonly added: number
  readonly started: number | null
  readonly ended: number | null
  readonly progress: SoloProgress | null
  readonly outcome: SoloOutcome<R> | null
}

/** The end of a queue of long jobs that jobs are put into, and watched from. */
export interface SoloQueue<T, R> {
  /** Adds a job, unless one with its id is there, done or not; resolves with the id. */
  add(data: T, id?: string): Promise<string>
  /** Adds a job whenever a cron expression (UTC) says so, and by no other from then on; never when it is empty. */
  schedule(cron: string, data: T): Promise<void>
  /** Whether a job waits or is being done. */
  isBusy(): Promise<boolean>
  /** The jobs that there are, the latest first; the next one by the clock is none before its time. */
  list(): Promise<readonly SoloJobView<T, R>[]>
  find(id: string): Promise<SoloJobView<T, R> | undefined>
  /** Ends a job: one that waits is gone, one that is being done is given up. False when there is none to be ended. */
  cancel(id: string): Promise<boolean>
  /** Follows a job to its end. Throws NS_USAGE when it is not there. */
  follow(id: string, watch: FollowOptions): Promise<SoloOutcome<R>>
  /**
   * Tells of the jobs that wait or are being done, and then of each to which something happens, whichever process does it;
   * steps that follow each other at once are told as one. The result ends it.
   */
  watch(watcher: SoloWatcher<T, R>): Promise<() => Promise<void>>
  problem(): Promise<string | undefined>
  close(): Promise<void>
}

/** Who is told of jobs. */
export interface SoloWatcher<T, R> {
  readonly onJob: (job: SoloJobView<T, R>) => void
  /** There is no such job any more: it was taken away before it was begun, or has ended long ago. */
  readonly onGone: (id: string) => void
}

/** Who follows a job. */
interface FollowOptions {
  readonly onProgress: (progress: SoloProgress) => void
  readonly signal: AbortSignal
}

/** A job in the hands of the worker. */
export interface SoloJob<T> {
  readonly id: string
  readonly data: T
  /** When it was added, in ms since 1970. */
  readonly added: number
  /** Tells those who follow it. What cannot be told is not: a job does not fail by that. */
  progress(progress: SoloProgress): void
  /** Replaces its data, with which it is taken up again when this process dies. */
  save(data: T): Promise<void>
}

const KEPT = { count: 100 }
const SCHEDULER = 'schedule'
const FOLLOW_MS = 250
/** How often a worker looks whether its job is cancelled, and how long such a wish is kept. */
const CANCEL_POLL_MS = 1_000
const CANCEL_KEPT_S = 86_400
/** How often a job may be taken from a killed process before it is given up. */
const STALLS = 10

const isProgress = (value: unknown): value is SoloProgress =>
  typeof value === 'object' && value !== null && 'phase' in value && 'done' in value

const cancelKey = ({ prefix, name }: QueuePlace, id: string): string =>
  `${keyPrefix(prefix)}:${name}:cancelled:${id}`

/** Queue states of jobs that are there, by what they are called here. */
const STATES = {
  waiting: 'waiting',
  active: 'active',
  completed: 'completed',
  failed: 'failed',
} as const

/**
 * Opens a queue whose jobs are done one at a time, whatever the number of workers and processes. `T` and `R` are written
 * as JSON. All of it throws NS_SERVICE_UNREACHABLE while Redis is away.
 */
export const createSoloQueue = async <T, R>(
  place: QueuePlace & { readonly log: Log },
): Promise<SoloQueue<T, R>> => {
  const { client, complain, problem, disconnect } = await openAdder(place)
  const queue = new Queue<unknown, unknown, string>(place.name, {
    connection: client,
    prefix: keyPrefix(place.prefix),
    defaultJobOptions: { removeOnComplete: KEPT, removeOnFail: KEPT, stackTraceLimit: 1 },
  })
  queue.on('error', complain.error)
  try {
    await reached(queue.setGlobalConcurrency(1))
  } catch (error) {
    disconnect()
    throw error
  }

  const outcomeOf = (state: string, job: BullJob): SoloOutcome<R> | null => {
    if (state === 'completed') return { result: job.returnvalue as R }
    return state === 'failed' ? { failed: job.failedReason } : null
  }

  const viewOf = async (read: BullJob): Promise<SoloJobView<T, R> | undefined> => {
    const state = await read.getState()
    if (!Object.hasOwn(STATES, state)) return undefined
    // It may have ended since it was read: then what came of it is not in there.
    const isOld = read.finishedOn === undefined && (state === 'completed' || state === 'failed')
    const job: BullJob | undefined = isOld ? await queue.getJob(read.id ?? '') : read
    if (job === undefined) return undefined
    return {
      id: job.id ?? '',
      state: STATES[state as keyof typeof STATES],
      data: job.data,
      added: job.timestamp,
      started: job.processedOn ?? null,
      ended: job.finishedOn ?? null,
      progress: isProgress(job.progress) ? job.progress : null,
      outcome: outcomeOf(state, job),
    }
  }

  const find = async (id: string) => {
    const job: BullJob | undefined = await reached(queue.getJob(id))
    return job === undefined ? undefined : reached(viewOf(job))
  }

  const list = async () => {
    const jobs: BullJob[] = await reached(queue.getJobs(Object.values(STATES)))
    const views = await reached(Promise.all(jobs.map(viewOf)))
    return views.flatMap(view => view ?? []).sort((a, b) => b.added - a.added)
  }

  return {
    find,
    list,
    watch: async ({ onJob, onGone }) => {
      // Before the jobs: what happens while they are read is told again.
      const [last] = await reached(client.xrevrange(queue.toKey('events'), '+', '-', 'COUNT', 1))
      for (const job of await list()) if (job.state === 'waiting' || job.state === 'active') onJob(job)
      return followQueueEvents({
        ...place,
        after: last?.[0] ?? '0',
        look: async id => {
          const job = await find(id)
          if (job === undefined) onGone(id)
          else onJob(job)
        },
      })
    },
    cancel: async id => {
      const state = (await find(id))?.state
      if (state !== 'waiting' && state !== 'active') return false
      // A job that waits may be taken up at this moment: the wish is there before it is looked for.
      await reached(client.set(cancelKey(place, id), '1', 'EX', CANCEL_KEPT_S))
      if (state === 'waiting') await reached(queue.remove(id))
      return true
    },
    add: async (data, id) => {
      const job = await reached(queue.add(place.name, data, id === undefined ? {} : { jobId: id }))
      return job.id ?? ''
    },
    schedule: async (cron, data) => {
      if (cron === '') await reached(queue.removeJobScheduler(SCHEDULER))
      else
        await reached(
          queue.upsertJobScheduler(SCHEDULER, { pattern: cron, tz: 'UTC' }, { name: place.name, data }),
        )
    },
    isBusy: async () => {
      const { waiting = 0, active = 0 } = await reached(queue.getJobCounts('waiting', 'active'))
      return waiting + active > 0
    },
    follow: async (id, { onProgress, signal }) => {
      for (;;) {
        signal.throwIfAborted()
        const job = await find(id)
        if (job === undefined) throw new SentinelError('NS_USAGE', `there is no job ${id}`)
        if (job.progress !== null) onProgress(job.progress)
        if (job.outcome !== null) return job.outcome
        await sleep(FOLLOW_MS)
      }
    },
    problem,
    close: async () => {
      disconnect()
      await queue.close()
    },
  }
}

interface SoloWorkerOptions<T, R> extends QueuePlace {
  readonly log: Log
  /**
   * Does a job. One whose process is killed is taken up again, with the data that it saved. An error gives it up, and is
   * kept with it. The signal aborts when the worker closes; the job is taken up again then.
   */
  readonly run: (job: SoloJob<T>, signal: AbortSignal) => Promise<R>
  readonly onFailed: (id: string, error: Error) => void
}

/** Starts doing the jobs of a queue. While Redis is away it waits. `close` ends the job in hand. */
export const createSoloWorker = <T, R>(options: SoloWorkerOptions<T, R>): { close(): Promise<void> } => {
  const { client, disconnect } = createQueueConnection(options.redis, 'worker')
  const complain = connectionLog(options.log, `worker of ${options.name}`)
  const closing = new AbortController()
  const inHand = new Set<Promise<R>>()
  const watchForCancel = (id: string) => {
    const controller = new AbortController()
    const look = async () => {
      if ((await client.exists(cancelKey(options, id))) === 0) return
      controller.abort(new SentinelError('NS_CANCELLED', 'cancelled'))
    }
    const timer = setInterval(() => {
      look().catch(complain.error)
    }, CANCEL_POLL_MS)
    return { signal: controller.signal, stop: () => clearInterval(timer) }
  }
  const worker = new Worker<T, R, string>(
    options.name,
    async job => {
      const tell = (progress: SoloProgress) => {
        job.updateProgress({ ...progress }).catch(complain.error)
      }
      const cancelled = watchForCancel(job.id ?? '')
      const run = options.run(
        {
          id: job.id ?? '',
          data: job.data,
          added: job.timestamp,
          progress: tell,
          save: data => reached(job.updateData(data)),
        },
        AbortSignal.any([closing.signal, cancelled.signal]),
      )
      const work = run.finally(cancelled.stop)
      inHand.add(work)
      try {
        return await work
      } catch (error) {
        // Left as it is: its lock runs out, and the next worker takes it up where it stands.
        if (closing.signal.aborted) return await new Promise<never>(() => undefined)
        throw new UnrecoverableError(toSentinelError(error).message)
      } finally {
        inHand.delete(work)
      }
    },
    {
      connection: client,
      prefix: keyPrefix(options.prefix),
      concurrency: 1,
      ...HOLD,
      maxStalledCount: STALLS,
    },
  )
  worker.on('error', complain.error)
  worker.on('ready', complain.ready)
  worker.on('failed', (job, error) => options.onFailed(job?.id ?? '', error))
  return {
    close: async () => {
      closing.abort()
      await Promise.allSettled(inHand)
      await worker.close(true)
      disconnect()
    },
  }
}
