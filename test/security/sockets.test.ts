import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import type { Tokens } from '../../schemas/wire.ts'
import {
  logIn,
  openDeafSocket,
  openForeignSocket,
  post,
  startTestGateway,
  threatRecord,
  tryUpgrade,
} from '../support/gateway.ts'
import { unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'
import { makeThreat } from '../support/threats.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const start = async (options: Partial<Parameters<typeof startTestGateway>[0]> = {}) => {
  const made = await startTestGateway({ dataDir: tempDir(), prefix: unique('socket'), ...options })
  const { accessToken, refreshToken } = await logIn(made.url)
  const headers = bearer(accessToken)
  const getTicket = async (origin: string) => {
    const response = await post(made.url, '/auth/ticket', {}, { ...headers, origin })
    const { ticket } = (await response.json()) as { ticket: string }
    return { 'sec-websocket-protocol': `netsentinel.v1, ticket.${ticket}` }
  }
  const upgrade = async (given: Record<string, string>, path?: string) =>
    (await tryUpgrade(made.url, given, path)).status
  return { ...made, accessToken, refreshToken, headers, getTicket, upgrade }
}

describe('an upgrade', () => {
  it('41: is for exactly the origins that are listed, before anything is upgraded', async () => {
    const { headers, upgrade, getTicket } = await start({ env: { GATEWAY_ORIGINS: 'https://soc.example' } })
    expect(await upgrade({ ...headers, origin: 'https://soc.example' })).toBe(101)
    for (const origin of [
      'null',
      '',
      'http://soc.example',
      'https://soc.example:8443',
      'https://SOC.example',
      'https://evil-soc.example',
      'https://soc.example.evil',
      'https://evil.example/https://soc.example',
      'https://soc.example/',
    ]) {
      expect([origin, await upgrade({ ...headers, origin })]).toEqual([origin, 403])
    }
    // Without an Origin there must be a bearer: neither a cookie nor a ticket will do.
    expect(await upgrade({ cookie: 'a=b' })).toBe(401)
    expect(await upgrade(await getTicket('https://soc.example'))).toBe(401)
  })

  it('42: takes no credential from the address', async () => {
    const { accessToken, headers, upgrade, url } = await start()
    for (const name of ['token', 'access_token', 'ticket', 'jwt', 'authorization']) {
      expect(await upgrade({}, `/ws?${name}=${accessToken}`)).toBe(400)
      expect(await upgrade(headers, `/ws?${name}=${accessToken}`)).toBe(400)
      expect((await fetch(`${url}/auth/me?${name}=${accessToken}`)).status).toBe(401)
    }
    expect(await upgrade({}, `/ws/${accessToken}`)).toBe(404)
  })

  it('43: takes a ticket once, for its origin, within half a minute, and not after a logout', async () => {
    let ahead = 0
    const { url, upgrade, getTicket, headers } = await start({ now: () => Date.now() + ahead })
    const good = await getTicket(url)
    expect(await upgrade({ ...good, origin: url })).toBe(101)
    expect(await upgrade({ ...good, origin: url })).toBe(401)
    const foreign = await getTicket('https://evil.example')
    expect(await upgrade({ ...foreign, origin: url })).toBe(401)
    const late = await getTicket(url)
    ahead = 30_000
    expect(await upgrade({ ...late, origin: url })).toBe(401)
    expect((await post(url, '/auth/ticket', {})).status).toBe(401)
    const left = await getTicket(url)
    await post(url, '/auth/logout', {}, headers)
    expect(await upgrade({ ...left, origin: url })).toBe(401)
  })

  it('43: takes a ticket that is shown twenty times at once for one socket', async () => {
    const { url, upgrade, getTicket } = await start()
    const shown = { ...(await getTicket(url)), origin: url }
    const statuses = await Promise.all(Array.from({ length: 20 }, () => upgrade(shown)))
    expect(statuses.filter(status => status !== 401)).toEqual([101])
  })

  it('43: takes a ticket for whom it was issued to, as that user is by then', async () => {
    const { url, upgrade, getTicket, headers } = await start()
    const made = await post(url, '/users', { username: 'eve', role: 'viewer' }, headers)
    const { user, password } = (await made.json()) as { user: { id: string }; password: string }
    const change = { username: 'eve', password, newPassword: 'an unlikely sentence, once' }
    const eve = bearer(((await (await post(url, '/auth/password', change)).json()) as Tokens).accessToken)
    const ticketOf = async (who: Record<string, string>) => {
      const response = await post(url, '/auth/ticket', {}, { ...who, origin: url })
      const { ticket } = (await response.json()) as { ticket: string }
      return `ticket.${ticket}`
    }
    const offer = (...protocols: string[]) => ({
      origin: url,
      'sec-websocket-protocol': ['netsentinel.v1', ...protocols].join(', '),
    })
    // Beside another user's token, or another ticket, it would be anybody's guess who is meant.
    expect(await upgrade({ ...offer(await ticketOf(eve)), ...headers })).toBe(401)
    expect(await upgrade(offer(await ticketOf(eve), await ticketOf(headers)))).toBe(401)
    expect(await upgrade({ origin: url, 'sec-websocket-protocol': await ticketOf(eve) })).toBe(401)

    const before = await ticketOf(eve)
    const patch = (body: object) =>
      fetch(`${url}/users/${user.id}`, {
        method: 'PATCH',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    await patch({ role: 'auditor' })
    const socket = await openForeignSocket(url, {
      headers: { origin: url },
      protocols: ['netsentinel.v1', before],
    })
    expect(socket.socket.protocol).toBe('netsentinel.v1')
    socket.send({ type: 'subscribe', channel: 'threats' })
    await until(() => socket.messages.length === 1)
    expect(socket.messages).toMatchObject([{ type: 'error', code: 'forbidden' }])

    const left = await ticketOf(eve)
    await patch({ disabled: true })
    expect(await upgrade(offer(left))).toBe(401)
    expect(await upgrade(await getTicket(url))).toBe(401)
  })

  it('44: is refused without valid credentials, however they are shown', async () => {
    const { accessToken, refreshToken, upgrade, headers } = await start()
    const attempts: Record<string, string>[] = [
      {},
      { authorization: 'Bearer ' },
      { authorization: `Basic ${Buffer.from('admin:x').toString('base64')}` },
      { authorization: accessToken },
      bearer(refreshToken),
      bearer(`${accessToken}x`),
      { cookie: `accessToken=${accessToken}` },
      { 'sec-websocket-protocol': accessToken },
      { 'sec-websocket-protocol': `netsentinel.v1, ${accessToken}` },
      { 'x-access-token': accessToken },
    ]
    for (const attempt of attempts) expect([attempt, await upgrade(attempt)]).toEqual([attempt, 401])
    expect(await upgrade(headers)).toBe(101)
  })

  it.each(['', 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websoc'])(
    '44: that is not finished is cut within 10 s: %j',
    async text => {
      const { gateway } = await start()
      const socket = connect(gateway.port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(text)
      socket.resume()
      const began = performance.now()
      await once(socket, 'close')
      expect(performance.now() - began).toBeLessThan(10_000)
    },
  )

  it('50: beyond the sockets that a gateway takes is refused', async () => {
    const { upgrade, headers, url } = await start({ env: { GATEWAY_MAX_SOCKETS: '1' } })
    const socket = await openForeignSocket(url, { headers })
    expect(await upgrade(headers)).toBe(503)
    await socket.close()
  })

  it.each([
    ['sockets that a user may have', 'GATEWAY_MAX_SOCKETS_PER_USER', '1', 'user-sockets', '10'],
    ['sockets that an address may have', 'GATEWAY_MAX_SOCKETS_PER_ADDRESS', '1', 'address-sockets', '10'],
    ['upgrades of an address', 'GATEWAY_UPGRADES_PER_SECOND_PER_ADDRESS', '1', 'address-upgrades', '1'],
    ['upgrades of all', 'GATEWAY_UPGRADES_PER_SECOND', '1', 'upgrades', '1'],
  ])(
    '50: beyond the %s is refused, and told when to come back',
    async (_name, setting, value, limit, after) => {
      const time = Date.now()
      const { headers, url, metrics } = await start({ env: { [setting]: value }, now: () => time })
      await openForeignSocket(url, { headers })
      const refused = await tryUpgrade(url, headers)
      expect([refused.status, refused.headers['retry-after']]).toEqual([
        limit === 'upgrades' ? 503 : 429,
        after,
      ])
      expect((await metrics.limited.get()).values).toMatchObject([{ labels: { limit }, value: 1 }])
    },
  )
})

describe('a socket', () => {
  it('45: is extended by a newer token of the same user, and of nobody else', async () => {
    let ahead = 0
    const { url, headers, refreshToken } = await start({ now: () => Date.now() + ahead })
    const socket = await openForeignSocket(url, { headers })
    const refresh = async (accessToken: string) => {
      const before = socket.messages.length
      socket.send({ type: 'refresh', accessToken })
      await until(() => socket.messages.length > before)
      return socket.messages.at(-1)
    }
    const made = await post(url, '/users', { username: 'eve', role: 'viewer' }, headers)
    const { password } = (await made.json()) as { password: string }
    const change = { username: 'eve', password, newPassword: 'an unlikely sentence, once' }
    const eve = (await (await post(url, '/auth/password', change)).json()) as Tokens
    expect(await refresh(eve.accessToken)).toMatchObject({ type: 'error', code: 'refused' })
    expect(await refresh('x')).toMatchObject({ type: 'error', code: 'refused' })
    ahead = 600_000
    const next = (await (await post(url, '/auth/refresh', { refreshToken })).json()) as Tokens
    expect(await refresh(next.accessToken)).toMatchObject({ type: 'refreshed' })
    ahead = 1_000_000
    socket.send({ type: 'ping' })
    await until(() => socket.messages.at(-1)?.type === 'pong')
    ahead = 1_600_000
    expect(await socket.closed).toBe(4010)
  })

  it('46: is closed with a code of its own when its token has expired', async () => {
    let ahead = 0
    const { url, headers } = await start({ now: () => Date.now() + ahead })
    const socket = await openForeignSocket(url, { headers })
    ahead = 900_000 + 5_500
    expect(await socket.closed).toBe(4010)
  })

  it('49: takes no frame of over 64 KiB, and nothing in a message reaches a prototype', async () => {
    const { url, headers } = await start()
    const socket = await openForeignSocket(url, { headers })
    socket.socket.send('{"type":"subscribe","channel":"threats","__proto__":{"polluted":true}}')
    socket.socket.send('{"__proto__":{"type":"ping"}}')
    socket.socket.send(`${'['.repeat(30_000)}${']'.repeat(30_000)}`)
    socket.send({ type: 'ping' })
    await until(() => socket.messages.at(-1)?.type === 'pong')
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    expect(socket.messages.filter(({ type }) => type === 'error').length).toBeGreaterThanOrEqual(2)
    socket.socket.send('x'.repeat(65_537))
    expect(await socket.closed).toBe(1009)
  })

  it('50: that sends too much is closed, and need not come back', async () => {
    const { url, headers, metrics } = await start({ env: { GATEWAY_MESSAGES_PER_SECOND: '5' } })
    const socket = await openForeignSocket(url, { headers })
    for (let i = 0; i < 20; i += 1) socket.send({ type: 'ping' })
    expect(await socket.closed).toBe(4501)
    expect((await metrics.limited.get()).values).toEqual([{ labels: { limit: 'messages' }, value: 1 }])
  })

  it('51: that does not read loses what is not critical, is closed at its cap, and the others get everything', async () => {
    const { url, gateway, relay, metrics, headers, accessToken } = await start({
      env: { GATEWAY_QUEUE_BYTES: '262144' },
    })
    const healthy = await openForeignSocket(url, { headers })
    healthy.send({ type: 'subscribe', channel: 'threats' })
    await until(() => healthy.messages.length === 1)
    await openDeafSocket(gateway.port, accessToken)
    const original = 'x'.repeat(30_000)
    const isClosed = async () =>
      (await metrics.closes.get()).values.some(({ labels, value }) => labels.code === '4008' && value > 0)
    const hasLost = async () => (await metrics.dropped.get()).values.some(({ value }) => value > 0)
    let offset = 0
    const sendUntil = async (isDone: () => Promise<boolean>, severity: 'low' | 'critical') => {
      while (!(await isDone())) {
        expect(offset).toBeLessThan(3_000)
        const batch = [1, 2, 3, 4].map(next =>
          threatRecord(offset + next, { severity, event: { ...makeThreat().event, original } }),
        )
        offset += batch.length
        await relay.onBatch(batch)
        await until(() => healthy.messages.length === offset + 1)
      }
    }
    await sendUntil(hasLost, 'low')
    expect(await isClosed()).toBe(false)
    const waiting = (await metrics.queuedBytes.get()).values.find(({ labels }) => labels.of === 'max')
    expect(waiting?.value).toBeGreaterThan(100_000)
    await sendUntil(isClosed, 'critical')
    expect((await metrics.limited.get()).values).toEqual([{ labels: { limit: 'queue' }, value: 1 }])
  })

  it('52: whose client does not answer pings is closed', async () => {
    const { gateway, accessToken, metrics } = await start({ env: { GATEWAY_PING_MS: '500' } })
    await openDeafSocket(gateway.port, accessToken)
    const isStale = async () =>
      (await metrics.closes.get()).values.some(({ labels, value }) => labels.code === '4009' && value > 0)
    await until(isStale)
  })

  it('53: is told to come back when the gateway shuts down', async () => {
    const { url, gateway, headers } = await start()
    const socket = await openForeignSocket(url, { headers })
    await gateway.close()
    expect(await socket.closed).toBe(4001)
    const [goingAway] = socket.messages as { type: string; reconnectAfterMs: number }[]
    expect(goingAway).toEqual({ type: 'going-away', reconnectAfterMs: expect.any(Number) })
    expect(goingAway?.reconnectAfterMs).toBeLessThanOrEqual(1_000)
  })

  it('53: loses nothing by a shutdown: on another gateway it goes on where it was, in order and once', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('shutdown') }
    const [one, two] = [await start(shared), await startTestGateway(shared)]
    const records = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => threatRecord(from + i))
    const offsetsOf = ({ messages }: { readonly messages: readonly object[] }) =>
      (messages as readonly { type: string; position: { offset: number } }[])
        .filter(({ type }) => type === 'threat')
        .map(({ position }) => position.offset)
    const first = await openForeignSocket(one.url, { headers: one.headers })
    first.send({ type: 'subscribe', channel: 'threats' })
    await until(() => first.messages.length === 1)
    await one.relay.onBatch(records(0, 10))
    await until(() => offsetsOf(first).length === 10)
    await one.gateway.close()
    expect(await first.closed).toBe(4001)
    await two.relay.onBatch(records(10, 20))

    const { epoch } = first.messages[0] as { type: string; epoch: string }
    const second = await openForeignSocket(two.url, { headers: one.headers })
    const positions = [{ partition: 0, offset: offsetsOf(first).at(-1) }]
    second.send({ type: 'subscribe', channel: 'threats', resume: { epoch, positions } })
    await two.relay.onBatch(records(20, 30))
    await until(() => offsetsOf(second).at(-1) === 29)
    expect(second.messages[0]).toMatchObject({ type: 'subscribed', recovered: true })
    const all = [...offsetsOf(first), ...offsetsOf(second)]
    expect(all).toEqual(Array.from({ length: 30 }, (_, i) => i))
  })
})

it('54: the WebSocket library is one without the memory disclosure and the denial of service of 2026', () => {
  const path = new URL('../../node_modules/ws/package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  expect(major > 8 || (major === 8 && minor >= 21)).toBe(true)
})
