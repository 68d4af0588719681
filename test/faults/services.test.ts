import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import avro from 'avsc'
import { seedOfRun } from '../support/seed.ts'
import { services } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { tempDir } from '../support/temp.ts'
import { unique, until } from '../support/until.ts'
import { type Broker, freePort, startBroker } from './broker.ts'
import { logInAs } from './gateways.ts'
import { startMember } from './member.ts'
import { startReturningClient } from './returning-client.ts'
import { createSystem, STAGES } from './system.ts'

const seed = seedOfRun()

const PASSWORD = 'correct horse battery staple'

describe(`services that go away and come back (FAULT_SEED=${seed})`, () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(() => broker.close())

  const proxyOf = async (url: string): Promise<TcpProxy> => {
    const proxy = await startTcpProxy(url)
    cleanUp(() => proxy.close())
    return proxy
  }

  const systemUnderFault = async (
    schemaRegistryUrl = services().schemaRegistryUrl,
    env: Readonly<Record<string, string>> = {},
  ) => {
    const system = await createSystem({ brokers: broker.direct, schemaRegistryUrl, seed, env })
    cleanUp(() => system.close())
    return system
  }

  /** Registers a schema of plain text, as a producer of our lines might, and frames a line with it. */
  const framedLine = async (line: object): Promise<Buffer> => {
    const { schemaRegistryUrl } = services()
    const answer = await fetch(`${schemaRegistryUrl}/subjects/${unique('foreign')}-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      // The namesake of no other schema, so that the id is one that nobody has seen.
      body: JSON.stringify({
        schema: JSON.stringify({
          type: 'record',
          name: unique('r').replace('-', ''),
          fields: [{ name: 'message', type: 'string' }],
        }),
      }),
    })
    const { id } = (await answer.json()) as { id: number }
    const header = Buffer.alloc(5)
    header.writeInt32BE(id, 1)
    return Buffer.concat([header, avro.Type.forSchema('string').toBuffer(JSON.stringify(line))])
  }

  it('the registry: what needs it waits, what does not goes on, and nothing is taken for bad', async () => {
    const registry = await proxyOf(services().schemaRegistryUrl)
    const system = await systemUnderFault(registry.url)
    const [ingest, scorer] = STAGES.map(stage => system.start(stage))
    await system.feed(500)
    await system.drained()
    const line = await framedLine({
      eventid: 'cowrie.login.failed',
      src_ip: '198.51.100.7',
      username: 'root',
      sensor: 'framed',
      session: 'framed',
      timestamp: '2024-01-01T00:00:00Z',
    })
    await registry.pause()
    await system.feed(500)
    await system.drained()
    await system.send([line, line])
    await until(() => ingest?.log().includes('NS_SCHEMA_UNKNOWN'), { what: 'ingest waiting for a schema' })
    await scorer?.kill()
    scorer?.start()
    await until(() => scorer?.runs() === false, { what: 'a scorer that cannot start', timeoutMs: 60_000 })
    await system.feed(500)
    expect(await system.letters()).not.toHaveProperty('ingest NS_UNDECODABLE')
    await registry.resume()
    scorer?.start()
    await system.drained()
    expect(await system.check()).toMatchObject({ problems: [] })
    expect(await system.letters()).not.toHaveProperty('ingest NS_UNDECODABLE')
  }, 240_000)

  it('Redis: scoring does not notice, and the clients of the gateway get all of it', async () => {
    const redis = await proxyOf(services().redisUrl)
    const system = await systemUnderFault()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const gateway = startMember('gateway', {
      ...system.env,
      REDIS_URL: redis.url,
      GATEWAY_PORT: String(port),
      DATA_DIR: tempDir(),
      BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    })
    cleanUp(() => gateway.kill())
    const logIn = () => (gateway.runs() ? logInAs('admin', PASSWORD, url) : Promise.reject(gateway.failure()))
    const accessToken = await until(logIn, { what: 'the gateway', timeoutMs: 60_000 })
    for (const stage of STAGES) system.start(stage)
    const client = startReturningClient({ choose: () => url, accessToken, pauseMs: () => 100 })
    cleanUp(async () => client.close())
    const count = () => [...client.seen.values()].reduce((sum, { length }) => sum + length, 0)
    await until(() => client.isSubscribed())
    await system.feed(500)
    await until(() => count() > 0, { what: 'the first threats', timeoutMs: 60_000 })
    await redis.pause()
    await system.feed(1_000)
    await system.drained()
    const { length } = await system.threats()
    await until(() => count() === length, { what: 'every threat without Redis', timeoutMs: 90_000 })
    await redis.resume()
    await system.feed(100)
    await system.drained()
    const { length: all } = await system.threats()
    await until(() => count() === all, { what: 'every threat', timeoutMs: 90_000 })
    for (const offsets of client.seen.values()) expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    expect(client.problems).toEqual([])
    expect(gateway.failure()).toBeUndefined()
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)
})
