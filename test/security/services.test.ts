import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { Writable } from 'node:stream'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createSoloQueue } from '../../connectors/solo-queue.ts'
import { openStore } from '../../gateway/store/open-store.ts'
import type { Store } from '../../gateway/store/store.ts'
import { createLog, silentLog } from '../../runtime/log.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { logIn, openForeignSocket, post, startTestGateway, threatRecord } from '../support/gateway.ts'
import { startTlsPostgres, type TestPostgres } from '../support/postgres.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const authority = createAuthority()

describe('a Postgres that demands TLS', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startTlsPostgres(authority.issue('IP:127.0.0.1'))
  })
  afterAll(() => postgres.close())

  /** An empty database, asked for over TLS by the settings of its address. */
  const addressWith = async (settings: Readonly<Record<string, string>>) => {
    const address = new URL(await postgres.createDatabase())
    address.search = new URLSearchParams(settings).toString()
    return address
  }
  const open = async (address: URL) => {
    let store: Store | undefined
    try {
      store = await openStore({ address: address.href, log: silentLog() })
      return await store.problem()
    } finally {
      await store?.close()
    }
  }
  const verified = ({ ca }: Pick<Authority, 'ca'>) => ({ sslmode: 'verify-full', sslrootcert: ca })

  it('61: holds the store of a gateway, over TLS', async () => {
    const { href } = await addressWith(verified(authority))
    const { url } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('tls'),
      env: { GATEWAY_STORE: href },
    })
    await logIn(url)
    expect((await fetch(`${url}/ready`)).status).toBe(200)
  })

  it.each([
    ['in plain text', async () => addressWith({}), 'NS_STORE_UNUSABLE', /no encryption|pg_hba/],
    [
      'whose authority is not known',
      async () => addressWith({ sslmode: 'verify-full' }),
      'NS_SERVICE_UNREACHABLE',
      /certificate/,
    ],
    [
      'whose authority is another one',
      async () => addressWith(verified(createAuthority())),
      'NS_SERVICE_UNREACHABLE',
      /certificate/,
    ],
    [
      'under a name that is not in its certificate',
      async () => Object.assign(await addressWith(verified(authority)), { hostname: 'localhost' }),
      'NS_SERVICE_UNREACHABLE',
      /altnames/,
    ],
    [
      'without a look at its certificate',
      async () => addressWith({ sslmode: 'no-verify' }),
      'NS_CONFIG_INVALID',
      /verify-full/,
    ],
  ])('61: is not used %s', async (_name, address, code, text) => {
    const error = await open(await address()).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code, message: expect.stringMatching(text) })
    expect(String(error)).not.toContain('only')
  })
})

/** What the account of a gateway in Redis may do: no more is granted in `docs/operations.md`. */
const GRANTS = [
  '-@all +ping +info +client|setname +publish +subscribe +unsubscribe +set +getdel +eval +time +hget +hset +hdel +hvals',
  '+hincrby +zadd +zrem +zrangebyscore +zremrangebyscore +zcard +pexpire +del',
]
  .join(' ')
  .split(' ')

/** The same for the queue of retrainings, whose commands are its library's choice. */
const queueGrants = (prefix: string) => `(~${prefix}netsentinel:retrain:* +@all -@admin -@dangerous)`

/** A log of what goes wrong, and its lines. */
const warnings = () => {
  const lines: string[] = []
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString())
      done()
    },
  })
  return { lines, log: createLog({ level: 'warn' }, 'test', destination) }
}

describe('a Redis that demands TLS', () => {
  const prefix = unique('acl')
  const password = randomBytes(24).toString('base64url')
  const certificate = authority.issue('IP:127.0.0.1')
  let redis: Awaited<ReturnType<typeof startRedisServer>>
  /** Ends TLS: not every build of Redis can. */
  const proxy = createServer({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) })
  let address = ''

  beforeAll(async () => {
    const anybody = ['--user', 'default', 'on', 'nopass', 'resetkeys', 'resetchannels', '-@all', '+ping']
    const account = [
      'on',
      `>${password}`,
      `~${prefix}gateway:*`,
      `&${prefix}*`,
      ...GRANTS,
      queueGrants(prefix),
    ]
    redis = await startRedisServer(tempDir(), [...anybody, '--user', 'gateway', ...account])
    const { port } = new URL(redis.url)
    proxy.on('secureConnection', client => {
      const upstream = connect(Number(port), '127.0.0.1')
      for (const socket of [client, upstream]) socket.on('error', () => upstream.destroy())
      client.pipe(upstream).pipe(client)
    })
    // A client that does not know the authority goes away amid the handshake.
    proxy.on('tlsClientError', () => undefined)
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    address = `rediss://gateway:${password}@127.0.0.1:${(proxy.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    proxy.close()
    await redis.kill()
  })

  it('61: serves a gateway by an account that may do what is needed and nothing else', async () => {
    const { lines, log } = warnings()
    const shared = { dataDir: tempDir(), prefix, redisUrl: address, redisCa: authority.ca }
    const one = await startTestGateway({ ...shared, log })
    const two = await startTestGateway(shared)
    await post(one.url, '/auth/login', { username: 'admin', password: 'a wrong guess' })
    const { accessToken } = await logIn(one.url)
    const bearer = { authorization: `Bearer ${accessToken}` }
    const issued = await post(one.url, '/auth/ticket', {}, { ...bearer, origin: two.url })
    const { ticket } = (await issued.json()) as { ticket: string }
    const socket = await openForeignSocket(two.url, {
      headers: { origin: two.url },
      protocols: ['netsentinel.v1', `ticket.${ticket}`],
    })
    socket.send({ type: 'subscribe', channel: 'threats' })
    await until(() => socket.messages.length === 1)
    await one.relay.onBatch([threatRecord(1)])
    await until(() => socket.messages.at(-1)?.type === 'threat')
    await post(one.url, '/auth/logout', {}, bearer)
    expect(await socket.closed).toBe(4502)
    expect((await fetch(`${one.url}/ready`)).status).toBe(200)
    // What the account may not do would be a warning: the gateway would go on without Redis.
    expect(lines).toEqual([])
  })

  it('61: takes retrainings from that account, and nothing of another queue', async () => {
    const { lines, log } = warnings()
    const place = { redis: { url: address, sslCa: authority.ca }, prefix, log }
    const queue = await createSoloQueue({ ...place, name: 'retrain' })
    const id = await queue.add({ trigger: 'a test' })
    expect(await queue.list()).toMatchObject([{ id, state: 'waiting' }])
    expect(await queue.cancel(id)).toBe(true)
    await queue.close()
    expect(lines).toEqual([])
    await expect(createSoloQueue({ ...place, name: 'other' })).rejects.toThrow(/NOPERM|permission/)
  })

  it.each([
    ['whose authority is not known', () => ({ redisUrl: address }), 'NS_SERVICE_UNREACHABLE'],
    [
      'whose authority is another one',
      () => ({ redisUrl: address, redisCa: createAuthority().ca }),
      'NS_SERVICE_UNREACHABLE',
    ],
    [
      'under a name that is not in its certificate',
      () => ({ redisUrl: address.replace('127.0.0.1', 'localhost'), redisCa: authority.ca }),
      'NS_SERVICE_UNREACHABLE',
    ],
    [
      'in plain text beside an authority',
      () => ({ redisUrl: redis.url, redisCa: authority.ca }),
      'NS_CONFIG_INVALID',
    ],
    [
      'without the file of the authority',
      () => ({ redisUrl: address, redisCa: '/none' }),
      'NS_CONFIG_INVALID',
    ],
    ['without its account', () => ({ redisUrl: redis.url }), 'NS_SERVICE_UNREACHABLE'],
  ])('61: is not used %s', async (_name, settings, code) => {
    const started = startTestGateway({ dataDir: tempDir(), prefix, ...settings() })
    const error = await started.catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code })
    expect(String(error)).not.toContain(password)
  })
})
