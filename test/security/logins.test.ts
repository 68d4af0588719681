import { describe, expect, it } from '@jest/globals'
import { createTestApp, PASSWORD } from '../support/app.ts'
import { logIn, post, startTestGateway } from '../support/gateway.ts'
import { services, unique, until } from '../support/services.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { tempDir } from '../support/temp.ts'

describe('guessing', () => {
  const guesses = async (made: Awaited<ReturnType<typeof createTestApp>>) => {
    const { app } = made
    return async (username: string, address: string, password = 'wrong') => {
      const response = await app.inject({
        method: 'POST',
        url: '/auth/login',
        payload: { username, password },
        remoteAddress: address,
      })
      return response.statusCode
    }
  }

  it('9: locks an account for one address, softly, and never for its owner elsewhere', async () => {
    const made = await createTestApp()
    const guess = await guesses(made)
    for (let i = 0; i < 6; i += 1) expect(await guess('viewer', '192.0.2.1')).toBe(401)
    // Locked: the right password is not even looked at.
    expect(await guess('viewer', '192.0.2.1', PASSWORD)).toBe(401)
    expect((await made.deps.metrics.limited.get()).values).toEqual([
      { labels: { limit: 'login-failures' }, value: 1 },
    ])
    expect(await guess('viewer', '198.51.100.1', PASSWORD)).toBe(200)
    made.advance(1_000)
    expect(await guess('viewer', '192.0.2.1', PASSWORD)).toBe(200)
  })

  it('9: is slowed down for an address that tries many accounts', async () => {
    const made = await createTestApp()
    const { throttle } = made.deps
    const guess = await guesses(made)
    for (let i = 0; i < 51; i += 1) await throttle.admit({ account: `user${i}`, address: '192.0.2.1' })
    expect(await guess('viewer', '192.0.2.1', PASSWORD)).toBe(401)
    expect(await guess('viewer', '198.51.100.1', PASSWORD)).toBe(200)
  })

  it('9: from everywhere at once is told that it is too much, which says nothing of an account', async () => {
    const made = await createTestApp()
    const { throttle } = made.deps
    const guess = await guesses(made)
    for (let i = 0; i < 1_001; i += 1) await throttle.admit({ account: `user${i}`, address: `a${i}` })
    expect(await guess('viewer', '198.51.100.1', PASSWORD)).toBe(503)
    const { values } = await made.deps.metrics.limited.get()
    expect(values).toEqual([{ labels: { limit: 'logins' }, value: 1 }])
    made.advance(60_000)
    expect(await guess('viewer', '198.51.100.1', PASSWORD)).toBe(200)
  })

  it('10: is counted over all gateways together', async () => {
    // Time stands still: a lock of a second would be over while a slow machine hashes.
    const began = Date.now()
    const shared = { dataDir: tempDir(), prefix: unique('guess'), now: () => began }
    const gateways = await Promise.all(Array.from({ length: 3 }, () => startTestGateway(shared)))
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        post(gateways[i % 3]?.url ?? '', '/auth/login', { username: 'admin', password: 'wrong' }),
      ),
    )
    // Closing publishes what each has written down.
    await Promise.all(gateways.map(({ gateway }) => gateway.close()))
    const entries = gateways.flatMap(({ audited }) => audited)
    const passwords = new Set(entries.filter(({ outcome }) => outcome === 'password').map(({ id }) => id))
    expect(passwords.size).toBe(6)
  })

  it('11: has stricter limits while Redis is away, and is never unlimited', async () => {
    const proxy = await startTcpProxy(services().redisUrl)
    const { url } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('away'),
      redisUrl: proxy.url,
    })
    await proxy.pause()
    await until(async () => (await fetch(`${url}/ready`)).status === 503)
    await logIn(url)
    for (let i = 0; i < 3; i += 1) await post(url, '/auth/login', { username: 'admin', password: 'wrong' })
    await expect(logIn(url)).rejects.toThrow('401')
    await proxy.close()
  })

  it('12: takes a bounded part of the machine: other requests are answered while logins wait', async () => {
    const { app, ask, deps, tokenOf } = await createTestApp({}, { PASSWORD_HASH_CONCURRENCY: '1' })
    const token = await tokenOf('viewer')
    let waiting = 100
    const flood = Array.from({ length: waiting }, async (_, i) => {
      const { statusCode } = await app.inject({
        method: 'POST',
        url: '/auth/login',
        payload: { username: `user${i}`, password: 'wrong' },
        remoteAddress: `192.0.2.${i}`,
      })
      waiting -= 1
      return statusCode
    })
    for (let i = 0; i < 10; i += 1) expect((await ask('GET', '/auth/me', { token })).statusCode).toBe(200)
    expect(waiting).toBeGreaterThan(0)
    const statuses = await Promise.all(flood)
    // One is worked on and 32 wait; whoever comes on top is told to come back.
    expect(statuses.filter(status => status === 401).length).toBeGreaterThanOrEqual(33)
    const busy = statuses.filter(status => status === 503).length
    expect(busy).toBeGreaterThan(0)
    const { values } = await deps.metrics.limited.get()
    expect(values).toEqual([{ labels: { limit: 'hashing' }, value: busy }])
    expect(new Set(statuses)).toEqual(new Set([401, 503]))
  })
})

describe('the address of a client', () => {
  const addressOf = async (trustedProxies: readonly string[], remoteAddress: string, forwarded: string) => {
    const { app, store } = await createTestApp({ trustedProxies })
    await app.inject({
      method: 'POST',
      url: '/auth/login',
      payload: { username: 'viewer', password: 'wrong' },
      remoteAddress,
      headers: { 'x-forwarded-for': forwarded },
    })
    return (await store.listAudit({ event: 'login', limit: 1 }))[0]?.address
  }

  it('14: is what a trusted proxy says, and of nobody else', async () => {
    expect(await addressOf([], '192.0.2.1', '10.9.9.9')).toBe('192.0.2.1')
    expect(await addressOf(['10.0.0.0/8'], '192.0.2.1', '10.9.9.9')).toBe('192.0.2.1')
    expect(await addressOf(['10.0.0.0/8'], '10.0.0.1', '198.51.100.7')).toBe('198.51.100.7')
    expect(await addressOf(['10.0.0.0/8'], '10.0.0.1', '203.0.113.9, 198.51.100.7')).toBe('198.51.100.7')
  })
})
