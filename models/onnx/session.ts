import { Worker } from 'node:worker_threads'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { WorkerOptions } from './session.worker.ts'
import type { Reply, Request, Scored } from './worker-loop.ts'

/** Rows of a run, made up with zeros where there are fewer: for a tree ensemble larger runs are hardly faster. */
const BATCH_ROWS = 128

/**
 * Memory of the worker's own JavaScript, in MB. It holds buffers that come and go; without a bound it keeps as much young
 * memory as the process, which sees far more objects. The model is outside of it.
 */
const LIMITS = { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 128 }

/** How to open a model. */
export interface SessionOptions extends Omit<WorkerOptions, 'batchRows'> {
  readonly batchRows?: number
  /** The worker's source; another one in tests. */
  readonly worker?: URL
}

/** A model in a worker thread of its own: the runtime's `run()` blocks the thread that calls it. */
export interface Session {
  /**
   * Scores rows × features values, in order; the buffer is moved to the worker and empty afterwards.
   * Calls are served one after the other. Rejects with NS_SCORING_FAILED when the model fails or its worker has ended.
   */
  run(values: Float32Array<ArrayBuffer>): Promise<Scored>
  /** Waits for calls in flight and ends the worker. May be called twice. */
  close(): Promise<void>
}

type Waiting = PromiseWithResolvers<Scored>

const failed = (reason: string, cause?: unknown) => new SentinelError('NS_SCORING_FAILED', reason, { cause })

/**
 * Opens a model of ours. Rejects with NS_MODEL_REFUSED and the runtime's reason when it cannot be loaded or lacks a named
 * input or output.
 */
export const createSession = (options: SessionOptions): Promise<Session> => {
  const { worker = new URL('./session.worker.ts', import.meta.url), ...rest } = options
  return openWorker(worker, { batchRows: BATCH_ROWS, ...rest } satisfies WorkerOptions)
}

/** Opens a model in a worker of this source, which is given `workerData`. Rejects with NS_MODEL_REFUSED and its reason. */
export const openWorker = async (source: URL, workerData: object): Promise<Session> => {
  const worker = new Worker(source, { workerData, resourceLimits: LIMITS })
  const pending = new Map<number, Waiting>()
  const started = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  let nextId = 0
  let closed = false
  let end: SentinelError | undefined

  const fail = (error: SentinelError) => {
    end ??= error
    started.reject(new SentinelError('NS_MODEL_REFUSED', error.message, { cause: error }))
    for (const waiting of pending.values()) waiting.reject(end)
    pending.clear()
  }

  worker.on('message', (reply: Reply) => {
    if (reply.type === 'ready') started.resolve()
    else if (reply.type === 'refused') started.reject(new SentinelError('NS_MODEL_REFUSED', reply.reason))
    else {
      const waiting = pending.get(reply.id)
      pending.delete(reply.id)
      if (reply.type === 'scored') waiting?.resolve(reply.scored)
      else waiting?.reject(failed(reply.reason))
    }
  })
  worker.on('error', error => fail(failed(`the model's worker failed: ${messageOf(error)}`, error)))
  worker.on('messageerror', error =>
    fail(failed(`a reply of the model's worker is lost: ${messageOf(error)}`, error)),
  )
  worker.on('exit', code => {
    fail(failed(closed ? 'the model is closed' : `the model's worker ended with code ${code}`))
    ended.resolve()
  })

  const send = (request: Request, transfer: readonly ArrayBuffer[] = []) =>
    worker.postMessage(request, [...transfer])

  try {
    await started.promise
  } catch (error) {
    await worker.terminate()
    throw error
  }
  return {
    run: values => {
      if (closed || end !== undefined) return Promise.reject(end ?? failed('the model is closed'))
      const id = nextId++
      const waiting: Waiting = Promise.withResolvers()
      pending.set(id, waiting)
      send({ type: 'run', id, values }, [values.buffer])
      return waiting.promise
    },
    close: () => {
      if (!closed) send({ type: 'close' })
      closed = true
      return ended.promise
    },
  }
}
