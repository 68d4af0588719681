import { createSign, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { encode } from '../support/forge.ts'
import { startTestGateway, tryUpgrade } from '../support/gateway.ts'
import { unique } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'
import { ED25519_MUTATIONS, ES256_MUTATIONS, type Mutation, RS256_MUTATIONS } from './signature-attacks.ts'

type Verify = (algorithm: string, pem: string, input: Buffer, signature: string) => boolean

/**
 * The function by which @fastify/jwt's library verifies a signature. It is not public, but only with it can the vectors be
 * used as they are, whose messages are no tokens.
 */
const { verifySignature } = createRequire(createRequire(import.meta.url).resolve('@fastify/jwt'))(
  'fast-jwt/src/crypto.js',
) as { verifySignature: Verify }

interface Vectors {
  readonly from: string
  readonly algorithm: string
  readonly groups: readonly {
    readonly pem: string
    readonly tests: readonly {
      readonly id: number
      readonly comment: string
      readonly msg: string
      readonly sig: string
      readonly result: 'valid' | 'invalid' | 'acceptable'
    }[]
  }[]
}

const isGood = (algorithm: string, pem: string, { msg, sig }: { msg: string; sig: string }): boolean => {
  try {
    return verifySignature(
      algorithm,
      pem,
      Buffer.from(msg, 'hex'),
      Buffer.from(sig, 'hex').toString('base64url'),
    )
  } catch {
    // How the library says that a signature cannot even be looked at.
    return false
  }
}

describe('what verifies signatures', () => {
  it.each([
    ['ed25519', 151],
    ['ecdsa-p256', 262],
    ['rsa-2048', 259],
  ])('15: agrees with every vector of Wycheproof for %s', (name, count) => {
    const path = new URL(`fixtures/wycheproof/${name}.json`, import.meta.url)
    const { algorithm, groups } = JSON.parse(readFileSync(path, 'utf8')) as Vectors
    let looked = 0
    const wrong: string[] = []
    for (const { pem, tests } of groups) {
      for (const test of tests) {
        looked += 1
        const expected = test.result === 'valid'
        if (test.result !== 'acceptable' && isGood(algorithm, pem, test) !== expected) {
          wrong.push(`${test.id}: ${test.comment}`)
        }
      }
    }
    expect([looked, wrong]).toEqual([count, []])
  })
})

interface Issuer {
  readonly key: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  readonly sign: (input: string, key: KeyObject) => Buffer
  readonly mutations: Readonly<Record<string, Mutation>>
}

const ISSUERS: Readonly<Record<string, Issuer>> = {
  ES256: {
    key: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
    sign: (input, key) => createSign('sha256').update(input).sign({ key, dsaEncoding: 'ieee-p1363' }),
    mutations: ES256_MUTATIONS,
  },
  RS256: {
    key: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
    sign: (input, key) => createSign('sha256').update(input).sign(key),
    mutations: RS256_MUTATIONS,
  },
  EdDSA: {
    key: generateKeyPairSync('ed25519'),
    sign: (input, key) => sign(null, Buffer.from(input), key),
    mutations: ED25519_MUTATIONS,
  },
}

describe.each(Object.entries(ISSUERS))('a token of an issuer that signs with %s', (algorithm, issuer) => {
  let input = ''
  let good: Buffer = Buffer.alloc(0)
  let url = ''
  const server = createServer((_request, response) => {
    const jwk = { ...issuer.key.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: algorithm }
    response.end(JSON.stringify({ keys: [jwk] }))
  })

  const show = async (signature: Buffer) => {
    const headers = { authorization: `Bearer ${input}.${signature.toString('base64url')}` }
    const [rest, upgrade] = [await fetch(`${url}/auth/me`, { headers }), await tryUpgrade(url, headers)]
    return [rest.status, upgrade.status]
  }

  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const iss = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const env = { OIDC_ISSUER: iss, OIDC_JWKS_URL: `${iss}keys`, OIDC_ALGORITHM: algorithm }
    url = (await startTestGateway({ dataDir: tempDir(), prefix: unique('issuer'), env, isKept: true })).url
    const iat = Math.floor(Date.now() / 1000)
    const claims = {
      iss,
      aud: 'netsentinel',
      sub: randomUUID(),
      jti: randomUUID(),
      iat,
      exp: iat + 3_600,
      roles: ['netsentinel-viewer'],
    }
    input = `${encode({ alg: algorithm, typ: 'at+jwt', kid: 'one' })}.${encode(claims)}`
    good = issuer.sign(input, issuer.key.privateKey)
  })
  afterAll(() => {
    server.close()
  })

  it('is taken when the signature is good', async () => {
    expect(await show(good)).toEqual([200, 101])
  })

  it.each(Object.entries(issuer.mutations))('15: with a signature %s is refused', async (_name, mutate) => {
    expect(await show(mutate(good, Buffer.from(input), issuer.key.privateKey))).toEqual([401, 401])
  })
})
