import { Writable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { createLog } from '../runtime/log.ts'
import { type AppDeps, createTestApp, PASSWORD } from '../test/support/app.ts'

const create = async (changes: Partial<AppDeps> = {}, level: 'info' | 'debug' = 'info') => {
  const lines: string[] = []
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString())
      done()
    },
  })
  const made = await createTestApp({ log: createLog({ level }, 'test', destination), ...changes })
  const requests = () =>
    lines.map(line => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === 'request')
  return { ...made, lines, requests }
}

describe('the access log', () => {
  it('says who asked for what, from where, and what came of it', async () => {
    const { app, requests, tokenOf, store } = await create({ trustedProxies: ['10.0.0.1'] })
    const token = await tokenOf('viewer')
    const ask = (url: string) =>
      app.inject({
        url,
        remoteAddress: '10.0.0.1',
        headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.9' },
      })
    await ask('/threats?entity=ip:192.0.2.1')
    await ask('/users/some-id')
    await ask('/nothing/here')
    const { id: actor } = (await store.findUserByName('viewer')) ?? {}
    const shared = { level: 'info', actor, role: 'viewer', address: '203.0.113.9', method: 'GET' }
    const [, threats, users, nothing] = requests()
    expect(threats).toMatchObject({ ...shared, route: '/threats', status: 200, ms: expect.any(Number) })
    expect(users).toMatchObject({ ...shared, route: '/users/:id', status: 403 })
    expect(nothing).toMatchObject({ actor: null, address: '203.0.113.9', status: 404 })
    expect(nothing).not.toHaveProperty('route')
  })

  it('names the key of a program', async () => {
    const { ask, requests, tokenOf } = await create()
    const body = { name: 'siem', scopes: ['threats:read'], days: 1 }
    const made = (await ask('POST', '/keys', { token: await tokenOf('admin'), body })).json()
    await ask('GET', '/threats', { token: made.secret })
    expect(requests().at(-1)).toMatchObject({
      actor: `key:${made.key.id}`,
      role: 'service',
      key: made.key.id,
    })
  })

  it('holds no token, no secret and nothing of a query or a body', async () => {
    const { app, ask, logIn, lines } = await create({}, 'debug')
    const { accessToken, refreshToken } = await logIn('admin')
    await app.inject({
      url: `/auth/me?token=${accessToken}&q=hunter2`,
      headers: { authorization: `Bearer ${accessToken}`, cookie: `a=${refreshToken}` },
    })
    await app.inject({ url: `/${accessToken}`, headers: { authorization: `Bearer ${accessToken}` } })
    await ask('POST', '/auth/refresh', { body: { refreshToken } })
    for (const secret of [accessToken, refreshToken, PASSWORD, 'hunter2']) {
      expect(lines.join('')).not.toContain(secret)
    }
  })

  it('leaves out health checks, and can be turned off', async () => {
    const { app, requests } = await create()
    for (const url of ['/live', '/ready']) await app.inject(url)
    expect(requests()).toEqual([])
    const off = await create({ accessLog: false })
    await off.app.inject('/auth/me')
    expect(off.requests()).toEqual([])
  })
})

it('requests are counted by route and class of status, and timed; what is no route counts as one', async () => {
  const { app, deps } = await create()
  for (const url of ['/live', '/live', '/users/a', '/users/b', '/nothing', '/else']) await app.inject(url)
  const { values } = await deps.metrics.requestSeconds.get()
  const counts = values.flatMap(({ metricName, labels, value }) =>
    metricName?.endsWith('_count') === true ? [[labels.route, labels.status, value]] : [],
  )
  expect(counts).toEqual([
    ['GET /live', '2xx', 2],
    ['GET /users/:id', '4xx', 2],
    ['none', '4xx', 2],
  ])
})
