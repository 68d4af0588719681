import { MessageChannel, Worker } from 'node:worker_threads'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { TrainedModel } from '../detector.ts'
import type { TrainingProgress } from './ensemble.ts'
import type { HandOptions } from './hand.worker.ts'
import type { Matrix } from './matrix.ts'
import type { TrainOptions } from './train.ts'
import type { TrainReply, TrainWorkerOptions } from './train.worker.ts'

/** How a training is run. */
export interface ThreadOptions {
  /** Threads that train, 1 or more. The model is the same to the byte whatever their number. */
  readonly threads: number
  /** Ends the training: its threads are terminated, whatever they are at. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TrainingProgress) => void
}

const failed = (cause: unknown) =>
  new SentinelError('NS_INTERNAL', `a thread of the training failed: ${messageOf(cause)}`, { cause })

/**
 * Trains in threads beside this one, as {@link trainOnRows} does in it. Rejects with what that throws, and with the
 * signal's reason when it aborts.
 */
export const trainInThreads = async (
  data: Matrix,
  { threads, signal, onProgress, ...options }: Omit<TrainOptions, 'hands' | 'onProgress'> & ThreadOptions,
): Promise<TrainedModel> => {
  signal?.throwIfAborted()
  const results = new Int32Array(new SharedArrayBuffer(4))
  const channels = Array.from({ length: threads - 1 }, () => new MessageChannel())
  const helpers = channels.map(({ port2 }) => {
    const workerData: HandOptions = { port: port2, results }
    return new Worker(new URL('./hand.worker.ts', import.meta.url), { workerData, transferList: [port2] })
  })
  const ports = channels.map(({ port1 }) => port1)
  const workerData: TrainWorkerOptions = { data, options, ports, results }
  const trainer = new Worker(new URL('./train.worker.ts', import.meta.url), {
    workerData,
    transferList: ports,
  })
  const { promise, resolve, reject } = Promise.withResolvers<TrainedModel>()
  const abort = () => reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  for (const worker of [trainer, ...helpers]) {
    worker.on('error', error => reject(failed(error)))
    worker.on('exit', code => {
      // A helper ends by itself when the trainer has, which may be heard of before what the trainer said last.
      if (worker === trainer || code !== 0) reject(failed(`it ended with code ${code}`))
    })
  }
  trainer.on('message', (reply: TrainReply) => {
    if (reply.type === 'progress') onProgress?.(reply.progress)
    else if (reply.type === 'trained') resolve(reply.model)
    else reject(new SentinelError(reply.code, reply.reason))
  })
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', abort)
    await Promise.all([trainer, ...helpers].map(worker => worker.terminate()))
  }
}
