import type { Redis } from '../../connectors/redis.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { type Channel, type Delivery, parseDelivery } from '../../schemas/wire.ts'
import type { Broadcaster, Message } from './broadcaster.ts'

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

/** Bytes of messages that leave together, about: Redis is not to hold much for a gateway that reads slowly. */
const MOST_TOGETHER = 262_144

/** Messages that leave together, one a line, in the order of the calls. */
interface Post {
  readonly messages: Message[]
  bytes: number
  readonly sent: Promise<void>
}

const lineOf = ({ epoch, text }: Message): string => `${epoch} ${text}`

/** The message of a line; undefined when it is none. */
const messageOf = (line: string): Message | undefined => {
  const [epoch = ''] = line.split(' ', 1)
  const text = line.slice(epoch.length + 1)
  const delivery = parseDelivery(text)
  return delivery === undefined ? undefined : { epoch, delivery, text }
}

/**
 * A Broadcaster over Redis pub/sub. Messages that are given at the same moment go in one command. Redis forgets a message at
 * once, and drops a subscriber that was away or too slow without telling the publisher. So a broadcaster that subscribes itself
 * counts messages as taken only when they have come back to it: what its own sockets did not get is broadcast again. (Other
 * replicas see a gap in `previous`.)
 */
export const createRedisBroadcaster = (deps: RedisBroadcasterDeps): Broadcaster => {
  const { redis, prefix, log, metrics, echoTimeoutMs = ECHO_TIMEOUT_MS } = deps
  const channels: Readonly<Record<Delivery['type'], string>> = {
    threat: `${prefix}gateway:${'threats' satisfies Channel}`,
    alert: `${prefix}gateway:${'alerts' satisfies Channel}`,
  }
  /** What was sent and has not come back yet, by the very text of it, which need not be read again. */
  const echoes = new Map<string, { readonly messages: readonly Message[]; readonly arrive: () => void }>()
  const receivers = new Set<(message: Message) => void>()
  const ends: Array<() => Promise<void>> = []
  let subscribing: Promise<unknown> | undefined

  const read = (payload: string): readonly Message[] =>
    payload.split('\n').flatMap(line => {
      const message = messageOf(line)
      if (message !== undefined) return [message]
      metrics.malformedBroadcasts.inc()
      log.warn({ bytes: line.length }, 'a message from redis does not fit the wire schema and is dropped')
      return []
    })

  const onMessage = (payload: string) => {
    const echo = echoes.get(payload)
    for (const message of echo?.messages ?? read(payload)) {
      for (const receive of receivers) receive(message)
    }
    echo?.arrive()
  }

  const connect = async () => {
    for (const channel of Object.values(channels)) ends.push(await redis.subscribe(channel, onMessage))
  }

  /** Resolves when the messages have come back; rejects when it takes too long. */
  const awaitEcho = (payload: string, messages: readonly Message[]) => {
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
    const echo = { messages, arrive: resolve }
    const forget = () => {
      clearTimeout(timer)
      if (echoes.get(payload) === echo) echoes.delete(payload)
    }
    echoes.set(payload, echo)
    return { returned: promise.finally(forget), cancel: resolve }
  }

  const publish = async (type: Delivery['type'], payload: string) => {
    const reached = await redis.publish(channels[type], payload)
    if (reached === 0) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'Redis: nobody received a message')
  }

  const send = async (type: Delivery['type'], messages: readonly Message[]) => {
    const payload = messages.map(lineOf).join('\n')
    if (receivers.size === 0) {
      await redis.publish(channels[type], payload)
      return
    }
    const echo = awaitEcho(payload, messages)
    try {
      await Promise.all([publish(type, payload), echo.returned])
    } finally {
      echo.cancel()
    }
  }

  const posts: Partial<Record<Delivery['type'], Post | undefined>> = {}
  /** Begins a post, which leaves when all that is given at this moment is in it. */
  const begin = (type: Delivery['type']): Post => {
    const messages: Message[] = []
    const leave = () => {
      if (posts[type] === post) posts[type] = undefined
      return send(type, messages)
    }
    const post: Post = { messages, bytes: 0, sent: Promise.resolve().then(leave) }
    posts[type] = post
    return post
  }
  const broadcast = (message: Message): Promise<void> => {
    const { type } = message.delivery
    const open = posts[type]
    const post = open !== undefined && open.bytes < MOST_TOGETHER ? open : begin(type)
    post.messages.push(message)
    post.bytes += message.text.length
    return post.sent
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
      const own = (message: Message) => receive(message)
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
