import type { SectionValues } from '../runtime/config.ts'
import { messageOf } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import { createQueueConnection, type QueueConnection, reached, type redisConfig } from './redis.ts'

/** Where a queue is. The two ends of one queue have the same. */
export interface QueuePlace {
  readonly redis: SectionValues<typeof redisConfig>
  /** Put before every key: systems that share one Redis have prefixes of their own. */
  readonly prefix: string
  readonly name: string
}

/** BullMQ reads a colon as a separator of its keys. */
export const keyPrefix = (prefix: string): string => `${prefix}netsentinel`

/** How long a process that is killed while it works on a job holds it, and how often is looked for such jobs, in ms. */
export const HOLD = { lockDuration: 15_000, stalledInterval: 5_000 }

/** Logs what goes wrong with a connection when it changes, where the client reports it at each attempt to connect. */
export const connectionLog = (log: Log, what: string) => {
  let last: string | undefined
  return {
    error: (error: unknown) => {
      const problem = messageOf(error)
      if (problem !== last) log.warn({ problem }, `${what}: trouble with redis`)
      last = problem
    },
    ready: () => {
      if (last !== undefined) log.info(`${what}: redis is back`)
      last = undefined
    },
  }
}

/** The connection of the end of a queue that jobs are put into. */
export interface Adder extends Pick<QueueConnection, 'client' | 'disconnect'> {
  readonly complain: ReturnType<typeof connectionLog>
  /** What is wrong with it, if anything. Never throws. */
  problem(): Promise<string | undefined>
}

/** Resolves when Redis has answered; throws NS_SERVICE_UNREACHABLE when it does not. */
export const openAdder = async (place: QueuePlace & { readonly log: Log }): Promise<Adder> => {
  const { client, disconnect } = createQueueConnection(place.redis, 'adder')
  const complain = connectionLog(place.log, `queue ${place.name}`)
  client.on('error', complain.error).on('ready', complain.ready)
  try {
    await reached(client.connect())
  } catch (error) {
    disconnect()
    throw error
  }
  const problem = async () => {
    try {
      await client.ping()
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }
  return { client, complain, problem, disconnect }
}
