import { describe, expect, it } from '@jest/globals'
import { createTestApp } from '../../test/support/app.ts'
import { digest } from '../auth/sealing.ts'

const DAY_MS = 86_400_000
const wish = { name: 'siem', scopes: ['threats:read'], days: 2 }

const create = async () => {
  const made = await createTestApp()
  const token = await made.tokenOf('admin')
  const answer = await made.ask('POST', '/keys', { token, body: wish })
  const { key, secret } = answer.json() as { key: { id: string }; secret: string }
  return { ...made, token, key, secret }
}

describe('an API key', () => {
  it('is shown once, and stored by its hash alone', async () => {
    const { ask, store, token, key, secret } = await create()
    expect(secret).toMatch(/^nsk_[\w-]{43}$/)
    const listed = await ask('GET', '/keys', { token })
    expect(listed.json().keys).toMatchObject([{ id: key.id, name: 'siem', lastUsedAt: null }])
    for (const text of [secret, digest(secret)]) expect(listed.body).not.toContain(text)
    const stored = await store.listApiKeys()
    expect(stored).toMatchObject([{ hash: digest(secret) }])
    expect(JSON.stringify(stored)).not.toContain(secret)
  })

  it('opens what it has scopes for, until it expires', async () => {
    const { ask, advance, token, secret } = await create()
    const statusOf = async (url: string) => (await ask('GET', url, { token: secret })).statusCode
    expect([await statusOf('/threats'), await statusOf('/alerts'), await statusOf('/keys')]).toEqual([
      200, 403, 403,
    ])
    expect((await ask('GET', '/keys', { token })).json().keys).toMatchObject([
      { lastUsedAt: expect.any(Number) },
    ])
    advance(DAY_MS)
    expect(await statusOf('/threats')).toBe(200)
    advance(DAY_MS)
    expect(await statusOf('/threats')).toBe(401)
  })

  it.each([
    { scopes: ['users:write'] },
    { scopes: ['keys:write'] },
    { scopes: [] },
    { days: 0 },
    { days: 367 },
  ])('is not made with %j', async change => {
    const { ask, token } = await create()
    expect((await ask('POST', '/keys', { token, body: { ...wish, ...change } })).statusCode).toBe(400)
  })
})
