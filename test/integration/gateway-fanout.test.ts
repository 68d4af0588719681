import { afterEach, describe, expect, it } from '@jest/globals'
import { createRedis } from '../../connectors/redis.ts'
import { createRedisBroadcaster } from '../../gateway/sockets/redis-broadcaster.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Resume } from '../../schemas/wire.ts'
import { broadcasterContract } from '../contract/broadcaster.ts'
import {
  logIn,
  openDeafSocket,
  openForeignSocket,
  startTestGateway,
  threatRecord,
} from '../support/gateway.ts'
import { services, unique, until } from '../support/services.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { tempDir } from '../support/temp.ts'
import { asMessage, makeThreat, threatAt } from '../support/threats.ts'

const subscribe = async (url: string, accessToken?: string, resume?: Resume) => {
  const token = accessToken ?? (await logIn(url)).accessToken
  const client = await openForeignSocket(url, { headers: { authorization: `Bearer ${token}` } })
  client.send({ type: 'subscribe', channel: 'threats', ...(resume === undefined ? {} : { resume }) })
  await until(() => client.messages.length > 0)
  const offsets = () =>
    client.messages.slice(1).map(({ position }) => (position as { readonly offset: number }).offset)
  return { ...client, offsets }
}

describe('the Redis broadcaster', () => {
  const open: Array<() => Promise<void>> = []
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close()
  })
  const connect = async (redisUrl = services().redisUrl) => {
    const redis = await createRedis({ config: { url: redisUrl }, log: silentLog() })
    open.push(() => redis.close())
    return redis
  }
  const create = async (prefix = unique('broadcast'), redisUrl?: string, echoTimeoutMs = 5_000) => {
    const redis = await connect(redisUrl)
    const metrics = createMetrics()
    const broadcaster = createRedisBroadcaster({ redis, prefix, log: silentLog(), metrics, echoTimeoutMs })
    open.push(() => broadcaster.close())
    return { broadcaster, redis, metrics, prefix }
  }

  broadcasterContract(async () => (await create()).broadcaster)

  it('drops and counts what does not fit the wire schema, whoever published it', async () => {
    const { broadcaster, redis, metrics, prefix } = await create()
    const received: unknown[] = []
    await broadcaster.subscribe(({ delivery }) => received.push(delivery))
    const good = { type: 'threat', position: { partition: 0, offset: 1, previous: null }, data: makeThreat() }
    const bad = [
      'no json',
      '{}',
      JSON.stringify({ ...good, type: 'subscribed' }),
      JSON.stringify({ ...good, position: { partition: 0, offset: '1', previous: null } }),
      JSON.stringify({ ...good, data: { id: 'x' } }),
      JSON.stringify({ ...good, data: { ...makeThreat(), severity: 'apocalyptic' } }),
      JSON.stringify({ ...good, extra: true }),
    ]
    // A whole post is not lost for one of its messages.
    const lines = [...bad, JSON.stringify(good)].map(text => `epoch ${text}`)
    await redis.publish(`${prefix}gateway:threats`, [JSON.stringify(good), ...lines].join('\n'))
    await until(() => received.length > 0)
    expect(received).toEqual([good])
    const { values } = await metrics.malformedBroadcasts.get()
    expect(values[0]?.value).toBe(bad.length + 1)
  })

  it('does not take a message for delivered that its own subscription has missed', async () => {
    const proxy = await startTcpProxy(services().redisUrl)
    open.push(() => proxy.close())
    const { broadcaster } = await create(unique('lost'), proxy.url, 300)
    await broadcaster.subscribe(() => undefined)
    proxy.muteLatest()
    await expect(broadcaster.broadcastThreat(asMessage(threatAt(1)))).rejects.toMatchObject({
      outcome: 'retriable',
    })
  })
})

describe('gateways', () => {
  it('that share a store and a Redis both deliver, whichever of them relays', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('two') }
    const [one, two] = [await startTestGateway(shared), await startTestGateway(shared)]
    expect([one.gateway.bootstrap?.username, two.gateway.bootstrap]).toEqual(['admin', undefined])
    const { accessToken } = await logIn(one.url)
    const clients = [await subscribe(one.url, accessToken), await subscribe(two.url, accessToken)]
    await one.relay.onBatch([threatRecord(1), threatRecord(2)])
    await two.relay.onBatch([threatRecord(3)])
    for (const { offsets } of clients) {
      await until(() => offsets().length === 3)
      expect(offsets()).toEqual([1, 2, 3])
    }
  })

  it('send to nobody any more what was erased at one of them', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('erased') }
    const [one, two] = [await startTestGateway(shared), await startTestGateway(shared)]
    const { accessToken } = await logIn(one.url)
    const live = await subscribe(two.url, accessToken)
    await one.relay.onBatch([threatRecord(1, { entity: 'user:eve' }), threatRecord(2)])
    await until(() => live.offsets().length === 2)
    const headers = { authorization: `Bearer ${accessToken}` }
    const erased = await fetch(`${one.url}/entities/user:eve`, { method: 'DELETE', headers })
    expect(await erased.json()).toMatchObject({ records: 1 })
    for (const { url } of [one, two]) {
      await until(async () => {
        const late = await subscribe(url, accessToken, { positions: [] })
        await until(() => late.offsets().at(-1) === 2)
        await late.close()
        return late.offsets().length === 1
      })
    }
  })

  it('time their rounds, and the recoveries of clients', async () => {
    const { url, relay, metrics } = await startTestGateway({ dataDir: tempDir(), prefix: unique('timed') })
    const { accessToken } = await logIn(url)
    const live = await subscribe(url, accessToken)
    await relay.onBatch([threatRecord(1)])
    await until(() => live.offsets().length === 1)
    const late = await subscribe(url, accessToken, { positions: [] })
    await until(() => late.offsets().length === 1)
    for (const sample of [
      /^netsentinel_gateway_fanout_seconds_count [1-9]/m,
      /^netsentinel_gateway_recovery_seconds_count\{channel="threats"\} 1$/m,
      /^netsentinel_gateway_recoveries_total\{channel="threats",outcome="complete"\} 1$/m,
    ]) {
      await until(async () => sample.test(await metrics.registry.metrics()))
    }
  })

  it('that start at the same moment make one account and one key', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('race') }
    const started = await Promise.all(Array.from({ length: 3 }, () => startTestGateway(shared)))
    expect(started.filter(({ gateway }) => gateway.bootstrap !== undefined)).toHaveLength(1)
    const tokens = await Promise.all(started.map(({ url }) => logIn(url)))
    for (const { url } of started) {
      for (const { accessToken } of tokens) {
        const me = await fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${accessToken}` } })
        expect(me.status).toBe(200)
      }
    }
  })

  it('do not deliver to each other across prefixes', async () => {
    const one = await startTestGateway({ dataDir: tempDir(), prefix: unique('a') })
    const two = await startTestGateway({ dataDir: tempDir(), prefix: unique('b') })
    const [mine, other] = [await subscribe(one.url), await subscribe(two.url)]
    await one.relay.onBatch([threatRecord(1)])
    await two.relay.onBatch([threatRecord(2)])
    await until(() => mine.offsets().length === 1 && other.offsets().length === 1)
    expect([mine.offsets(), other.offsets()]).toEqual([[1], [2]])
  })

  it('keep their clients while Redis is away, say so, and go on to deliver by way of the history', async () => {
    const proxy = await startTcpProxy(services().redisUrl)
    const { url, relay } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('away'),
      redisUrl: proxy.url,
    })
    const client = await subscribe(url)
    await relay.onBatch([threatRecord(1)])
    await proxy.pause()
    await until(async () => (await fetch(`${url}/ready`)).status === 503)
    expect((await fetch(`${url}/live`)).status).toBe(200)
    await relay.onBatch([threatRecord(2)])
    await until(() => client.offsets().length === 2)
    await proxy.resume()
    await until(async () => (await fetch(`${url}/ready`)).status === 200)
    await relay.onBatch([threatRecord(2), threatRecord(3)])
    await until(() => client.offsets().length >= 3)
    expect(client.offsets()).toEqual([1, 2, 3])
    await proxy.close()
  })
})

describe('a client that stops reading', () => {
  it('is closed at its cap of bytes, and costs the others nothing', async () => {
    const { url, gateway, relay, metrics } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('slow'),
      env: { GATEWAY_QUEUE_BYTES: '262144' },
    })
    const { accessToken } = await logIn(url)
    const healthy = await subscribe(url, accessToken)
    await openDeafSocket(gateway.port, accessToken)
    const slowCloses = async () =>
      (await metrics.closes.get()).values.find(({ labels }) => labels.code === '4008')?.value ?? 0
    const original = 'x'.repeat(20_000)
    const memory = process.memoryUsage().arrayBuffers
    let offset = 0
    while ((await slowCloses()) === 0) {
      expect(offset).toBeLessThan(5_000)
      const batch = [1, 2, 3, 4].map(next =>
        threatRecord(offset + next, { severity: 'critical', event: { ...makeThreat().event, original } }),
      )
      offset += batch.length
      await relay.onBatch(batch)
      await until(() => healthy.offsets().length === offset)
    }
    expect(healthy.offsets()).toEqual(Array.from({ length: offset }, (_, i) => i + 1))
    // The kernel's buffers are not in it; what the process holds for the deaf one is bounded by its cap.
    expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(64 * 1_048_576)
    await until(async () => (await metrics.sockets.get()).values[0]?.value === 1)
    await relay.onBatch([threatRecord(offset + 1)])
    await until(() => healthy.offsets().length === offset + 1)
  })
})
