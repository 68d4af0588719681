import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { silentLog } from '../../runtime/log.ts'
import { tempDir } from '../../test/support/temp.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { createIssuerKeys } from './issuer-keys.ts'
import { createIssuerProvider } from './issuer-provider.ts'
import { isRefusal } from './provider.ts'

const rsa = (bits = 2_048) => generateKeyPairSync('rsa', { modulusLength: bits })
const [KEY, OTHER, SHORT] = [rsa(), rsa(), rsa(1_024)]
const PUBLIC_PEM = KEY.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const AUDIENCE = 'netsentinel'
const LIFE_S = 3_600

/** What the issuer answers, by path, and what it was asked. */
const answers = new Map<string, unknown>()
const asked: string[] = []
const server = createServer((request, response) => {
  const path = request.url ?? ''
  asked.push(path)
  const answer = answers.get(path)
  response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer ?? {}))
})
let issuer = ''
let store: Store
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realm`
  answers.set('/realm/.well-known/openid-configuration', { issuer, jwks_uri: `${issuer}/keys` })
  store = await openStore({ address: join(tempDir(), 'gateway.db'), log: silentLog() })
})
afterAll(async () => {
  server.close()
  await store.close()
})

const jwk = (kid: string, { publicKey }: { publicKey: KeyObject }, more: object = {}) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  alg: 'RS256',
  ...more,
})
const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const signed = (header: unknown, claims: unknown, key: KeyObject = KEY.privateKey) => {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

const create = () => {
  let time = Date.now()
  const now = () => time
  answers.set('/realm/keys', {
    keys: [jwk('one', KEY), jwk('short', SHORT), { kty: 'oct', k: 'AAAA', kid: 'oct' }],
  })
  asked.length = 0
  const keys = createIssuerKeys({ issuer, jwksUrl: undefined, algorithm: 'RS256', log: silentLog(), now })
  const provider = createIssuerProvider({
    settings: {
      issuer,
      algorithm: 'RS256',
      type: 'at+jwt',
      audience: AUDIENCE,
      tokenS: LIFE_S,
      roleClaim: 'realm_access.roles',
      rolePrefix: 'netsentinel-',
    },
    keys,
    store,
    audit: { note: async () => undefined },
    now,
  })
  const nowS = Math.floor(time / 1000)
  const header = { alg: 'RS256', typ: 'at+jwt', kid: 'one' }
  const claims = {
    iss: issuer,
    aud: ['account', AUDIENCE],
    sub: randomUUID(),
    jti: randomUUID(),
    iat: nowS,
    exp: nowS + 600,
    preferred_username: 'eve',
    realm_access: { roles: ['other', 'netsentinel-viewer', 'netsentinel-analyst'] },
  }
  return {
    provider,
    keys,
    header,
    claims,
    nowS,
    advance: (ms: number) => {
      time += ms
    },
  }
}

describe('the provider on an issuer', () => {
  it('takes its tokens, with the strongest role that they name', async () => {
    const { provider, header, claims } = create()
    expect(await provider.validateToken(signed(header, claims))).toMatchObject({
      userId: claims.sub,
      username: 'eve',
      role: 'analyst',
      tokenId: claims.jti,
      expiresAt: claims.exp * 1000,
    })
    const single = { ...claims, aud: AUDIENCE, realm_access: { roles: 'netsentinel-auditor' } }
    expect(await provider.validateToken(signed(header, single))).toMatchObject({ role: 'auditor' })
    const spelled = JSON.stringify(claims, null, 1)
    expect(isRefusal(await provider.validateToken(signed(header, spelled)))).toBe(false)
  })

  it('lets nobody log in here', async () => {
    const { provider } = create()
    expect(isRefusal(await provider.authenticate({ username: 'eve', password: 'x' }))).toBe(true)
    expect(isRefusal(await provider.refresh('x'))).toBe(true)
  })

  it('refuses whatever is not exactly a token of this issuer for this service', async () => {
    const { provider, header, claims, nowS } = create()
    const [head, body] = signed(header, claims).split('.')
    const hmac = (secret: string) => {
      const input = `${encode({ ...header, alg: 'HS256' })}.${body}`
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    }
    const attacks: Record<string, string> = {
      'alg none': `${encode({ ...header, alg: 'none' })}.${body}.`,
      'no signature': `${head}.${body}.`,
      'HS256 with the public key': hmac(PUBLIC_PEM),
      'HS256 with the public key after a space': hmac(` ${PUBLIC_PEM}`),
      'another key under the same kid': signed(header, claims, OTHER.privateKey),
      'a key of an unknown kid': signed({ ...header, kid: 'two' }, claims, OTHER.privateKey),
      'a short RSA key that is published': signed({ ...header, kid: 'short' }, claims, SHORT.privateKey),
      'a symmetric key that is published': signed({ ...header, kid: 'oct' }, claims),
      'a key that comes with it': signed({ ...header, jwk: jwk('one', OTHER) }, claims, OTHER.privateKey),
      jku: signed({ ...header, jku: `${issuer}/evil` }, claims),
      x5u: signed({ ...header, x5u: `${issuer}/evil` }, claims),
      crit: signed({ ...header, crit: ['b64'], b64: false }, claims),
      'another algorithm': signed({ ...header, alg: 'RS512' }, claims),
      'another type': signed({ ...header, typ: 'JWT' }, claims),
      'a duplicate key': signed(header, JSON.stringify(claims).replace('{', '{"sub":"admin",')),
      'a duplicate key inside': signed(
        header,
        JSON.stringify(claims).replace('"roles":', '"roles":["netsentinel-admin"],"roles":'),
      ),
      'a duplicate key behind an escape': signed(
        header,
        JSON.stringify(claims).replace('{', '{"s\\u0075b":"admin",'),
      ),
      'another issuer': signed(header, { ...claims, iss: `${issuer}/` }),
      'another audience': signed(header, { ...claims, aud: ['netsentinel-2', 'Netsentinel'] }),
      expired: signed(header, { ...claims, iat: nowS - 700, exp: nowS }),
      'issued in the future': signed(header, { ...claims, iat: nowS + 60 }),
      'not valid yet': signed(header, { ...claims, nbf: nowS + 60 }),
      'a life too long': signed(header, { ...claims, exp: nowS + LIFE_S + 1 }),
      'no role of ours': signed(header, { ...claims, realm_access: { roles: ['admin'] } }),
      'roles of the prototype': signed(header, { ...claims, realm_access: 'constructor' }),
      'more than 8 KB': signed(header, { ...claims, more: 'x'.repeat(9_000) }),
      'no token': 'x',
    }
    for (const [name, token] of Object.entries(attacks)) {
      expect([name, isRefusal(await provider.validateToken(token))]).toEqual([name, true])
    }
    for (const claim of ['iss', 'aud', 'sub', 'jti', 'iat', 'exp'] as const) {
      const { [claim]: _, ...rest } = claims
      expect(await provider.validateToken(signed(header, rest))).toEqual({ refused: 'claims' })
      for (const odd of [null, true, [], {}, 1e21, '']) {
        expect(await provider.validateToken(signed(header, { ...claims, [claim]: odd }))).toHaveProperty(
          'refused',
        )
      }
    }
    expect(asked).not.toContain('/realm/evil')
  })

  it('takes up a new key of the issuer, and asks for unknown ones once in half a minute', async () => {
    const { provider, header, claims, advance } = create()
    const token = signed({ ...header, kid: 'new' }, { ...claims, exp: claims.iat + 3_600 }, OTHER.privateKey)
    expect(isRefusal(await provider.validateToken(token))).toBe(true)
    answers.set('/realm/keys', { keys: [jwk('new', OTHER)] })
    for (let i = 0; i < 50; i += 1) await provider.validateToken(signed({ ...header, kid: `k${i}` }, claims))
    expect(asked.filter(path => path === '/realm/keys')).toHaveLength(1)
    advance(30_000)
    expect(isRefusal(await provider.validateToken(token))).toBe(false)
    expect(isRefusal(await provider.validateToken(signed(header, claims)))).toBe(true)
  })

  it('lets nobody in before it has the keys, and holds to the last ones while the issuer is away', async () => {
    const { provider, keys, header, claims, advance } = create()
    const token = signed(header, { ...claims, exp: claims.iat + 3_600 })
    const known = answers.get('/realm/keys')
    answers.delete('/realm/keys')
    await expect(provider.validateToken(token)).rejects.toMatchObject({ outcome: 'retriable' })
    expect(await keys.problem()).toMatch(/answered 404/)
    answers.set('/realm/keys', known)
    advance(30_000)
    expect(await keys.problem()).toBeUndefined()
    answers.delete('/realm/keys')
    advance(600_000)
    expect(isRefusal(await provider.validateToken(token))).toBe(false)
    expect(await keys.problem()).toMatch(/answered 404/)
  })

  it('does not ask an issuer without TLS, or one that calls itself otherwise', async () => {
    const ask = async (address: string) =>
      createIssuerKeys({
        issuer: address,
        jwksUrl: undefined,
        algorithm: 'RS256',
        log: silentLog(),
        now: Date.now,
      }).problem()
    expect(await ask('http://issuer.example')).toMatch(/without TLS/)
    answers.set('/other/.well-known/openid-configuration', { issuer, jwks_uri: `${issuer}/keys` })
    expect(await ask(issuer.replace('/realm', '/other'))).toMatch(/another name/)
  })

  it('refuses a token that was logged out, and all of a user until now', async () => {
    const { provider, header, claims, advance } = create()
    const [one, two] = [signed(header, claims), signed(header, { ...claims, jti: 'two' })]
    const first = await provider.validateToken(one)
    const second = await provider.validateToken(two)
    if (isRefusal(first) || isRefusal(second)) throw new Error('refused')
    await provider.logOut(first)
    expect(isRefusal(await provider.validateToken(one))).toBe(true)
    expect(isRefusal(await provider.recheck(first))).toBe(true)
    expect(isRefusal(await provider.recheck(second))).toBe(false)
    await provider.logOut(second, { everywhere: true })
    expect(isRefusal(await provider.validateToken(two))).toBe(true)
    advance(2_000)
    const later = { ...claims, jti: 'three', iat: claims.iat + 2 }
    expect(isRefusal(await provider.validateToken(signed(header, later)))).toBe(false)
  })
})
