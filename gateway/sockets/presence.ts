import type { Redis } from '../../connectors/redis.ts'
import type { Log } from '../../runtime/log.ts'
import { startRepeating } from '../repeating.ts'

/** Who is connected, over all gateways. */
export interface Presence {
  readonly gateways: number
  readonly users: number
  readonly sockets: number
}

interface PresenceDeps {
  readonly redis: Pick<Redis, 'run'>
  /** Put before every key. */
  readonly prefix: string
  /** Tells this gateway from the others. */
  readonly gatewayId: string
  /** The users of the sockets that are open here, one for each socket. */
  readonly present: () => Iterable<string>
  /** How often it is counted, in ms. */
  readonly intervalMs: number
  /** How long a gateway, and a user, counts that nothing is heard of, in ms. */
  readonly forgetMs: number
  /** Called when something is not what it was at the last count. */
  readonly onChange: (presence: Presence) => void
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Counts who is connected. */
export interface PresenceWatch {
  /** As it was counted last, here. */
  current(): Presence
  /** Takes this gateway out of the count, and ends. */
  close(): Promise<void>
}

/**
 * KEYS: sockets by gateway, when each gateway is forgotten, when each user is. ARGV: this gateway, its sockets (-1: it
 * goes), ms until it is forgotten, and users to note. By the clock of Redis, so that those of gateways may differ.
 */
const COUNT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sockets, forget = tonumber(ARGV[2]), tonumber(ARGV[3])
if sockets < 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], sockets)
  redis.call('ZADD', KEYS[2], now + forget, ARGV[1])
end
for i = 4, #ARGV do redis.call('ZADD', KEYS[3], now + forget, ARGV[i]) end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do redis.call('HDEL', KEYS[1], gone) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], forget * 2) end
local sum = 0
for _, each in ipairs(redis.call('HVALS', KEYS[1])) do sum = sum + tonumber(each) end
return { redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3]), sum }
`

/** Before anything was counted. */
export const NOBODY: Presence = { gateways: 0, users: 0, sockets: 0 }

/**
 * Starts to count who is connected. Redis holds the counts of all gateways; one that dies is forgotten after a while, as is
 * a user whose last socket was closed.
 */
export const startPresence = (deps: PresenceDeps): PresenceWatch => {
  const { redis, prefix, gatewayId, intervalMs, forgetMs, now } = deps
  const keys = ['sockets', 'gateways', 'users'].map(name => `${prefix}presence:${name}`)
  let current = NOBODY
  /** When each user is to be noted again. */
  let noted = new Map<string, number>()
  let isLeaving = false

  const count = async () => {
    const users = isLeaving ? [] : [...deps.present()]
    const time = now()
    const next = new Map([...new Set(users)].map(user => [user, noted.get(user) ?? 0]))
    const due = [...next].filter(([, at]) => at <= time).map(([user]) => user)
    const sockets = isLeaving ? -1 : users.length
    const answer = await redis.run(COUNT, keys, [gatewayId, sockets, forgetMs, ...due])
    for (const user of due) next.set(user, time + forgetMs / 3)
    noted = next
    const [gateways = 0, known = 0, all = 0] = (answer as readonly unknown[]).map(Number)
    const before = current
    current = { gateways, users: known, sockets: all }
    if (isLeaving) return
    const isSame = before.gateways === gateways && before.users === known && before.sockets === all
    if (!isSame) deps.onChange(current)
  }

  const repeating = startRepeating({
    work: count,
    intervalMs,
    says: { failing: 'who is connected cannot be counted', working: 'who is connected is counted again' },
    log: deps.log,
  })
  repeating.run()
  return {
    current: () => current,
    close: async () => {
      isLeaving = true
      await repeating.close()
    },
  }
}
