import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import Fastify from 'fastify'
import { SentinelError } from '../runtime/errors.ts'
import type { Check } from '../runtime/lifecycle.ts'
import type { Tokens } from '../schemas/wire.ts'
import { type AppDeps, createTestApp, routesOf } from '../test/support/app.ts'
import { createMemoryProvider } from './auth/memory-provider.ts'
import type { SessionProvider } from './auth/provider.ts'
import { addGroundRules } from './routes/ground-rules.ts'

const CREDENTIALS = { username: 'eve', password: 'correct horse' }
const now = () => 1_700_000_000_000

const createAuth = () =>
  createMemoryProvider({
    accounts: [
      { ...CREDENTIALS, role: 'viewer' },
      { username: 'gone', password: 'battery staple', role: 'admin', disabled: true },
      { username: 'olga', password: 'battery staple', role: 'auditor' },
    ],
    accessTokenS: 60,
    now,
  })

const create = async (changes: Partial<AppDeps> = {}) => {
  const { app, deps } = await createTestApp({ auth: createAuth(), now, ...changes })
  const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url, payload: payload as object, headers })
  const logIn = async () => (await post('/auth/login', CREDENTIALS)).json<Tokens>()
  return { app, deps, post, logIn }
}

const PROBLEM = /^application\/problem\+json/

describe('login', () => {
  it('answers with tokens that open what needs them', async () => {
    const { app, post } = await create()
    const response = await post('/auth/login', CREDENTIALS)
    expect(response.statusCode).toBe(200)
    expect(Object.keys(response.json())).toEqual(['accessToken', 'expiresIn', 'refreshToken'])
    const me = await app.inject({
      url: '/auth/me',
      headers: { authorization: `Bearer ${response.json<Tokens>().accessToken}` },
    })
    expect(me.json()).toMatchObject({ username: 'eve', role: 'viewer' })
  })

  it('answers alike for an unknown user, a wrong password, a disabled account and a locked one', async () => {
    const { post } = await create()
    const lock = { username: 'olga', password: 'wrong' }
    for (let i = 0; i < 6; i += 1) await post('/auth/login', lock)
    const answers = await Promise.all(
      [
        { ...CREDENTIALS, password: 'wrong' },
        { ...CREDENTIALS, username: 'nobody' },
        { username: 'gone', password: 'battery staple' },
        { username: 'olga', password: 'battery staple' },
      ].map(each => post('/auth/login', each)),
    )
    const [first, ...others] = answers.map(({ statusCode, headers, body }) => ({
      statusCode,
      headers: { ...headers, date: '' },
      body,
    }))
    expect(first).toMatchObject({ statusCode: 401 })
    for (const other of others) expect(other).toEqual(first)
  })

  it('is not looked at while it is throttled', async () => {
    let looks = 0
    const auth = createAuth()
    const counting: SessionProvider = {
      ...auth,
      authenticate: credentials => {
        looks += 1
        return auth.authenticate(credentials)
      },
    }
    const { post } = await create({ auth: counting })
    const guesses = Array.from({ length: 20 }, () =>
      post('/auth/login', { ...CREDENTIALS, password: 'wrong' }),
    )
    await Promise.all(guesses)
    expect(looks).toBe(6)
  })

  it('says when it is overloaded, and does not hold that against the account', async () => {
    const auth = createAuth()
    let isOverloaded = true
    const { post } = await create({
      auth: {
        ...auth,
        authenticate: async credentials =>
          isOverloaded ? { refused: 'overloaded' } : auth.authenticate(credentials),
      },
    })
    for (let i = 0; i < 20; i += 1) {
      const response = await post('/auth/login', CREDENTIALS)
      expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1'])
    }
    isOverloaded = false
    expect((await post('/auth/login', CREDENTIALS)).statusCode).toBe(200)
  })
})

describe('refresh and ticket', () => {
  it('gives new tokens, and the same again for a moment', async () => {
    const { post, logIn } = await create()
    const { refreshToken } = await logIn()
    const first = (await post('/auth/refresh', { refreshToken })).json<Tokens>()
    const again = (await post('/auth/refresh', { refreshToken })).json<Tokens>()
    expect(again.refreshToken).toBe(first.refreshToken)
    expect((await post('/auth/refresh', { refreshToken: 'x' })).statusCode).toBe(401)
    expect((await post('/auth/refresh', {})).statusCode).toBe(401)
  })

  it('gives a ticket for the page that asks', async () => {
    const { post, logIn, deps } = await create()
    const { accessToken } = await logIn()
    const headers = { authorization: `Bearer ${accessToken}`, origin: 'https://soc.example' }
    const { ticket, expiresIn } = (await post('/auth/ticket', {}, headers)).json()
    expect(expiresIn).toBe(30)
    expect(await deps.tickets.redeem(ticket, 'https://soc.example')).toMatchObject({ username: 'eve' })
  })

  it('answers 503 when the ticket store is away', async () => {
    const { post, logIn } = await create({
      tickets: {
        issue: () =>
          Promise.reject(new SentinelError('NS_SERVICE_UNREACHABLE', 'redis://secret@host is away')),
        redeem: () => Promise.resolve(undefined),
      },
    })
    const response = await post(
      '/auth/ticket',
      {},
      { authorization: `Bearer ${(await logIn()).accessToken}` },
    )
    expect(response.statusCode).toBe(503)
    expect(response.body).not.toContain('secret')
  })
})

describe('every route', () => {
  it('asks for credentials, but for those that are listed here', async () => {
    const { app } = await create()
    const routes = routesOf(app)
    const open: string[] = []
    for (const { url, method } of routes) {
      for (const authorization of ['', 'Bearer', 'Bearer x', 'Bearer a.b.c', 'Basic x']) {
        const { statusCode, headers } = await app.inject({ method, url, headers: { authorization } })
        if (statusCode !== 401) open.push(`${method} ${url}`)
        else expect(headers['www-authenticate']).toBe('Bearer')
      }
    }
    expect(routes.length).toBeGreaterThan(20)
    expect([...new Set(open)].toSorted()).toEqual([
      'GET /.well-known/jwks.json',
      'GET /live',
      'GET /ready',
      'POST /auth/login',
      'POST /auth/password',
    ])
  })

  it('without a policy, a name or the schema of an answer keeps the application from being built', async () => {
    const app = Fastify()
    addGroundRules(app, (await create()).deps)
    expect(() => app.get('/open', async () => 'hello')).toThrow(/states no policy/)
    const config = { policy: 'public' } as const
    expect(() => app.get('/open', { config }, async () => 'hello')).toThrow(/states no operationId/)
    const schema = { operationId: 'open', summary: 'Open', tags: ['open'] }
    expect(() => app.get('/open', { config, schema }, async () => 'hello')).toThrow(/no schema of its answer/)
  })

  it('with a permission is closed to roles that do not have it', async () => {
    const { deps } = await create()
    const app = Fastify()
    addGroundRules(app, deps)
    const schema = {
      operationId: 'listThreats',
      summary: 'Threats',
      tags: ['threats'],
      response: { 200: { type: 'string' } },
    }
    app.get('/threats', { config: { policy: 'threats:read' }, schema }, async () => 'threats')
    const ask = async (username: string, password: string) => {
      const tokens = (await deps.auth.authenticate({ username, password })) as Tokens
      return app.inject({ url: '/threats', headers: { authorization: `Bearer ${tokens.accessToken}` } })
    }
    expect((await ask(CREDENTIALS.username, CREDENTIALS.password)).statusCode).toBe(200)
    expect((await ask('olga', 'battery staple')).statusCode).toBe(403)
  })

  it.each([
    ['a field too many', '/auth/login', { ...CREDENTIALS, admin: true }, 400],
    ['a field missing', '/auth/login', { username: 'eve' }, 400],
    ['a number for a text', '/auth/login', { ...CREDENTIALS, password: 12_345_678 }, 400],
    ['a list', '/auth/refresh', [{ refreshToken: 'x' }], 400],
    ['an empty text', '/auth/login', { username: '', password: '' }, 400],
    ['a password of 2,049 characters', '/auth/login', { username: 'e', password: 'x'.repeat(2_049) }, 400],
    ['a body of over 16 KiB', '/auth/login', { username: 'e', password: 'x'.repeat(17_000) }, 413],
  ])('checks its body: %s', async (_name, url, body, status) => {
    const { post } = await create()
    const response = await post(url, body)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-type']).toMatch(PROBLEM)
    expect(response.json()).toMatchObject({ type: 'about:blank', status })
  })

  it.each([
    ['no JSON', '{', 'application/json', 400],
    ['a poisoned prototype', '{"username":"e","password":"x","__proto__":{"a":1}}', 'application/json', 400],
    ['text', 'hello', 'text/plain', 415],
    ['a form', 'username=eve', 'application/x-www-form-urlencoded', 415],
  ])('checks its body: %s', async (_name, body, type, status) => {
    const { app } = await create()
    const response = await app.inject({
      method: 'POST',
      url: '/auth/login',
      payload: body,
      headers: { 'content-type': type },
    })
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-type']).toMatch(PROBLEM)
  })

  it('answers 405 to another method and 404 to another path', async () => {
    const { app } = await create()
    const other = await app.inject({ method: 'DELETE', url: '/auth/login' })
    expect([other.statusCode, other.headers.allow]).toEqual([405, 'POST'])
    const inside = await app.inject({ method: 'PUT', url: '/users/x/totp' })
    expect([inside.statusCode, inside.headers.allow]).toEqual([405, 'DELETE'])
    const unknown = await app.inject({ url: '/nothing?token=x' })
    expect(unknown.statusCode).toBe(404)
    expect(unknown.body).not.toContain('token')
    const query = await app.inject({ method: 'QUERY' as 'GET', url: '/live' })
    expect([query.statusCode, query.headers.allow]).toEqual([405, 'GET'])
  })

  it('answers with a problem to what Fastify, or Node, refuses by itself', async () => {
    const { app, logIn } = await create()
    const headers = { authorization: `Bearer ${(await logIn()).accessToken}` }
    const [odd, long] = ['/users/%E0%A4%A', `/auth/sessions/${'x'.repeat(200)}`]
    for (const [method, url] of [
      ['GET', odd],
      ['DELETE', long],
    ] as const) {
      const response = await app.inject({ method, url, headers })
      expect([url, response.statusCode]).toEqual([url, 400])
      expect(response.headers['content-type']).toMatch(PROBLEM)
    }
    await app.listen({ host: '127.0.0.1', port: 0 })
    const say = async (text: string) => {
      const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
      socket.end(text)
      let said = ''
      for await (const chunk of socket) said += chunk
      return said
    }
    expect(await say('HELLO\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*application\/problem\+json/s)
    const head = `GET /live HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`
    expect(await say(head)).toMatch(/^HTTP\/1.1 431 .*application\/problem\+json/s)
  })

  it('hides what went wrong inside, and the process lives', async () => {
    const auth = createAuth()
    const { app, post } = await create({
      auth: { ...auth, authenticate: () => Promise.reject(new Error('the password is hunter2')) },
    })
    const response = await post('/auth/login', CREDENTIALS)
    expect(response.statusCode).toBe(500)
    expect(response.json()).toEqual({ type: 'about:blank', title: 'Internal Server Error', status: 500 })
    expect((await app.inject('/live')).statusCode).toBe(200)
  })

  it('sends the headers that keep browsers safe', async () => {
    const { app } = await create()
    for (const url of ['/live', '/auth/me', '/nothing']) {
      const { headers } = await app.inject(url)
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      for (const directive of ['frame-ancestors', 'object-src', 'base-uri']) {
        expect(headers['content-security-policy']).toContain(`${directive} 'none'`)
      }
      expect(headers).not.toHaveProperty('access-control-allow-origin')
    }
  })
})

describe('health', () => {
  it('tells alive from ready, and nothing more', async () => {
    let checks: Check[] = [{ name: 'redis' }]
    const { app } = await create({ check: async () => checks })
    expect((await app.inject('/ready')).json()).toEqual({ ready: true })
    checks = [{ name: 'redis', problem: 'connect ECONNREFUSED 10.0.0.1' }, { name: 'store' }]
    const response = await app.inject('/ready')
    expect([response.statusCode, response.json()]).toEqual([503, { ready: false }])
    expect((await app.inject('/live')).statusCode).toBe(200)
  })
})
