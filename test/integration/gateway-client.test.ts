import { afterEach, describe, expect, it } from '@jest/globals'
import { connectPage } from '../../gateway/client/browser.ts'
import type { Client, ClientState } from '../../gateway/client/client.ts'
import type { Login } from '../../gateway/client/login.ts'
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
    expect((await metrics.closes.get()).values.filter(({ value }) => value > 0)).toEqual([])
  })

  it('comes back when the gateway does, and gets what it missed meanwhile, each threat once', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('client') }
    const first = await startTestGateway(shared)
    const { offsets, states } = await connect(first.url)
    await first.relay.onBatch([threatRecord(1), threatRecord(2)])
    await until(() => offsets().length === 2)
    await first.gateway.close()
    const second = await startTestGateway({ ...shared, env: { GATEWAY_PORT: String(first.gateway.port) } })
    // As after a crash: what was not committed comes again, and more of it before the client is back.
    await second.relay.onBatch([2, 3, 4].map(offset => threatRecord(offset)))
    await until(() => states.at(-1) === 'connected' && states.length > 2)
    await second.relay.onBatch([threatRecord(5)])
    await until(() => offsets().length === 5)
    expect(offsets()).toEqual([1, 2, 3, 4, 5])
    expect(states[0]).toBe('connected')
    expect(states).toContain('reconnecting')
  })

  it('gets every threat once and in order while its gateway is restarted again and again', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('client') }
    let { gateway, relay } = await startTestGateway(shared)
    const { offsets } = await connect(gateway.url)
    for (let offset = 1; offset <= 40; offset += 1) {
      if (offset % 10 === 0) {
        const { port } = gateway
        await gateway.close()
        const next = await startTestGateway({ ...shared, env: { GATEWAY_PORT: String(port) } })
        gateway = next.gateway
        relay = next.relay
      }
      await relay.onBatch([threatRecord(offset)])
    }
    await until(() => offsets().length >= 40)
    expect(offsets()).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
  })

  it('gets what passes its filter, also of what it missed', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('client') }
    const first = await startTestGateway(shared)
    const { offsets, states } = await connect(first.url, {
      channels: [{ channel: 'threats', filter: { severity: 'high' } }],
    })
    const of = (offset: number) => threatRecord(offset, { severity: offset % 2 === 0 ? 'high' : 'low' })
    await first.relay.onBatch([1, 2, 3].map(of))
    await until(() => offsets().length === 1)
    await first.gateway.close()
    const second = await startTestGateway({ ...shared, env: { GATEWAY_PORT: String(first.gateway.port) } })
    await second.relay.onBatch([4, 5, 6].map(of))
    await until(() => states.at(-1) === 'connected' && states.length > 2)
    await second.relay.onBatch([7, 8].map(of))
    await until(() => offsets().length === 4)
    expect(offsets()).toEqual([2, 4, 6, 8])
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

describe('the client of a page', () => {
  /** What a browser adds to each request of a page, and keeps of the answers. */
  const createBrowser = (origin: string) => {
    let cookie = ''
    const headers = () => ({ origin, ...(cookie === '' ? {} : { cookie }) })
    return {
      fetch: async (address: URL, init: RequestInit) => {
        const response = await fetch(address, { ...init, headers: { ...init.headers, ...headers() } })
        for (const given of response.headers.getSetCookie()) cookie = given.split(';')[0] ?? ''
        return response
      },
      openSocket: (address: URL, protocols: string[]) => {
        const options = { protocols, headers: headers() }
        return new WebSocket(address, options as unknown as string[])
      },
    }
  }

  it('logs in, subscribes with tickets, and comes back with the cookie of its session', async () => {
    const { url, relay } = await startTestGateway({ dataDir: tempDir(), prefix: unique('page') })
    const browser = createBrowser(url)
    const follow = async (login: Login) => {
      const offsets: number[] = []
      const onDelivery = ({ position }: Delivery) => offsets.push(position.offset)
      const page = await connectPage({ ...browser, url, login, channels: ['threats'], onDelivery })
      open.push(page)
      return { page, offsets }
    }
    const first = await follow({ username: 'admin', password: PASSWORD })
    await relay.onBatch([threatRecord(1)])
    await until(() => first.offsets.length === 1)
    await first.page.close()
    const second = await follow('cookie')
    await relay.onBatch([threatRecord(2)])
    await until(() => second.offsets.length === 1)
    expect(second.offsets).toEqual([2])
  })

  it('is told that it has no session', async () => {
    const { url } = await startTestGateway({ dataDir: tempDir(), prefix: unique('page') })
    const page = connectPage({
      ...createBrowser(url),
      url,
      login: 'cookie',
      channels: ['threats'],
      onDelivery: () => undefined,
    })
    await expect(page).rejects.toMatchObject({ code: 'NS_LOGIN_REFUSED' })
  })
})
