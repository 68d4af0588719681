import { readFileSync } from 'node:fs'
import { Redis as Client, type RedisOptions } from 'ioredis'
import { z } from 'zod'
import { type SectionValues, section, setting } from '../runtime/config.ts'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'

/** Settings of Redis. */
export const redisConfig = section('redis', {
  url: setting(
    'REDIS_URL',
    z.url({ protocol: /^rediss?$/ }).default('redis://127.0.0.1:6379'),
    'Address of Redis, with user and password where it asks for them; rediss:// for TLS.',
    { secret: true },
  ),
  sslCa: setting(
    'REDIS_SSL_CA',
    z.string().min(1).optional(),
    'File of the authorities to trust with rediss://, PEM; those of the system when unset.',
  ),
})

const CONNECT_TIMEOUT_MS = 2_000
const COMMAND_TIMEOUT_MS = 5_000
const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 2_000

/**
 * What the project asks of Redis: pub/sub, values that are read once, and counts. Every method but `close` throws
 * NS_SERVICE_UNREACHABLE (retriable) at once while Redis is away: nothing waits in a queue for it to come back.
 */
export interface Redis {
  /** Resolves with how many subscribers Redis handed the message to. Messages leave in the order of the calls. */
  publish(channel: string, payload: string): Promise<number>
  /**
   * Resolves when Redis has confirmed the subscription; from then on, `receive` gets each payload of the channel, also
   * after a reconnect. What is published while the connection is down is not received. The result ends it.
   */
  subscribe(channel: string, receive: (payload: string) => void): Promise<() => Promise<void>>
  /** Keeps a value for `ttlMs`. Resolves with false, and changes nothing, when the key is there already. */
  put(key: string, value: string, ttlMs: number): Promise<boolean>
  /** Reads a value and removes it in one step, so that of two callers only one gets it. */
  take(key: string): Promise<string | undefined>
  /** Runs a Lua script, which is atomic; resolves with what it returns. */
  run(script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
  /** What is wrong with the connection, if anything. Never throws. */
  problem(): Promise<string | undefined>
  /** Disconnects. May be called twice. */
  close(): Promise<void>
}

interface RedisDeps {
  readonly config: RedisConfig
  readonly log: Log
  /** For what can do without: it is connected as soon as Redis is there. */
  readonly mayBeAway?: boolean
}

const options = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  commandTimeout: COMMAND_TIMEOUT_MS,
  enableOfflineQueue: false,
  // A command in flight when the connection is lost fails at once; whoever sent it knows whether to repeat it.
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: (attempt: number) => Math.min(RETRY_MIN_MS * 2 ** Math.min(attempt, 10), RETRY_MAX_MS),
} satisfies RedisOptions

type RedisConfig = SectionValues<typeof redisConfig>

/** What makes the connection one over TLS, where it is to be. Throws NS_CONFIG_INVALID. */
const tlsOf = ({ url, sslCa }: RedisConfig): Pick<RedisOptions, 'tls'> => {
  if (sslCa === undefined) return {}
  if (!url.startsWith('rediss:')) {
    throw new SentinelError('NS_CONFIG_INVALID', 'REDIS_SSL_CA is set, but REDIS_URL is not rediss://')
  }
  try {
    return { tls: { ca: readFileSync(sslCa) } }
  } catch (cause) {
    throw new SentinelError('NS_CONFIG_INVALID', `REDIS_SSL_CA: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Connects to Redis. Resolves when it has answered; throws NS_SERVICE_UNREACHABLE when it does not, unless it may be away.
 */
export const createRedis = async ({ config, log, mayBeAway = false }: RedisDeps): Promise<Redis> => {
  const all = { ...options, ...tlsOf(config) }
  const commands = new Client(config.url, all)
  // A connection that has subscribed can do nothing else, so subscriptions have one of their own.
  const subscriptions = new Client(config.url, all)
  const receivers = new Map<string, Set<(payload: string) => void>>()
  const clients = { commands, subscriptions }

  let lastError: unknown
  for (const [name, client] of Object.entries(clients)) {
    let lost = false
    client.on('error', (error: unknown) => {
      lastError = error
      if (!lost) log.warn({ connection: name, problem: messageOf(error) }, 'redis is unreachable')
      lost = true
    })
    client.on('ready', () => {
      if (lost) log.info({ connection: name }, 'redis is back')
      lost = false
    })
  }
  subscriptions.on('message', (channel: string, payload: string) => {
    for (const receive of receivers.get(channel) ?? []) receive(payload)
  })

  const close = () => {
    for (const client of Object.values(clients)) client.disconnect()
    return Promise.resolve()
  }

  try {
    await Promise.all(Object.values(clients).map(client => client.connect()))
  } catch (cause) {
    if (!mayBeAway) await close()
    // The client rejects with "Connection is closed"; why it is closed came as an event.
    if (!mayBeAway) throw unreachable(lastError ?? cause)
  }

  return {
    publish: (channel, payload) => reached(commands.publish(channel, payload)),
    subscribe: async (channel, receive) => {
      const set = receivers.get(channel) ?? new Set()
      receivers.set(channel, set)
      set.add(receive)
      const end = async () => {
        set.delete(receive)
        if (set.size > 0 || receivers.get(channel) !== set) return
        receivers.delete(channel)
        // Nobody receives any more, whether Redis hears of it or not.
        subscriptions
          .unsubscribe(channel)
          .catch((error: unknown) =>
            log.debug({ channel, problem: messageOf(error) }, 'redis kept a subscription'),
          )
      }
      try {
        await reached(subscriptions.subscribe(channel))
      } catch (error) {
        set.delete(receive)
        throw error
      }
      return end
    },
    put: async (key, value, ttlMs) => (await reached(commands.set(key, value, 'PX', ttlMs, 'NX'))) === 'OK',
    take: async key => (await reached(commands.getdel(key))) ?? undefined,
    run: (script, keys, args) => reached(commands.eval(script, keys.length, ...keys, ...args)),
    problem: async () => {
      for (const [name, client] of Object.entries(clients)) {
        if (client.status !== 'ready') return `the connection for ${name} is ${client.status}`
      }
      try {
        await commands.ping()
        return undefined
      } catch (error) {
        return messageOf(error)
      }
    },
    close,
  }
}

/** What the library of queues connects with. */
export interface QueueConnection {
  /** Not connected yet. The library makes further connections like it. */
  readonly client: Client
  /** Whether every connection that was made like it is up. */
  isUp(): boolean
  /** Ends all of them at once. */
  disconnect(): void
}

/**
 * The connection of one end of a queue: of a `worker`, which waits as long as Redis is away, or of an `adder`, whose
 * commands fail at once then.
 */
export const createQueueConnection = (config: RedisConfig, purpose: 'adder' | 'worker'): QueueConnection => {
  const { lazyConnect, connectTimeout, retryStrategy } = options
  const patient = { lazyConnect, connectTimeout, retryStrategy, maxRetriesPerRequest: null }
  const kind = purpose === 'adder' ? options : patient
  const client = new Client(config.url, { ...kind, ...tlsOf(config) })
  const duplicates: Client[] = []
  const duplicate = client.duplicate.bind(client)
  client.duplicate = override => {
    const another = duplicate(override)
    duplicates.push(another)
    return another
  }
  return {
    client,
    isUp: () => duplicates.every(({ status }) => status === 'ready'),
    disconnect: () => {
      for (const each of [client, ...duplicates]) each.disconnect()
    },
  }
}

const unreachable = (cause: unknown): SentinelError =>
  new SentinelError('NS_SERVICE_UNREACHABLE', `Redis: ${messageOf(cause)}`, { cause })

/** What a command gives. Throws NS_SERVICE_UNREACHABLE for whatever it fails with. */
export const reached = async <T>(command: Promise<T>): Promise<T> => {
  try {
    return await command
  } catch (cause) {
    throw unreachable(cause)
  }
}
