import { afterEach, describe, expect, it } from '@jest/globals'
import type { Client, ClientState } from '../../gateway/client/client.ts'
import { type ClientOptions, connectClient } from '../../gateway/client/node.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Delivery } from '../../schemas/wire.ts'
import { logIn, PASSWORD, startTestGateway, threatRecord } from '../support/gateway.ts'
import { unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const open: Client[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(client => client.close()))
})

const connect = async (url: string, changes: Partial<ClientOptions> = {}) => {
  const deliveries: Delivery[] = []
  const states: ClientState[] = []
  const client = await connectClient({
    url,
    login: { username: 'admin', password: PASSWORD },
    channels: ['threats'],
    onDelivery: delivery => deliveries.push(delivery),
    onState: state => states.push(state),
    retryMs: 20,
    ...changes,
  })
  open.push(client)
  return { client, states, offsets: () => deliveries.map(({ position }) => position.offset) }
}

describe('the client', () => {
  it('logs in, subscribes, and gets each threat once', async () => {
    const { url, relay } = await startTestGateway({ dataDir: tempDir(), prefix: unique('client') })
    const { offsets } = await connect(url)
    await relay.onBatch([threatRecord(1), threatRecord(2)])
    // As after a rebalance: what was relayed before its offset was committed comes again.
    await relay.onBatch([threatRecord(2), threatRecord(3)])
    await until(() => offsets().length >= 3)
    expect(offsets()).toEqual([1, 2, 3])
  })

  it('outlives its access tokens on one socket, and misses nothing meanwhile', async () => {
    const { url, relay, metrics } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('client'),
      env: { ACCESS_TOKEN_TTL_S: '2', GATEWAY_EXPIRY_GRACE_MS: '0' },
    })
    const { offsets, states } = await connect(url)
    const began = Date.now()
    let offset = 0
    while (Date.now() - began < 6_000) {
      offset += 1
      await relay.onBatch([threatRecord(offset)])
      await until(() => offsets().length === offset)
    }
    expect(states).toEqual(['connected'])
    expect((await metrics.closes.get()).values).toEqual([])
  })

  it('comes back when the gateway does', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('client') }
    const first = await startTestGateway(shared)
    const { offsets, states } = await connect(first.url)
    await first.relay.onBatch([threatRecord(1)])
    await until(() => offsets().length === 1)
    await first.gateway.close()
    const second = await startTestGateway({ ...shared, env: { GATEWAY_PORT: String(first.gateway.port) } })
    await until(() => states.at(-1) === 'connected' && states.length > 2)
    await second.relay.onBatch([threatRecord(2)])
    await until(() => offsets().length === 2)
    expect(states[0]).toBe('connected')
    expect(states).toContain('reconnecting')
  })

  it('gets a new token when its own has expired', async () => {
    let ahead = 0
    const { url, relay } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('client'),
      now: () => Date.now() + ahead,
    })
    const { offsets, states } = await connect(url, { login: { openSession: () => logIn(url) } })
    ahead = 906_000
    await until(() => states.filter(state => state === 'connected').length === 2)
    await relay.onBatch([threatRecord(1)])
    await until(() => offsets().length === 1)
  })

  it('is told that its password is wrong', async () => {
    const { url } = await startTestGateway({ dataDir: tempDir(), prefix: unique('client') })
    const login = { username: 'admin', password: 'wrong' }
    await expect(connect(url, { login })).rejects.toMatchObject({ code: 'NS_LOGIN_REFUSED' })
  })

  it('is told that there is no gateway', async () => {
    await expect(connect('http://127.0.0.1:1')).rejects.toMatchObject({ code: 'NS_SERVICE_UNREACHABLE' })
  })

  it('opens a new session when its refresh token is no good any more either', async () => {
    let ahead = 0
    const { url } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('client'),
      now: () => Date.now() + ahead,
    })
    let opened = 0
    const openSession = () => {
      opened += 1
      return logIn(url)
    }
    const { states } = await connect(url, { login: { openSession } })
    ahead = 8 * 86_400_000
    await until(() => states.filter(state => state === 'connected').length === 2)
    expect(opened).toBe(2)
  })

  it('gives up when neither its token nor its refresh token is good and no session is opened', async () => {
    let ahead = 0
    const { url } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('client'),
      now: () => Date.now() + ahead,
    })
    let opened = 0
    const openSession = async () => {
      opened += 1
      if (opened > 1) throw new SentinelError('NS_LOGIN_REFUSED', 'no more sessions')
      return logIn(url)
    }
    const { client } = await connect(url, { login: { openSession } })
    ahead = 8 * 86_400_000
    await expect(client.failed).rejects.toMatchObject({ code: 'NS_LOGIN_REFUSED' })
  })

  it('can be closed while it waits to reconnect', async () => {
    const { url, gateway } = await startTestGateway({ dataDir: tempDir(), prefix: unique('client') })
    const { client, states } = await connect(url, { retryMs: 60_000 })
    await gateway.close()
    await until(() => states.at(-1) === 'reconnecting')
    await client.close()
  })
})
