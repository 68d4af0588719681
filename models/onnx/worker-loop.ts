import { parentPort } from 'node:worker_threads'
import { messageOf, SentinelError } from '../../runtime/errors.ts'

/** Options of a session in a worker, which has its own thread: the runtime makes no more. */
export const ONE_THREAD = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  logSeverityLevel: 3,
} as const

/** What a model says of rows. */
export interface Scored {
  /** One a row. */
  readonly scores: Float32Array<ArrayBuffer>
  /** Rows × models. */
  readonly models: Float32Array<ArrayBuffer>
  /** Those rows, in order, that score high enough, and what each of their values contributes: that many × values of a row. */
  readonly explained: Float32Array<ArrayBuffer>
  readonly contributions: Float32Array<ArrayBuffer>
}

/** A message to the worker. */
export type Request =
  | { readonly type: 'run'; readonly id: number; readonly values: Float32Array<ArrayBuffer> }
  | { readonly type: 'close' }

/** A message from the worker. */
export type Reply =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'scored'; readonly id: number; readonly scored: Scored }
  | { readonly type: 'failed'; readonly id: number; readonly reason: string }

/** A model in this thread. */
export interface OpenModel {
  score(values: Float32Array<ArrayBuffer>): Promise<Scored>
  release(): Promise<void>
}

/** Opens a model and answers requests one after the other until it is closed; says so when it cannot be opened. */
export const serve = async (open: () => Promise<OpenModel>): Promise<void> => {
  const port = parentPort
  if (port === null) throw new SentinelError('NS_INTERNAL', 'a model is served in a worker thread only')
  const reply = (message: Reply, transfer: readonly ArrayBuffer[] = []) =>
    port.postMessage(message, [...transfer])
  let model: OpenModel
  try {
    model = await open()
  } catch (error) {
    reply({ type: 'refused', reason: messageOf(error) })
    return
  }
  const answer = async (request: Request) => {
    if (request.type === 'close') {
      await model.release()
      port.close()
      return
    }
    try {
      const scored = await model.score(request.values)
      const buffers = Object.values(scored).map((each: Float32Array<ArrayBuffer>) => each.buffer)
      reply({ type: 'scored', id: request.id, scored }, buffers)
    } catch (error) {
      reply({ type: 'failed', id: request.id, reason: messageOf(error) })
    }
  }
  // One request after the other: run() yields between batches, and a release must not overtake a run.
  let queue = Promise.resolve()
  port.on('message', (request: Request) => {
    queue = queue.then(() => answer(request))
  })
  reply({ type: 'ready' })
}
