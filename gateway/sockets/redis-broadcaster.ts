import type { Redis } from '../../connectors/redis.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { type Channel, type Delivery, parseDelivery } from '../../schemas/wire.ts'
import type { Broadcaster } from './broadcaster.ts'

interface RedisBroadcasterDeps {
  readonly redis: Pick<Redis, 'publish' | 'subscribe' | 'problem'>
  /** Put before the names of the channels, so that installations can share a Redis. */
  readonly prefix: string
  /** How long a message may take from Redis back to its sender, in ms. */
  readonly echoTimeoutMs?: number
  readonly log: Log
  readonly metrics: Metrics
}

const ECHO_TIMEOUT_MS = 5_000

const keyOf = ({ type, position }: Delivery) => `${type} ${position.partition} ${position.offset}`

/**
 * A Broadcaster over Redis pub/sub. Redis forgets a message at once, and drops a subscriber that was away or too slow
 * without telling the publisher. So a broadcaster that subscribes itself counts a message as taken only when it has come
 * back to it: what its own sockets did not get is broadcast again. (Other replicas see a gap in `previous`.)
 */
export const createRedisBroadcaster = (deps: RedisBroadcasterDeps): Broadcaster => {
  const { redis, prefix, log, metrics, echoTimeoutMs = ECHO_TIMEOUT_MS } = deps
  const channels: Readonly<Record<Delivery['type'], string>> = {
    threat: `${prefix}gateway:${'threats' satisfies Channel}`,
    alert: `${prefix}gateway:${'alerts' satisfies Channel}`,
  }
  const echoes = new Map<string, () => void>()
  const receivers = new Set<(delivery: Delivery) => void>()
  const ends: Array<() => Promise<void>> = []
  let subscribing: Promise<unknown> | undefined

  const onMessage = (payload: string) => {
    const delivery = parseDelivery(payload)
    if (delivery === undefined) {
      metrics.malformedBroadcasts.inc()
      log.warn({ bytes: payload.length }, 'a message from redis does not fit the wire schema and is dropped')
      return
    }
    for (const receive of receivers) receive(delivery)
    echoes.get(keyOf(delivery))?.()
  }

  const connect = async () => {
    for (const channel of Object.values(channels)) ends.push(await redis.subscribe(channel, onMessage))
  }

  /** Resolves when the message has come back; rejects when it takes too long. */
  const awaitEcho = (key: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(
      () =>
        reject(
          new SentinelError(
            'NS_SERVICE_UNREACHABLE',
            `Redis: a message did not come back in ${echoTimeoutMs} ms`,
          ),
        ),
      echoTimeoutMs,
    )
    const forget = () => {
      clearTimeout(timer)
      if (echoes.get(key) === resolve) echoes.delete(key)
    }
    echoes.set(key, resolve)
    return { returned: promise.finally(forget), cancel: resolve }
  }

  const publish = async (type: Delivery['type'], payload: string) => {
    const reached = await redis.publish(channels[type], payload)
    if (reached === 0) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'Redis: nobody received a message')
  }

  const broadcast = async (delivery: Delivery) => {
    const payload = JSON.stringify(delivery)
    // Every gateway would drop it, this one too, which would then wait for it for ever. (JSON has no NaN, say.)
    if (parseDelivery(payload) === undefined) {
      throw new SentinelError('NS_MALFORMED', `${keyOf(delivery)} does not fit the wire schema`)
    }
    if (receivers.size === 0) {
      await redis.publish(channels[delivery.type], payload)
      return
    }
    const echo = awaitEcho(keyOf(delivery))
    try {
      await Promise.all([publish(delivery.type, payload), echo.returned])
    } finally {
      echo.cancel()
    }
  }

  return {
    broadcastThreat: broadcast,
    broadcastAlert: broadcast,
    subscribe: async receive => {
      subscribing ??= connect()
      try {
        await subscribing
      } catch (error) {
        subscribing = undefined
        throw error
      }
      const own = (delivery: Delivery) => receive(delivery)
      receivers.add(own)
      return async () => {
        receivers.delete(own)
      }
    },
    problem: () => redis.problem(),
    close: async () => {
      receivers.clear()
      const open = ends.splice(0)
      await Promise.all(open.map(end => end()))
    },
  }
}
