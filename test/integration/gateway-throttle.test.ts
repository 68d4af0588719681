import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRedis, type Redis } from '../../connectors/redis.ts'
import { createRedisThrottle } from '../../gateway/auth/redis-throttle.ts'
import { SHARED_LIMITS } from '../../gateway/auth/throttle.ts'
import { silentLog } from '../../runtime/log.ts'
import { throttleContract } from '../contract/throttle.ts'
import { services, unique } from '../support/services.ts'

describe('the throttle in Redis', () => {
  const redis: Redis[] = []
  beforeAll(async () => {
    for (let i = 0; i < 2; i += 1) {
      redis.push(await createRedis({ config: { url: services().redisUrl }, log: silentLog() }))
    }
  })
  afterAll(async () => {
    await Promise.all(redis.map(each => each.close()))
  })
  const create = (prefix: string, deps: Pick<Parameters<typeof createRedisThrottle>[0], 'limits' | 'now'>) =>
    redis.map(each => createRedisThrottle({ redis: each, prefix, ...deps }))

  throttleContract(async deps => {
    const [one, two] = create(unique('throttle'), deps)
    if (one === undefined || two === undefined) throw new Error('no Redis')
    return [one, two]
  })

  it('keeps no name of an account, and nothing for ever', async () => {
    const prefix = unique('throttle')
    const [throttle] = create(prefix, { limits: { ...SHARED_LIMITS, overall: 100 }, now: Date.now })
    await throttle?.admit({ account: 'eve', address: '192.0.2.1' })
    const keys = (await redis[0]?.run("return redis.call('KEYS', ARGV[1])", [], [`${prefix}*`])) as string[]
    expect(keys).toHaveLength(4)
    for (const key of keys) {
      expect(key).not.toMatch(/eve|192/)
      expect(await redis[0]?.run("return redis.call('PTTL', KEYS[1])", [key], [])).toBeGreaterThan(0)
    }
  })
})
