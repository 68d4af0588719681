import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { createRedis, redisConfig } from '../../connectors/redis.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { makeCertificate } from '../support/certificate.ts'
import { freePort, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const { key, certificate } = makeCertificate()
/** As docs/operations.md gives them to our user. */
const RIGHTS = ['~*', '&*', '+@all', '-@admin', '-@dangerous', '+info']

let server: RedisServer
let port: number
beforeAll(async () => {
  port = await freePort()
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate]
  const user = ['--user', 'netsentinel', 'on', '>for-tests-only', ...RIGHTS]
  server = await startRedisServer(['--tls-port', String(port), ...files, '--tls-auth-clients', 'no', ...user])
})
afterAll(() => server.kill())

const connect = (url: string, ca: string | undefined) => {
  const env = { REDIS_URL: url, ...(ca === undefined ? {} : { REDIS_SSL_CA: ca }) }
  return createRedis({ config: loadConfig({ redis: redisConfig }, env).redis, log: silentLog() })
}

it('works over TLS, as a user with no more rights than it needs', async () => {
  const redis = await connect(`rediss://netsentinel:for-tests-only@127.0.0.1:${port}`, certificate)
  const received = Promise.withResolvers<string>()
  await redis.subscribe('channel', received.resolve)
  expect(await redis.publish('channel', 'hello')).toBe(1)
  expect(await received.promise).toBe('hello')
  expect(await redis.put('key', 'value', 60_000)).toBe(true)
  expect(await redis.run('return redis.call("get", KEYS[1])', ['key'], [])).toBe('value')
  expect(await redis.take('key')).toBe('value')
  await expect(redis.run('return redis.call("flushall")', [], [])).rejects.toThrow("can't run this command")
  await redis.close()
})

it.each([
  ['a wrong password', 'wrong', certificate],
  ['a certificate that is not trusted', 'for-tests-only', undefined],
])('refuses %s', async (_name, password, ca) => {
  await expect(connect(`rediss://netsentinel:${password}@127.0.0.1:${port}`, ca)).rejects.toMatchObject({
    code: 'NS_SERVICE_UNREACHABLE',
  })
})
