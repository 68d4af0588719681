import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { gatewayConfig } from '../../gateway/config.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Tokens } from '../../schemas/wire.ts'
import { createTestApp } from '../support/app.ts'
import { createForge, type Forge } from '../support/forge.ts'
import { startTestGateway } from '../support/gateway.ts'
import { unique } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'
import { ATTACKS } from './token-attacks.ts'

describe('an access token', () => {
  let made: Awaited<ReturnType<typeof createTestApp>>
  let forge: Forge
  let tokens: Tokens
  const me = async (token: string) => {
    const response = await made.app.inject({ url: '/auth/me', headers: { authorization: `Bearer ${token}` } })
    return response.statusCode
  }
  beforeAll(async () => {
    made = await createTestApp()
    tokens = await made.logIn('viewer')
    forge = await createForge(made, tokens.accessToken)
  })

  it('is taken as the gateway made it, and as the forge of these tests remakes it', async () => {
    expect(await me(forge.good)).toBe(200)
    expect(await me(forge.signed({}))).toBe(200)
    expect(await me(forge.claiming({ nbf: 0 }))).toBe(200)
  })

  it.each(Object.entries(ATTACKS))('%s: is refused', async (_name, attack) => {
    expect(await me(attack(forge))).toBe(401)
  })

  it('20: is not a refresh token or a ticket, nor are these access tokens', async () => {
    const { ask } = made
    const { ticket } = (await ask('POST', '/auth/ticket', { token: tokens.accessToken, body: {} })).json()
    for (const token of [tokens.refreshToken, ticket, `ticket.${ticket}`]) expect(await me(token)).toBe(401)
    for (const refreshToken of [tokens.accessToken, ticket]) {
      expect(
        (await ask('POST', '/auth/refresh', { body: { refreshToken: refreshToken.slice(0, 256) } }))
          .statusCode,
      ).toBe(401)
    }
  })

  it.each(['iss', 'aud', 'sub', 'jti', 'sid', 'iat', 'exp'])('21: must have the claim %s', async claim => {
    const claims = Object.fromEntries(Object.entries(forge.claims).filter(([name]) => name !== claim))
    expect(await me(forge.signed({}, claims))).toBe(401)
  })

  it.each(['iss', 'aud', 'sub', 'jti', 'sid', 'iat', 'exp', 'nbf'])(
    '24: with odd values of %s is refused, and is no failure of the gateway',
    async claim => {
      const texts = ['iat', 'exp', 'nbf'].includes(claim) ? ['9999999999', 'NaN'] : []
      for (const value of [null, true, false, -1, '', [], {}, 1e21, 0.5, 'x'.repeat(200), ...texts]) {
        expect([value, await me(forge.claiming({ [claim]: value }))]).toEqual([value, 401])
      }
    },
  )

  it('25: with any one character changed is refused', async () => {
    for (let at = 0; at < forge.good.length; at += 7) {
      const other = forge.good[at] === 'A' ? 'B' : 'A'
      expect(await me(forge.good.slice(0, at) + other + forge.good.slice(at + 1))).toBe(401)
    }
  })
})

describe('signing keys', () => {
  it('17: are sealed with a key that has to be long and not easily guessed', () => {
    const load = (key: string) => loadConfig({ gateway: gatewayConfig }, { GATEWAY_KEY: key })
    for (const key of [
      'short',
      'a'.repeat(64),
      'change-me-change-me-change-me-now',
      'abcabcabcabcabcabcabcabcabcabcabcabc',
    ]) {
      expect(() => load(key)).toThrow(/GATEWAY_KEY/)
    }
    expect(load('6Jm0vVtqgq2Zs1wM0bYc3Xh5Qe8Rk7Tn').gateway.key).toBeDefined()
  })

  it('27: rotate without one refused token, and a retired key signs for nobody', async () => {
    const made = await createTestApp()
    const { ask, keys, advance, logIn, store } = made
    const alive: { token: string; until: number }[] = []
    const first = (await logIn('viewer')).accessToken
    const forge = await createForge(made, first)
    let refreshToken = (await logIn('viewer')).refreshToken
    for (let second = 0; second < 240; second += 5) {
      if (second === 20) await keys.rotate()
      const fresh = (await ask('POST', '/auth/refresh', { body: { refreshToken } })).json<Tokens>()
      refreshToken = fresh.refreshToken
      alive.push({ token: fresh.accessToken, until: second + 55 })
      for (const { token, until } of alive) {
        if (until > second) expect((await ask('GET', '/auth/me', { token })).statusCode).toBe(200)
      }
      advance(5_000)
      await keys.refresh()
    }
    expect(await store.listSigningKeys()).toHaveLength(1)
    const iat = Math.floor(made.now() / 1000)
    const late = forge.claiming({ iat, exp: iat + 60 })
    expect((await ask('GET', '/auth/me', { token: late })).statusCode).toBe(401)
  })

  it('28: are published by their public members alone, for five minutes', async () => {
    const { ask, keys } = await createTestApp()
    await keys.rotate()
    const response = await ask('GET', '/.well-known/jwks.json')
    expect(response.headers['cache-control']).toBe('public, max-age=300')
    const { keys: published } = response.json<{ keys: object[] }>()
    expect(published).toHaveLength(2)
    for (const key of published) {
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
      expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA' })
    }
  })

  it.each([
    ['open to others', '6Jm0vVtqgq2Zs1wM0bYc3Xh5Qe8Rk7TnAAAAAAAAAAA', 0o644],
    ['too short', 'c2hvcnQ', 0o600],
    ['of another key than sealed the store', '6Jm0vVtqgq2Zs1wM0bYc3Xh5Qe8Rk7TnAAAAAAAAAAA', 0o600],
  ])('29: are not used when the file of the key that seals them is %s', async (_name, key, mode) => {
    const dataDir = tempDir()
    const { gateway } = await startTestGateway({ dataDir, prefix: unique('key') })
    await gateway.close()
    const path = join(dataDir, 'gateway.key')
    writeFileSync(path, key)
    chmodSync(path, mode)
    await expect(startTestGateway({ dataDir, prefix: unique('key') })).rejects.toMatchObject({
      code: 'NS_CONFIG_INVALID',
    })
  })
})
