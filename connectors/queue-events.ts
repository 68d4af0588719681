import { setTimeout as sleep } from 'node:timers/promises'
import { QueueEvents } from 'bullmq'
import type { Log } from '../runtime/log.ts'
import { connectionLog, keyPrefix, type QueuePlace } from './queue-connection.ts'
import { createQueueConnection } from './redis.ts'

/** What happens to a job, by the names that BullMQ has for it. */
const EVENTS = ['waiting', 'active', 'progress', 'completed', 'failed', 'removed'] as const

/** Wait after each look at a job, in ms: what happens to it meanwhile is seen by one look. */
const LOOK_MS = 250

interface QueueEventsOptions extends QueuePlace {
  readonly log: Log
  /** Id of the last event that is known; what comes behind it is told. */
  readonly after: string
  /** Looks at a job to which something has happened, one at a time. It is asked to again when it throws. */
  readonly look: (id: string) => Promise<void>
}

/** Follows what happens to the jobs of a queue, whichever process does them. While Redis is away it waits. The result ends it. */
export const followQueueEvents = (options: QueueEventsOptions): (() => Promise<void>) => {
  const { name, prefix, after, look, log } = options
  const { client, disconnect } = createQueueConnection(options.redis, 'worker')
  const complain = connectionLog(log, `events of ${name}`)
  const events = new QueueEvents(name, {
    connection: client,
    prefix: keyPrefix(prefix),
    lastEventId: after,
  })
  const changed = new Set<string>()
  let looking: Promise<void> | undefined
  let isClosed = false

  const lookAtAll = async () => {
    for (const id of changed) {
      if (isClosed) return
      changed.delete(id)
      try {
        await look(id)
        complain.ready()
      } catch (error) {
        complain.error(error)
        changed.add(id)
      }
      await sleep(LOOK_MS, undefined, { ref: false })
    }
  }
  const note = ({ jobId }: { readonly jobId: string }) => {
    changed.add(jobId)
    looking ??= lookAtAll().finally(() => {
      looking = undefined
    })
  }
  for (const event of EVENTS) events.on(event, note)
  events.on('error', complain.error)
  return async () => {
    isClosed = true
    disconnect()
    await events.close()
    await looking
  }
}
