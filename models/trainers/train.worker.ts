import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type ErrorCode, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { TrainedModel } from '../detector.ts'
import type { TrainingProgress } from './ensemble.ts'
import type { HandReply } from './hand.worker.ts'
import type { Matrix } from './matrix.ts'
import { createHands, type Done, perform, type Task } from './members.ts'
import { type TrainOptions, trainOnRows } from './train.ts'

/** What the thread of a training is started with. */
export interface TrainWorkerOptions {
  readonly data: Matrix
  readonly options: TrainOptions
  /** Of the threads that help. */
  readonly ports: readonly MessagePort[]
  readonly results: Int32Array
}

/** What it says. */
export type TrainReply =
  | { readonly type: 'progress'; readonly progress: TrainingProgress }
  | { readonly type: 'trained'; readonly model: TrainedModel }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly reason: string }

const { data, options, ports, results } = workerData as TrainWorkerOptions
const parent = parentPort
if (parent === null) throw new SentinelError('NS_INTERNAL', 'train.worker.ts runs in a worker thread only')
const say = (reply: TrainReply) => parent.postMessage(reply, [])

/** The next result of a helping thread; this thread, which has nothing else to do, sleeps until it is there. */
const receive = (port: MessagePort): Done => {
  for (;;) {
    const seen = Atomics.load(results, 0)
    const received = receiveMessageOnPort(port)
    if (received === undefined) {
      Atomics.wait(results, 0, seen)
      continue
    }
    const reply = received.message as HandReply
    if ('failed' in reply) throw new SentinelError('NS_MODEL_REFUSED', reply.failed)
    return reply.done
  }
}

/** Shares tasks out: the first to this thread, the next to the first that helps, and so on. Results are in their order. */
const share = (tasks: readonly Task[]): Done[] => {
  const portOf = (i: number) => ports[(i % (ports.length + 1)) - 1]
  for (const [i, task] of tasks.entries()) portOf(i)?.postMessage(task)
  const own = tasks.map((task, i) => (portOf(i) === undefined ? perform(task) : undefined))
  return own.map((done, i) => {
    const port = portOf(i)
    if (done !== undefined) return done
    if (port === undefined) throw new SentinelError('NS_INTERNAL', `nobody did task ${i}`)
    return receive(port)
  })
}

try {
  const hands = createHands(share, ports.length + 1)
  const onProgress = (progress: TrainingProgress) => say({ type: 'progress', progress })
  say({ type: 'trained', model: trainOnRows(data, { ...options, hands, onProgress }) })
} catch (error) {
  const { code, message } = toSentinelError(error)
  say({ type: 'failed', code, reason: message })
}
