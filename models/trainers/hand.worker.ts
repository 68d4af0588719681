import { type MessagePort, workerData } from 'node:worker_threads'
import { messageOf } from '../../runtime/errors.ts'
import { type Done, perform, type Task } from './members.ts'

/** What a thread that helps in a training is started with. */
export interface HandOptions {
  /** Where tasks come from and results go. */
  readonly port: MessagePort
  /** One number, counted up after each result, for whoever waits for it. */
  readonly results: Int32Array
}

/** What a helping thread answers. */
export type HandReply = { readonly done: Done } | { readonly failed: string }

const { port, results } = workerData as HandOptions

const answer = (task: Task): HandReply => {
  try {
    return { done: perform(task) }
  } catch (error) {
    return { failed: messageOf(error) }
  }
}

port.on('message', (task: Task) => {
  port.postMessage(answer(task))
  Atomics.add(results, 0, 1)
  Atomics.notify(results, 0)
})
