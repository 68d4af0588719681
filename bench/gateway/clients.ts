import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { LoadAnswer, LoadRequest } from './load.ts'
import type { Target } from './protocols.ts'

/** Processes that hold the clients: reading costs more than one core can give while servers send as fast as they can. */
const PROCESSES = 2

/** Clients whose latency is taken, of each group. */
const SAMPLED = 100

/** The clients of all servers, spread over processes of their own. */
export interface Clients {
  /** Brings the clients of a server to so many, all of them subscribed. */
  resize(target: Target, count: number): Promise<void>
  /** Resolves when each client of a server has got so many messages that are published from now on. */
  expect(target: Target, messages: number, withinMs: number): Promise<LoadAnswer>
  /** As many clients as there were come back at once; resolves when each has the messages that it has missed. */
  comeBack(target: Target, count: number, seen: number, missed: number): Promise<void>
  /** A client comes beside the others of the server, and reads nothing. */
  deafen(target: Target): Promise<void>
  /** It goes. */
  undeafen(target: Target): Promise<void>
  close(): void
}

const ask = (child: ChildProcess, request: LoadRequest): Promise<LoadAnswer> =>
  new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('a process of clients has ended'))
    child.once('exit', onExit)
    child.once('message', (message: { answer?: LoadAnswer; problem?: string }) => {
      child.off('exit', onExit)
      if (message.answer === undefined) reject(new Error(message.problem))
      else resolve(message.answer)
    })
    child.send(request)
  })

/** Starts the processes. */
export const startClients = (): Clients => {
  const children = Array.from({ length: PROCESSES }, () => fork(join(import.meta.dirname, 'load.ts')))
  const counts = new Map<string, number>()
  const askAll = (requestOf: (index: number) => LoadRequest) =>
    Promise.all(children.map((child, index) => ask(child, requestOf(index))))
  return {
    resize: async (target, count) => {
      const group = target.protocol
      const each = Math.round(count / PROCESSES)
      const before = counts.get(group) ?? 0
      counts.set(group, each)
      const sampledEvery = Math.max(1, Math.floor(count / SAMPLED))
      await askAll(() =>
        each < before
          ? { ask: 'keep', group, count: each }
          : { ask: 'open', group, target, count: each - before, sampledEvery },
      )
    },
    expect: async ({ protocol }, messages, withinMs) => {
      const answers = await askAll(() => ({ ask: 'expect', group: protocol, messages, withinMs }))
      return {
        received: answers.reduce((sum, { received }) => sum + received, 0),
        reads: answers.reduce((sum, { reads }) => sum + reads, 0),
        clients: answers.reduce((sum, { clients }) => sum + clients, 0),
        latencies: answers.flatMap(({ latencies }) => latencies),
      }
    },
    comeBack: async (target, count, seen, missed) => {
      const each = Math.round(count / PROCESSES)
      counts.set(target.protocol, each)
      const request = { ask: 'return', group: target.protocol, target, count: each, seen, missed } as const
      await askAll(() => request)
    },
    deafen: async target => {
      const [first] = children
      if (first !== undefined) await ask(first, { ask: 'deafen', group: target.protocol, target })
    },
    undeafen: async ({ protocol }) => {
      await askAll(() => ({ ask: 'undeafen', group: protocol }))
    },
    close: () => {
      for (const child of children) child.kill()
    },
  }
}
