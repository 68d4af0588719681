import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { type Notification, type Notifier, parseNotification } from '../../connectors/notifiers/notifier.ts'
import { createQueue, createWorker, type JobQueue } from '../../connectors/queue.ts'
import type { redisConfig } from '../../connectors/redis.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { isPoison, messageOf } from '../../runtime/errors.ts'
import { type Check, createCloser, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Alert } from '../../schemas/generated.ts'
import type { notifyConfig } from './config.ts'
import { notificationOf } from './decide.ts'

/** What notification is made of. */
export interface NotifyingDeps {
  readonly config: SectionValues<typeof notifyConfig>
  readonly redis: SectionValues<typeof redisConfig>
  /** Put before the keys of the queues: systems that share one Redis have prefixes of their own. */
  readonly prefix: string
  readonly notifiers: readonly Notifier[]
  /** The alert of a record; undefined where there is nothing that people could be told. */
  readonly decodeAlert: (topic: string, value: Buffer) => Promise<Alert | undefined>
  /** Starts to consume `alerts` and `audit`, at least once: what `onBatch` has taken is committed when it resolves. */
  readonly consume: (onBatch: (records: readonly InputRecord[]) => Promise<void>) => Promise<Service>
  readonly log: Log
  readonly metrics: Metrics
  readonly now?: () => number
}

/** How long a notification that was sent or given up is remembered, so that a record read again does not repeat it. */
const KEPT_MS = 7 * 24 * 3_600_000
/** Notifications to one receiver at a time. */
const CONCURRENCY = 4
const METRICS_MS = 5_000

/**
 * Starts notification: alerts that are worth it become one job for each notifier, in a queue of the notifier's own, and
 * only then is their offset committed; workers in this process send them. A notifier that is away is tried again with
 * growing waits, and delays no other. While Redis is away nothing is committed.
 *
 * Throws NS_SERVICE_UNREACHABLE and what `consume` throws.
 */
export const startNotifying = async (deps: NotifyingDeps): Promise<Service> => {
  const { config, redis, prefix, notifiers, log, metrics, now = Date.now } = deps
  const closer = createCloser()
  const queues = new Map<string, JobQueue<Notification>>()
  try {
    for (const notifier of notifiers) {
      const place = { redis, prefix, name: `notify-${notifier.name}`, log }
      const queue = await createQueue<Notification>({ ...place, attempts: config.attempts, keptMs: KEPT_MS })
      queues.set(notifier.name, queue)
      closer.add(() => queue.close())
      const worker = createWorker<unknown>({
        ...place,
        concurrency: CONCURRENCY,
        run: ({ data }, signal) => notifier.send(parseNotification(data), signal),
        onOutcome: (outcome, { id, attempt }, error) => {
          metrics.notifications.inc({
            notifier: notifier.name,
            outcome: outcome === 'done' ? 'sent' : outcome,
          })
          const line = { notifier: notifier.name, notification: id, attempt, problem: error?.message }
          if (outcome === 'failed') log.error(line, 'a notification is given up')
          else if (outcome === 'retried') log.warn(line, 'a notification was not sent and is tried again')
        },
      })
      closer.add(() => worker.close())
    }
    closer.add(watchBacklogs(queues, deps))
  } catch (error) {
    await closer.close()
    throw error
  }

  const decide = async (record: InputRecord): Promise<Notification | undefined> => {
    const { topic, partition, offset, value, timestamp } = record
    if (value === null) return undefined
    try {
      const alert = await deps.decodeAlert(topic, value)
      const notification = alert === undefined ? undefined : notificationOf(alert, config)
      const isStale = now() - timestamp > config.maxAgeMs
      const decision = notification === undefined ? 'quiet' : isStale ? 'stale' : 'notified'
      metrics.alertsPassed.inc({ decision })
      return isStale ? undefined : notification
    } catch (error) {
      if (!isPoison(error)) throw error
      metrics.alertsPassed.inc({ decision: 'undecodable' })
      log.error(
        { topic, partition, offset, code: error.code },
        `nobody is told of an alert: ${error.message}`,
      )
      return undefined
    }
  }

  const onBatch = async (records: readonly InputRecord[]) => {
    for (const record of records) {
      const notification = await decide(record)
      if (notification === undefined) continue
      for (const queue of queues.values()) await queue.add(notification.key, notification)
    }
  }

  let consumer: Service
  try {
    consumer = await deps.consume(onBatch)
  } catch (error) {
    await closer.close()
    throw error
  }
  closer.add(() => consumer.close())
  log.info({ notifiers: notifiers.map(({ name }) => name) }, 'notifying')

  const check = async (): Promise<readonly Check[]> => {
    const problems = await Promise.all([...queues.values()].map(queue => queue.problem()))
    const problem = problems.find(each => each !== undefined)
    return [
      ...(await consumer.check()),
      { name: 'redis (notify)', ...(problem === undefined ? {} : { problem }) },
    ]
  }
  return { name: 'notify', check, failed: consumer.failed, close: () => closer.close() }
}

/** Keeps the metrics of what is not sent yet; the result ends it. */
const watchBacklogs = (
  queues: ReadonlyMap<string, JobQueue<Notification>>,
  { metrics, log, now = Date.now }: NotifyingDeps,
) => {
  const look = async () => {
    for (const [notifier, queue] of queues) {
      const { jobs, oldest } = await queue.backlog()
      metrics.notificationsQueued.set({ notifier }, jobs)
      metrics.notificationsOldest.set({ notifier }, oldest === undefined ? 0 : (now() - oldest) / 1000)
    }
  }
  const timer = setInterval(() => {
    look().catch((error: unknown) =>
      log.debug({ problem: messageOf(error) }, 'the queues cannot be looked at'),
    )
  }, METRICS_MS)
  return () => clearInterval(timer)
}
