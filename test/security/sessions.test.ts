import { describe, expect, it } from '@jest/globals'
import { CSRF_HEADER, REFRESH_COOKIE } from '../../gateway/routes/browser.ts'
import type { Tokens } from '../../schemas/wire.ts'
import { createTestApp, PASSWORD } from '../support/app.ts'
import { createNotifyingSystem, WEBHOOK_SECRET } from '../support/notifying.ts'
import { startReceiver } from '../support/receiver.ts'
import { until } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'

const create = async () => {
  const made = await createTestApp()
  const { ask } = made
  return {
    ...made,
    refresh: (refreshToken: string) => ask('POST', '/auth/refresh', { body: { refreshToken } }),
    me: async (token: string) => (await ask('GET', '/auth/me', { token })).statusCode,
  }
}

describe('a session', () => {
  it('34: has refresh tokens of 256 random bits, which the store holds by their hash alone', async () => {
    const { logIn, store } = await create()
    const { refreshToken } = await logIn('viewer')
    expect(Buffer.from(refreshToken, 'base64url')).toHaveLength(32)
    expect((await logIn('viewer')).refreshToken).not.toBe(refreshToken)
    const next = { hash: 'x', expiresAt: 0, sealed: 'x' }
    expect(await store.rotateRefreshToken(refreshToken, next, 0, 0)).toEqual({ outcome: 'unknown' })
  })

  it('35: gives one successor to a refresh token that comes a hundred times at once', async () => {
    const { logIn, refresh, store } = await create()
    const { refreshToken } = await logIn('viewer')
    const answers = await Promise.all(Array.from({ length: 100 }, () => refresh(refreshToken)))
    expect(new Set(answers.map(answer => answer.statusCode))).toEqual(new Set([200]))
    expect(new Set(answers.map(answer => answer.json().refreshToken)).size).toBe(1)
    const user = await store.findUserByName('viewer')
    expect(await store.listSessions(user?.id ?? '', Date.now())).toHaveLength(1)
  })

  it('36: ends when a refresh token is used again later, and that is on the audit log', async () => {
    const { logIn, refresh, advance, me, store } = await create()
    const { refreshToken } = await logIn('viewer')
    const next = (await refresh(refreshToken)).json<Tokens>()
    advance(10_000)
    expect((await refresh(refreshToken)).statusCode).toBe(401)
    expect((await refresh(next.refreshToken)).statusCode).toBe(401)
    expect(await me(next.accessToken)).toBe(401)
    expect(await store.listAudit({ event: 'refresh', limit: 9 })).toMatchObject([{ outcome: 'reused' }])
  })

  it('36: that ends so is an alert: people are told whose it was, and from where it came again', async () => {
    const { logIn, refresh, advance, store } = await create()
    const { refreshToken } = await logIn('viewer')
    await refresh(refreshToken)
    advance(10_000)
    await refresh(refreshToken)

    const hook = await startReceiver()
    cleanUp(() => hook.close())
    const system = await createNotifyingSystem()
    await system.start({ NOTIFY_WEBHOOKS: `${hook.url} ${WEBHOOK_SECRET}` })
    const entries = (await store.unpublishedAudit(100)).map(entry => ({ ...entry, at: Date.now() }))
    expect(entries.length).toBeGreaterThan(1)
    await system.audit(...entries)
    await until(() => hook.requests.length > 0)
    const told = hook.requests.map(({ body }) => JSON.parse(body) as object)
    expect(told).toMatchObject([{ type: 'alert.opened', data: { severity: 'high', entity: 'user:viewer' } }])
    expect(JSON.stringify(told)).toContain('from 127.0.0.1')
    expect(JSON.stringify(told)).not.toContain(refreshToken)
  })

  it('37: goes on when two tabs refresh with the same token within seconds, in one chain', async () => {
    const { logIn, refresh, advance } = await create()
    const { refreshToken } = await logIn('viewer')
    const one = (await refresh(refreshToken)).json<Tokens>()
    advance(5_000)
    const two = (await refresh(refreshToken)).json<Tokens>()
    expect(two.refreshToken).toBe(one.refreshToken)
    expect((await refresh(one.refreshToken)).statusCode).toBe(200)
  })

  it('38: ends when it is not refreshed for an hour, and after a day in any case', async () => {
    const { logIn, refresh, advance } = await create()
    const idle = await logIn('viewer')
    const kept = await logIn('viewer')
    let { refreshToken } = kept
    for (let hour = 0; hour < 24; hour += 1) {
      advance(3_599_000)
      const answer = await refresh(refreshToken)
      expect(answer.statusCode).toBe(200)
      refreshToken = answer.json<Tokens>().refreshToken
      if (hour === 1) expect((await refresh(idle.refreshToken)).statusCode).toBe(401)
    }
    advance(24_000)
    expect((await refresh(refreshToken)).statusCode).toBe(401)
  })

  it('39: of a page has its refresh token in a cookie that no script and no other site can use', async () => {
    const { ask } = await create()
    const origin = 'http://localhost:80'
    const page = { origin, host: 'localhost:80', [CSRF_HEADER]: 'dashboard' }
    const body = { username: 'viewer', password: PASSWORD }
    const login = await ask('POST', '/auth/login', { body, headers: page })
    expect(login.json()).not.toHaveProperty('refreshToken')
    const cookie = String(login.headers['set-cookie'])
    expect(cookie).toMatch(
      new RegExp(`^${REFRESH_COOKIE}=[\\w-]{43}; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Strict$`),
    )
    const jar = { cookie: `other=1; ${cookie.split(';', 1)[0]}` }
    const refresh = (headers: Record<string, string>, payload?: unknown) =>
      ask('POST', '/auth/refresh', { headers, ...(payload === undefined ? {} : { body: payload }) })
    const refused = [
      { ...page, [CSRF_HEADER]: undefined },
      { ...page, origin: 'http://evil.example' },
      { ...page, origin: 'null' },
    ]
    for (const headers of refused) {
      const clean = Object.fromEntries(
        Object.entries(headers).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])),
      )
      expect((await refresh({ ...clean, ...jar })).statusCode).toBe(403)
      expect((await ask('POST', '/auth/login', { body, headers: clean })).statusCode).toBe(403)
    }
    expect((await refresh(jar)).statusCode).toBe(401)
    expect((await refresh({ ...page, cookie: `${jar.cookie}; ${REFRESH_COOKIE}=x` })).statusCode).toBe(401)
    const good = await refresh({ ...page, ...jar })
    expect([good.statusCode, Object.keys(good.json())]).toEqual([200, ['accessToken', 'expiresIn']])
    const out = await ask('POST', '/auth/logout', { token: good.json().accessToken, headers: page })
    expect(String(out.headers['set-cookie'])).toContain(`${REFRESH_COOKIE}=; Max-Age=0;`)
  })

  it('40: can be listed and ended by its owner, and by an administrator', async () => {
    const { ask, logIn, tokenOf, me, refresh, store } = await create()
    const [one, two] = [await logIn('viewer'), await logIn('viewer')]
    const list = async (token: string) => (await ask('GET', '/auth/sessions', { token })).json().sessions
    expect(await list(one.accessToken)).toHaveLength(2)
    const other = (await list(one.accessToken)).find((each: { current: boolean }) => !each.current)
    const analyst = await tokenOf('analyst')
    expect((await ask('DELETE', `/auth/sessions/${other.id}`, { token: analyst })).statusCode).toBe(404)
    expect((await ask('DELETE', `/auth/sessions/${other.id}`, { token: one.accessToken })).statusCode).toBe(
      204,
    )
    expect([await me(one.accessToken), await me(two.accessToken)]).toEqual([200, 401])
    expect((await ask('POST', '/auth/logout', { token: one.accessToken })).statusCode).toBe(204)
    expect([await me(one.accessToken), (await refresh(one.refreshToken)).statusCode]).toEqual([401, 401])

    const victim = await logIn('viewer')
    const { id = '' } = (await store.findUserByName('viewer')) ?? {}
    expect((await ask('DELETE', `/users/${id}/sessions`, { token: analyst })).statusCode).toBe(403)
    const ended = await ask('DELETE', `/users/${id}/sessions`, { token: await tokenOf('admin') })
    expect([ended.json(), await me(victim.accessToken)]).toEqual([{ ended: 1 }, 401])
  })

  it('40: ends everywhere when its owner asks for that', async () => {
    const { ask, logIn, me } = await create()
    const [one, two] = [await logIn('viewer'), await logIn('viewer')]
    await ask('POST', '/auth/logout', { token: one.accessToken, body: { everywhere: true } })
    expect([await me(one.accessToken), await me(two.accessToken)]).toEqual([401, 401])
  })
})
