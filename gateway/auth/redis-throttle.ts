import type { Redis } from '../../connectors/redis.ts'
import { digest } from './sealing.ts'
import {
  type Attempt,
  FIRST_LOCK_MS,
  FORGET_AFTER_MS,
  type LoginThrottle,
  type ThrottleLimits,
  throttleRules,
} from './throttle.ts'

/**
 * Looks at every lock, and counts only when there is none. Answers with the number of the rule that refuses, or 0.
 * ARGV: now, when to forget, the first lock, then for each key its free failures and its longest lock.
 */
const ADMIT = `
local now = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('HGET', key, 'lockedUntil') or '0') > now then return i end
end
for i, key in ipairs(KEYS) do
  local over = redis.call('HINCRBY', key, 'count', 1) - tonumber(ARGV[2 + 2 * i])
  local lock = 0
  if over > 0 then
    lock = math.min(tonumber(ARGV[3]) * 2 ^ math.min(over - 1, 20), tonumber(ARGV[3 + 2 * i]))
  end
  redis.call('HSET', key, 'lockedUntil', string.format('%.0f', now + lock))
  redis.call('PEXPIRE', key, ARGV[2])
end
return 0`

/** Takes one failure back from each key; ARGV[1] says whether those of the first are forgotten altogether. */
const TAKE_BACK = `
for i, key in ipairs(KEYS) do
  if redis.call('HINCRBY', key, 'count', -1) <= 0 or (i == 1 and ARGV[1] == 'all') then
    redis.call('DEL', key)
  else
    redis.call('HSET', key, 'lockedUntil', 0)
  end
end
return 0`

interface RedisThrottleDeps {
  readonly redis: Pick<Redis, 'run'>
  /** Put before every key. */
  readonly prefix: string
  readonly limits: ThrottleLimits
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/**
 * Counts in Redis, for all gateways together. Each look and count is one script, so that no two gateways admit the same
 * last attempt. Throws NS_SERVICE_UNREACHABLE while Redis is away.
 */
export const createRedisThrottle = ({ redis, prefix, limits, now }: RedisThrottleDeps): LoginThrottle => {
  const rules = throttleRules(limits)
  // The braces keep the keys of an attempt on one node of a cluster; names of accounts stay out of Redis.
  const keysOf = (attempt: Attempt) =>
    rules.map(rule => `${prefix}{logins}:${digest(rule.keyOf(attempt, now()))}`)
  const bounds = rules.flatMap(rule => [rule.free, rule.maxLockMs])
  return {
    admit: async attempt => {
      const refusing = await redis.run(ADMIT, keysOf(attempt), [
        now(),
        FORGET_AFTER_MS,
        FIRST_LOCK_MS,
        ...bounds,
      ])
      return rules[Number(refusing) - 1]?.refusal ?? 'admitted'
    },
    succeeded: async attempt => {
      await redis.run(TAKE_BACK, keysOf(attempt), ['all'])
    },
    withdrawn: async attempt => {
      await redis.run(TAKE_BACK, keysOf(attempt), ['one'])
    },
  }
}
