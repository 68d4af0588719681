import { Writable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { PERMISSIONS, ROLES, type Role } from '../../gateway/auth/permissions.ts'
import { createLog } from '../../runtime/log.ts'
import { createTestApp, PASSWORD, routesOf } from '../support/app.ts'

describe('every answer', () => {
  it('55: tells browsers to be careful', async () => {
    const { ask } = await createTestApp()
    for (const url of ['/live', '/auth/me', '/users', '/nothing']) {
      const { headers } = await ask('GET', url)
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      for (const directive of ['frame-ancestors', 'object-src', 'base-uri']) {
        expect(headers['content-security-policy']).toContain(`${directive} 'none'`)
      }
    }
  })

  it('55: tells browsers to stay with TLS where it is TLS: so says a proxy that is trusted, and nobody else', async () => {
    const hsts = async (trustedProxies: readonly string[], headers: Record<string, string>) => {
      const { app } = await createTestApp({ trustedProxies })
      const answer = await app.inject({ url: '/live', remoteAddress: '10.0.0.1', headers })
      return answer.headers['strict-transport-security']
    }
    const https = { 'x-forwarded-proto': 'https' }
    expect(await hsts([], {})).toBeUndefined()
    expect(await hsts([], https)).toBeUndefined()
    expect(await hsts(['192.0.2.0/24'], https)).toBeUndefined()
    expect(await hsts(['10.0.0.0/8'], { 'x-forwarded-proto': 'http' })).toBeUndefined()
    expect(await hsts(['10.0.0.0/8'], https)).toBe('max-age=31536000; includeSubDomains')
  })

  it('56: is for no page of another origin, whatever it asks', async () => {
    const { app } = await createTestApp()
    for (const origin of ['https://evil.example', 'null']) {
      const preflight = await app.inject({
        method: 'OPTIONS',
        url: '/auth/login',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
      const plain = await app.inject({ url: '/live', headers: { origin } })
      for (const { headers } of [preflight, plain]) {
        expect(Object.keys(headers).filter(name => name.startsWith('access-control-'))).toEqual([])
      }
    }
  })

  it('58: is 405 to a method that a path does not have, TRACE too, and metrics are not among the paths', async () => {
    const { app } = await createTestApp()
    for (const method of ['PUT', 'PATCH', 'TRACE', 'OPTIONS', 'HEAD'] as const) {
      const response = await app.inject({ method: method as 'PUT', url: '/auth/login' })
      expect([method, response.statusCode]).toEqual([method, 405])
    }
    for (const url of ['/metrics', '/documentation', '/docs'])
      expect((await app.inject(url)).statusCode).toBe(404)
    expect((await app.inject('/live')).json()).toEqual({ live: true })
    expect((await app.inject('/ready')).json()).toEqual({ ready: true })
  })

  it('59: of a failure says nothing of it, and the gateway goes on', async () => {
    const made = await createTestApp()
    const broken = { ...made.store, listUsers: () => Promise.reject(new Error('SELECT secret FROM users')) }
    const { ask, tokenOf } = await createTestApp({ ...made.deps, store: broken })
    const token = await tokenOf('admin')
    const response = await ask('GET', '/users', { token })
    expect(response.json()).toEqual({ type: 'about:blank', title: 'Internal Server Error', status: 500 })
    expect((await ask('GET', '/auth/me', { token })).statusCode).toBe(200)
  })
})

describe('the audit log', () => {
  it('60: says who did what to whom, from where and when, and no secret', async () => {
    const lines: string[] = []
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString())
        done()
      },
    })
    const log = createLog({ level: 'trace' }, 'test', destination)
    const { ask, logIn, store } = await createTestApp({ log })
    const { accessToken: token, refreshToken } = await logIn('admin')
    const forged = 'eve\n{"level":"fatal","msg":"forged"}\u001b[31m'
    await ask('POST', '/auth/login', {
      body: { username: forged, password: 'hunter2hunter2' },
      headers: { 'user-agent': forged },
    })
    const made = (await ask('POST', '/users', { token, body: { username: 'eve', role: 'viewer' } })).json()
    await ask('PATCH', `/users/${made.user.id}`, { token, body: { role: 'analyst' } })
    await ask('POST', `/users/${made.user.id}/password`, { token, body: {} })
    const key = (
      await ask('POST', '/keys', { token, body: { name: 'siem', scopes: ['threats:read'], days: 1 } })
    ).json()
    await ask('DELETE', `/keys/${key.key.id}`, { token })
    await ask('POST', '/signing-keys', { token, body: {} })
    await ask('DELETE', `/users/${made.user.id}/sessions`, { token })
    await ask('DELETE', `/users/${made.user.id}`, { token })
    await ask('POST', '/auth/logout', { token })

    const entries = await store.listAudit({ limit: 100 })
    const { id: admin } = (await store.findUserByName('admin')) ?? {}
    const acts = entries.filter(({ actor }) => actor === admin).map(({ event }) => event)
    for (const event of [
      'login',
      'user.create',
      'user.update',
      'password.reset',
      'key.create',
      'key.delete',
      'signing-key.rotate',
      'session.end',
      'user.delete',
      'logout',
    ]) {
      expect(acts).toContain(event)
    }
    expect(entries.find(({ event }) => event === 'user.update')).toMatchObject({
      subject: made.user.id,
      address: '127.0.0.1',
      outcome: 'accepted',
      detail: { role: 'analyst' },
      at: expect.any(Number),
    })
    const secrets = [token, refreshToken, PASSWORD, made.password, key.secret, 'hunter2']
    for (const secret of secrets) {
      expect(lines.join('')).not.toContain(secret)
      expect(JSON.stringify(entries)).not.toContain(secret)
    }
    // Each line is one JSON document: what came from outside cannot begin another.
    for (const line of lines.join('').trimEnd().split('\n')) {
      expect(JSON.parse(line)).toHaveProperty('msg')
      expect(line).not.toContain('\u001b')
    }
  })

  it('60: is read by auditors and administrators, page by page', async () => {
    const { ask, tokenOf } = await createTestApp()
    const token = await tokenOf('auditor')
    expect((await ask('GET', '/audit', { token: await tokenOf('viewer') })).statusCode).toBe(403)
    const seen: string[] = []
    let before = ''
    for (;;) {
      const page = (await ask('GET', `/audit?limit=1${before}`, { token })).json()
      if (page.entries.length === 0) break
      seen.push(page.entries[0].id)
      before = `&before=${page.next}`
    }
    expect(seen.length).toBeGreaterThanOrEqual(3)
    expect(seen).toEqual([...seen].toSorted().reverse())
    expect((await ask('GET', '/audit?limit=0', { token })).statusCode).toBe(400)
    expect((await ask('GET', "/audit?event='", { token })).json().entries).toEqual([])
  })
})

/** What each role may do on the routes that ask for a permission; a role that is not named may not. */
const ALLOWED: Readonly<Record<string, readonly Role[]>> = {
  'GET /users': ['admin', 'auditor'],
  'POST /users': ['admin'],
  'GET /users/:id': ['admin', 'auditor'],
  'PATCH /users/:id': ['admin'],
  'DELETE /users/:id': ['admin'],
  'POST /users/:id/password': ['admin'],
  'DELETE /users/:id/totp': ['admin'],
  'GET /users/:id/sessions': ['admin', 'auditor'],
  'DELETE /users/:id/sessions': ['admin'],
  'POST /revocations': ['admin'],
  'GET /keys': ['admin', 'auditor'],
  'POST /keys': ['admin'],
  'DELETE /keys/:id': ['admin'],
  'POST /signing-keys': ['admin'],
  'GET /presence': ['viewer', 'analyst', 'admin', 'auditor'],
  'GET /audit': ['admin', 'auditor'],
  'GET /threats': ['viewer', 'analyst', 'admin'],
  'GET /threats/:id': ['viewer', 'analyst', 'admin'],
  'GET /alerts': ['viewer', 'analyst', 'admin'],
  'GET /alerts/:id': ['viewer', 'analyst', 'admin'],
  'POST /alerts/:id/acknowledge': ['analyst', 'admin'],
  'POST /alerts/:id/resolve': ['analyst', 'admin'],
  'POST /alerts/:id/reopen': ['analyst', 'admin'],
  'POST /alerts/:id/comments': ['analyst', 'admin'],
  'POST /alerts/:id/assign': ['analyst', 'admin'],
  'POST /alerts/:id/verdict': ['analyst', 'admin'],
  'GET /suppressions': ['analyst', 'admin', 'auditor'],
  'POST /suppressions': ['analyst', 'admin'],
  'DELETE /suppressions/:id': ['analyst', 'admin'],
  'GET /entities/:id': ['viewer', 'analyst', 'admin'],
  'DELETE /entities/:id': ['admin'],
  'GET /users/:id/rows': ['admin', 'auditor'],
  'PUT /users/:id/rows': ['admin'],
  'DELETE /users/:id/rows': ['admin'],
  'GET /keys/:id/rows': ['admin', 'auditor'],
  'PUT /keys/:id/rows': ['admin'],
  'DELETE /keys/:id/rows': ['admin'],
  'GET /models': ['viewer', 'analyst', 'admin', 'auditor'],
  'GET /models/:version': ['viewer', 'analyst', 'admin', 'auditor'],
  'POST /models/:version/promote': ['admin'],
  'POST /models/rollback': ['admin'],
  'GET /retraining/jobs': ['viewer', 'analyst', 'admin', 'auditor'],
  'GET /retraining/jobs/:id': ['viewer', 'analyst', 'admin', 'auditor'],
  'POST /retraining/jobs': ['admin'],
  'DELETE /retraining/jobs/:id': ['admin'],
  'GET /dead-letters': ['analyst', 'admin'],
  'GET /dead-letters/:id': ['analyst', 'admin'],
  'POST /dead-letters/replay': ['admin'],
}

/** Routes for everybody, and for everybody who is logged in. */
const PUBLIC = [
  'GET /.well-known/jwks.json',
  'GET /live',
  'GET /ready',
  'POST /auth/login',
  'POST /auth/password',
  'POST /auth/refresh',
]
const AUTHENTICATED = [
  'GET /asyncapi.json',
  'GET /openapi.json',
  'DELETE /auth/sessions/:id',
  'GET /auth/me',
  'GET /auth/sessions',
  'POST /auth/logout',
  'POST /auth/ticket',
  'POST /auth/totp',
  'POST /auth/totp/confirm',
  'POST /auth/totp/remove',
]

describe('every route', () => {
  it('62: is in the table of who may use it, and each role is let in exactly there', async () => {
    const { app, ask, tokenOf } = await createTestApp()
    const names = routesOf(app).map(({ method, url }) => `${method} ${url}`)
    expect(names.toSorted()).toEqual([...Object.keys(ALLOWED), ...PUBLIC, ...AUTHENTICATED].toSorted())
    for (const role of ROLES) {
      const token = await tokenOf(role)
      for (const [name, roles] of Object.entries(ALLOWED)) {
        const [method, url = ''] = name.split(' ')
        // An empty body is no valid one: what is let in gets no further than the check of its form.
        const { statusCode } = await ask(method as 'GET', url.replace(':id', 'nobody'), {
          token,
          ...(method === 'POST' || method === 'PATCH' || method === 'PUT' ? { body: { unknown: true } } : {}),
        })
        expect([role, name, statusCode === 403]).toEqual([role, name, !roles.includes(role)])
      }
    }
  })

  it('62: that asks for a permission names one that exists', async () => {
    const { app } = await createTestApp()
    const named = app.operations.map(({ policy }) => policy)
    expect(named.length).toBeGreaterThanOrEqual(Object.keys(ALLOWED).length)
    for (const name of named) expect([...PERMISSIONS, 'public', 'authenticated']).toContain(name)
  })

  it('62: for administrators cannot leave the gateway without one', async () => {
    const { ask, tokenOf, store } = await createTestApp()
    const token = await tokenOf('admin')
    const { id = '' } = (await store.findUserByName('admin')) ?? {}
    for (const [method, body] of [
      ['PATCH', { role: 'viewer' }],
      ['PATCH', { disabled: true }],
      ['DELETE', undefined],
    ] as const) {
      const response = await ask(method, `/users/${id}`, { token, ...(body === undefined ? {} : { body }) })
      expect(response.statusCode).toBe(409)
    }
  })
})
