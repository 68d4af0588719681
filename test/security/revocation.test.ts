import { describe, expect, it } from '@jest/globals'
import type { Tokens } from '../../schemas/wire.ts'
import { logIn, openForeignSocket, post, startTestGateway, threatRecord } from '../support/gateway.ts'
import { services, unique, until } from '../support/services.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { tempDir } from '../support/temp.ts'

const REVOKED = 4502
const PASSWORD = 'an unlikely sentence, once'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Two gateways of one store, an administrator, and a user who is logged in. */
const start = async (
  options: { redisUrl?: string; env?: Record<string, string>; now?: () => number } = {},
) => {
  // Nothing here waits for the next look of a gateway, but for its being told to look.
  const env = { GATEWAY_ACCESS_POLL_MS: '60000', ...options.env }
  const shared = { dataDir: tempDir(), prefix: unique('revoke'), ...options, env }
  const [one, two] = [await startTestGateway(shared), await startTestGateway(shared)]
  const admin = bearer((await logIn(one.url)).accessToken)
  const ask = (path: string, method: string, body?: object) =>
    fetch(one.url + path, {
      method,
      headers: { ...admin, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const made = await ask('/users', 'POST', { username: 'eve', role: 'viewer' })
  const { user, password } = (await made.json()) as { user: { id: string }; password: string }
  const change = { username: 'eve', password, newPassword: PASSWORD }
  await post(one.url, '/auth/password', change)
  const enter = async () => {
    const response = await post(one.url, '/auth/login', { username: 'eve', password: PASSWORD })
    const { accessToken, refreshToken } = (await response.json()) as Tokens
    const sockets = [
      await openForeignSocket(one.url, { headers: bearer(accessToken) }),
      await openForeignSocket(two.url, { headers: bearer(accessToken) }),
    ]
    for (const socket of sockets) {
      socket.send({ type: 'subscribe', channel: 'threats' })
      await until(() => socket.messages.length === 1)
    }
    const me = async (url: string) => (await fetch(`${url}/auth/me`, { headers: bearer(accessToken) })).status
    return { accessToken, refreshToken, sockets, me }
  }
  return { one, two, ask, user, enter, admin }
}

describe('what is taken away', () => {
  it('30: is a token: the next request is refused and its sockets are closed, on every gateway', async () => {
    const { one, two, ask, user, enter } = await start()
    const [bad, good] = [await enter(), await enter()]
    const me = await fetch(`${one.url}/auth/me`, { headers: bearer(bad.accessToken) })
    const { tokenId } = (await me.json()) as { tokenId: string }
    expect((await ask('/revocations', 'POST', { userId: user.id, tokenId })).status).toBe(204)
    for (const url of [one.url, two.url]) expect([await bad.me(url), await good.me(url)]).toEqual([401, 200])
    for (const socket of bad.sockets) expect(await socket.closed).toBe(REVOKED)
    await one.relay.onBatch([threatRecord(1)])
    for (const socket of good.sockets) await until(() => socket.messages.length === 2)
  })

  it.each([
    ['30: is every token of a user', '/revocations', 'POST', (id: string) => ({ userId: id })],
    ['31: is a user that is disabled', '/users/ID', 'PATCH', () => ({ disabled: true })],
    ['31: is a user that is deleted', '/users/ID', 'DELETE', () => undefined],
    ['31: is a password that is reset', '/users/ID/password', 'POST', () => ({})],
    ['40: is a session that an administrator ends', '/users/ID/sessions', 'DELETE', () => undefined],
  ])('%s: refused and closed on every gateway', async (_name, path, method, body) => {
    const { one, two, ask, user, enter } = await start()
    const { sockets, me } = await enter()
    expect((await ask(path.replace('ID', user.id), method, body(user.id))).ok).toBe(true)
    for (const url of [one.url, two.url]) expect(await me(url)).toBe(401)
    for (const socket of sockets) expect(await socket.closed).toBe(REVOKED)
  })

  it('36: is a login whose refresh token comes again: refused and closed on every gateway, and no other of its owner', async () => {
    let ahead = 0
    const { one, two, enter } = await start({ now: () => Date.now() + ahead })
    const [stolen, other] = [await enter(), await enter()]
    const refresh = () => post(two.url, '/auth/refresh', { refreshToken: stolen.refreshToken })
    const next = (await (await refresh()).json()) as Tokens
    // Beyond the seconds in which two tabs may show the same one.
    ahead = 11_000
    expect((await refresh()).status).toBe(401)
    for (const socket of stolen.sockets) expect(await socket.closed).toBe(REVOKED)
    const me = async (url: string, token: string) =>
      (await fetch(`${url}/auth/me`, { headers: bearer(token) })).status
    for (const url of [one.url, two.url]) {
      expect([await stolen.me(url), await me(url, next.accessToken), await other.me(url)]).toEqual([
        401, 401, 200,
      ])
    }
    await one.relay.onBatch([threatRecord(1)])
    for (const socket of other.sockets) await until(() => socket.messages.length === 2)
  })

  it('40: is a session that its owner logs out of: refused and closed on every gateway, and no other', async () => {
    const { one, two, enter } = await start()
    const [left, other] = [await enter(), await enter()]
    expect((await post(one.url, '/auth/logout', {}, bearer(left.accessToken))).status).toBe(204)
    for (const socket of left.sockets) expect(await socket.closed).toBe(REVOKED)
    for (const url of [one.url, two.url])
      expect([await left.me(url), await other.me(url)]).toEqual([401, 200])
    expect((await post(two.url, '/auth/refresh', { refreshToken: left.refreshToken })).status).toBe(401)
    await one.relay.onBatch([threatRecord(1)])
    for (const socket of other.sockets) await until(() => socket.messages.length === 2)
  })

  it('31: is a role: subscriptions end at once, and the socket stays', async () => {
    const { one, ask, user, enter } = await start()
    const { sockets } = await enter()
    await ask(`/users/${user.id}`, 'PATCH', { role: 'auditor' })
    for (const socket of sockets) {
      await until(() => socket.messages.some(({ type }) => type === 'unsubscribed'))
    }
    await one.relay.onBatch([threatRecord(1)])
    for (const socket of sockets) {
      socket.send({ type: 'ping' })
      await until(() => socket.messages.at(-1)?.type === 'pong')
      expect(socket.messages.map(({ type }) => type)).toEqual(['subscribed', 'unsubscribed', 'pong'])
    }
  })

  it('32: is taken away within the polling interval while Redis is away', async () => {
    const proxy = await startTcpProxy(services().redisUrl)
    const { one, two, ask, user, enter } = await start({
      redisUrl: proxy.url,
      env: { GATEWAY_ACCESS_POLL_MS: '200' },
    })
    const { sockets, me } = await enter()
    await proxy.pause()
    await until(async () => (await fetch(`${one.url}/ready`)).status === 503)
    expect((await ask(`/users/${user.id}`, 'PATCH', { disabled: true })).ok).toBe(true)
    for (const url of [one.url, two.url]) expect(await me(url)).toBe(401)
    for (const socket of sockets) expect(await socket.closed).toBe(REVOKED)
    await proxy.close()
  })

  it('33: is known by the id of the token, not by its text: another spelling is no token at all', async () => {
    const { one, ask, user, enter } = await start()
    const { accessToken } = await enter()
    const me = (token: string) => fetch(`${one.url}/auth/me`, { headers: bearer(token) })
    const { tokenId } = (await (await me(accessToken)).json()) as { tokenId: string }
    await ask('/revocations', 'POST', { userId: user.id, tokenId })
    for (const spelling of [
      accessToken,
      `${accessToken}=`,
      `${accessToken}.`,
      accessToken.replace('.', '.='),
    ]) {
      expect((await me(spelling)).status).toBe(401)
    }
  })

  it('30: is an API key: refused and closed on every gateway', async () => {
    const { one, two, ask } = await start()
    const made = await ask('/keys', 'POST', { name: 'siem', scopes: ['threats:read'], days: 1 })
    const { key, secret } = (await made.json()) as { key: { id: string }; secret: string }
    const socket = await openForeignSocket(two.url, { headers: bearer(secret) })
    socket.send({ type: 'subscribe', channel: 'threats' })
    socket.send({ type: 'subscribe', channel: 'alerts' })
    await until(() => socket.messages.length === 2)
    expect(socket.messages.map(({ type }) => type)).toEqual(['subscribed', 'error'])
    expect((await fetch(`${one.url}/users`, { headers: bearer(secret) })).status).toBe(403)
    expect((await ask(`/keys/${key.id}`, 'DELETE')).status).toBe(204)
    expect(await socket.closed).toBe(REVOKED)
    expect((await fetch(`${one.url}/auth/me`, { headers: bearer(secret) })).status).toBe(401)
  })
})
