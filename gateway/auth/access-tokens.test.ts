import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createAccessTokens } from './access-tokens.ts'
import type { AccessClaims } from './claims.ts'
import { createJwt } from './jwt.ts'
import { isRefusal } from './provider.ts'
import { parseTokenForm } from './token-form.ts'

const PRIVATE = generateKeyPairSync('ed25519').privateKey
const [KEY, OLD_KEY] = [
  await createJwt('key-1', PRIVATE),
  await createJwt('key-0', generateKeyPairSync('ed25519').privateKey),
]
const KEYS = new Map([
  ['key-1', KEY],
  ['key-0', OLD_KEY],
])
const PUBLIC_PEM = createPublicKey(PRIVATE).export({ type: 'spki', format: 'pem' }).toString()
/** A full second, and ahead of the system's clock, so that the gateway's own look at the claims is what counts. */
const NOW_S = Math.floor(Date.now() / 1000) + 120
const NOW = NOW_S * 1000

const create = (signer = KEY) =>
  createAccessTokens({
    keys: { signer: () => signer, verifier: kid => KEYS.get(kid) },
    maxLifetimeS: 900,
    now: () => NOW,
  })
const tokens = create()

const HEADER = { alg: 'EdDSA', typ: 'at+jwt', kid: 'key-1' }
const CLAIMS: AccessClaims = {
  iss: 'netsentinel',
  aud: 'netsentinel-gateway',
  sub: randomUUID(),
  jti: randomUUID(),
  sid: randomUUID(),
  iat: NOW_S,
  exp: NOW_S + 900,
}

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

const signedAs = (head: string, body: string): string =>
  `${head}.${body}.${sign(null, Buffer.from(`${head}.${body}`), PRIVATE).toString('base64url')}`

/** A token with any header and payload, rightly signed by the gateway's own key: only its form or claims are wrong. */
const signed = (header: unknown, claims: unknown): string => signedAs(encode(header), encode(claims))

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The same bytes in another spelling: the last character of base64url holds bits that decoders ignore. */
const withUnusedBits = (segment: string): string => {
  const other = segment.slice(0, -1) + ALPHABET[ALPHABET.indexOf(segment.at(-1) ?? '') + 1]
  if (!Buffer.from(other, 'base64url').equals(Buffer.from(segment, 'base64url')))
    throw new Error('no unused bits')
  return other
}
const withHmac = (alg: string, secret: string): string => {
  const input = `${encode({ ...HEADER, alg })}.${encode(CLAIMS)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
const without = (claim: string) =>
  Object.fromEntries(Object.entries(CLAIMS).filter(([name]) => name !== claim))

const GOOD = signed(HEADER, CLAIMS)
/** Length of a subject that makes the claims a number of bytes that three does not divide. */
const ODD_LENGTH = [1, 2].find(size => encode({ ...CLAIMS, sub: 'u'.repeat(size) }).length % 4 !== 0) ?? 1

const [HEAD = '', BODY = '', TAIL = ''] = GOOD.split('.')
const JWK = createPublicKey(PRIVATE).export({ format: 'jwk' })

const ATTACKS: Readonly<Record<string, string>> = {
  'alg none, no signature': `${encode({ alg: 'none', typ: 'at+jwt', kid: 'key-1' })}.${BODY}.`,
  'alg None': `${encode({ ...HEADER, alg: 'None' })}.${BODY}.${TAIL}`,
  'alg NONE': `${encode({ ...HEADER, alg: 'NONE' })}.${BODY}.${TAIL}`,
  'alg nOnE': `${encode({ ...HEADER, alg: 'nOnE' })}.${BODY}.`,
  'alg in another case': signed({ ...HEADER, alg: 'eddsa' }, CLAIMS),
  'alg not a string': signed({ ...HEADER, alg: ['EdDSA'] }, CLAIMS),
  'empty signature': `${HEAD}.${BODY}.`,
  'no signature': `${HEAD}.${BODY}`,
  'signature of another payload': `${HEAD}.${encode({ ...CLAIMS, sub: 'admin' })}.${TAIL}`,
  'signature cut short': `${HEAD}.${BODY}.${TAIL.slice(0, -4)}`,
  'signature of zeros': `${HEAD}.${BODY}.${Buffer.alloc(64).toString('base64url')}`,
  'HS256 with the public key as secret': withHmac('HS256', PUBLIC_PEM),
  'HS256 with the public key after a space': withHmac('HS256', ` ${PUBLIC_PEM}`),
  'HS256 with an empty key': withHmac('HS256', ''),
  'HMAC under the right alg name': withHmac('EdDSA', PUBLIC_PEM),
  'ES256 by name': signed({ ...HEADER, alg: 'ES256' }, CLAIMS),
  jwk: signed({ ...HEADER, jwk: JWK }, CLAIMS),
  jku: signed({ ...HEADER, jku: 'http://127.0.0.1:1/keys' }, CLAIMS),
  x5u: signed({ ...HEADER, x5u: 'http://127.0.0.1:1/cert' }, CLAIMS),
  x5c: signed({ ...HEADER, x5c: ['MIIB'] }, CLAIMS),
  'crit, known': signed({ ...HEADER, crit: ['exp'] }, CLAIMS),
  'crit, b64': signed({ ...HEADER, crit: ['b64'], b64: false }, CLAIMS),
  'kid as a path': signed({ ...HEADER, kid: '../../dev/null' }, CLAIMS),
  'kid as SQL': signed({ ...HEADER, kid: "x' UNION SELECT 'y" }, CLAIMS),
  'kid as a command': signed({ ...HEADER, kid: 'key-1|sleep 9' }, CLAIMS),
  'kid as a URL': signed({ ...HEADER, kid: 'http://127.0.0.1:1/' }, CLAIMS),
  'kid not a string': signed({ ...HEADER, kid: 1 }, CLAIMS),
  'kid of 10 KB': signed({ ...HEADER, kid: 'k'.repeat(10_000) }, CLAIMS),
  'kid of no key': signed({ ...HEADER, kid: 'key-2' }, CLAIMS),
  'kid of another key': signed({ ...HEADER, kid: 'key-0' }, CLAIMS),
  'kid __proto__': signed({ ...HEADER, kid: '__proto__' }, CLAIMS),
  'no kid': signed({ alg: 'EdDSA', typ: 'at+jwt' }, CLAIMS),
  'typ JWT': signed({ ...HEADER, typ: 'JWT' }, CLAIMS),
  'typ in another case': signed({ ...HEADER, typ: 'AT+JWT' }, CLAIMS),
  'no typ': signed({ alg: 'EdDSA', kid: 'key-1' }, CLAIMS),
  'duplicate key in the header': signed(`{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"key-1"}`, CLAIMS),
  'duplicate key in the claims': signed(HEADER, JSON.stringify(CLAIMS).replace('{', '{"sub":"admin",')),
  'duplicate key behind an escape': signed(
    HEADER,
    JSON.stringify(CLAIMS).replace('{', '{"s\\u0075b":"admin",'),
  ),
  'spaces in the JSON': signed(JSON.stringify(HEADER, null, 1), CLAIMS),
  padding: `${HEAD}.${BODY}.${TAIL}==`,
  'a space inside': `${HEAD}. ${BODY}.${TAIL}`,
  'a newline at the end': `${GOOD}\n`,
  'base64 instead of base64url': `${HEAD}.${BODY}.${TAIL.slice(0, -1)}+`,
  'unused bits in the signature': `${HEAD}.${BODY}.${withUnusedBits(TAIL)}`,
  'unused bits in the claims': signedAs(
    HEAD,
    withUnusedBits(encode({ ...CLAIMS, sub: 'u'.repeat(ODD_LENGTH) })),
  ),
  'bytes that are not UTF-8': `${HEAD}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${TAIL}`,
  'a byte order mark': signed(`\ufeff${JSON.stringify(HEADER)}`, CLAIMS),
  'JWS JSON serialisation': JSON.stringify({ protected: HEAD, payload: BODY, signature: TAIL }),
  'JWE with five segments': `${GOOD}.x.y`,
  'four segments': `${GOOD}.x`,
  'a token inside a token': signed({ ...HEADER, cty: 'JWT' }, GOOD),
  'header that is an array': signed([HEADER], CLAIMS),
  'header that is null': signed('null', CLAIMS),
  'claims that are an array': signed(HEADER, [CLAIMS]),
  'claims that are a string': signed(HEADER, '"sub"'),
  'more than 8 KB': signed(HEADER, { ...CLAIMS, sub: 's'.repeat(9_000) }),
  'nested a thousand deep': signed(HEADER, `${'['.repeat(1_000)}${']'.repeat(1_000)}`),
  'no claims': signed(HEADER, {}),
  'an additional claim': signed(HEADER, { ...CLAIMS, role: 'admin' }),
  '__proto__ among the claims': signed(
    HEADER,
    JSON.stringify(CLAIMS).replace('{', '{"__proto__":{"sub":"admin"},'),
  ),
  'another issuer': signed(HEADER, { ...CLAIMS, iss: 'https://netsentinel' }),
  'issuer in another case': signed(HEADER, { ...CLAIMS, iss: 'NetSentinel' }),
  'another audience': signed(HEADER, { ...CLAIMS, aud: 'other' }),
  'audience as a prefix': signed(HEADER, { ...CLAIMS, aud: 'netsentinel-gateway-2' }),
  'audience in another case': signed(HEADER, { ...CLAIMS, aud: 'Netsentinel-Gateway' }),
  'audience as a list': signed(HEADER, { ...CLAIMS, aud: ['netsentinel-gateway'] }),
  expired: signed(HEADER, { ...CLAIMS, iat: NOW_S - 901, exp: NOW_S - 1 }),
  'expires now': signed(HEADER, { ...CLAIMS, iat: NOW_S - 900, exp: NOW_S }),
  'issued in the future': signed(HEADER, { ...CLAIMS, iat: NOW_S + 60, exp: NOW_S + 120 }),
  'not valid before the future': signed(HEADER, { ...CLAIMS, nbf: NOW_S + 60 }),
  'lifetime too long': signed(HEADER, { ...CLAIMS, exp: NOW_S + 901 }),
  'expiry before issue': signed(HEADER, { ...CLAIMS, iat: NOW_S + 10, exp: NOW_S + 5 }),
}

const CLAIM_NAMES = ['iss', 'aud', 'sub', 'jti', 'sid', 'iat', 'exp', 'nbf'] as const
const ODD_VALUES: readonly unknown[] = [null, true, 0, -1, '', [], {}, 1e21, 0.5, 'x'.repeat(200)]
/** Text where a number belongs. */
const TEXTS: readonly unknown[] = ['9999999999', '1', 'NaN']
const DATES: readonly string[] = ['iat', 'exp', 'nbf']

describe('access tokens', () => {
  it('takes a token of its own, from either key', () => {
    expect(tokens.verify(GOOD)).toEqual(CLAIMS)
    expect(tokens.verify(tokens.sign(CLAIMS))).toEqual(CLAIMS)
    expect(tokens.verify(create(OLD_KEY).sign(CLAIMS))).toEqual(CLAIMS)
  })

  it.each(Object.entries(ATTACKS))('refuses: %s', (_name, token) => {
    expect(isRefusal(tokens.verify(token))).toBe(true)
  })

  it.each(['iss', 'aud', 'sub', 'jti', 'sid', 'iat', 'exp'])('refuses a token without %s', claim => {
    expect(tokens.verify(signed(HEADER, without(claim)))).toEqual({ refused: 'claims' })
  })

  it.each(CLAIM_NAMES)('refuses odd values of %s, and never throws', claim => {
    for (const value of [...ODD_VALUES, ...(DATES.includes(claim) ? TEXTS : [])]) {
      const isFine = claim === 'nbf' && value === 0
      const answer = tokens.verify(signed(HEADER, { ...CLAIMS, [claim]: value }))
      expect([value, isRefusal(answer)]).toEqual([value, !isFine])
    }
  })

  it('looks at no token of over 8 KB', () => {
    expect(isRefusal(parseTokenForm(signed(HEADER, { sub: 's'.repeat(5_000) })))).toBe(false)
    expect(isRefusal(parseTokenForm(signed(HEADER, { sub: 's'.repeat(6_100) })))).toBe(true)
  })

  it('says that a token has expired, so that its holder can refresh it', () => {
    expect(tokens.verify(ATTACKS['expired'] ?? '')).toEqual({ refused: 'expired' })
  })

  it('refuses a token with any one character changed', () => {
    fc.assert(
      fc.property(fc.nat(GOOD.length - 1), fc.constantFrom(...'AQgw09_-.= '), (at, character) => {
        fc.pre(GOOD[at] !== character)
        expect(isRefusal(tokens.verify(GOOD.slice(0, at) + character + GOOD.slice(at + 1)))).toBe(true)
      }),
    )
  })

  it('looks at a signature once, and at everything else each time', () => {
    let looks = 0
    let now = NOW
    let isRetired = false
    const verify = (token: string) => {
      looks += 1
      return KEY.verify(token)
    }
    const watched = createAccessTokens({
      keys: { signer: () => KEY, verifier: () => (isRetired ? undefined : { ...KEY, verify }) },
      maxLifetimeS: 900,
      now: () => now,
    })
    const wrong = `${GOOD.slice(0, -86)}${'A'.repeat(86)}`
    for (let i = 0; i < 3; i += 1) {
      expect(watched.verify(GOOD)).toEqual(CLAIMS)
      expect(watched.verify(wrong)).toEqual({ refused: 'signature' })
    }
    expect(looks).toBe(1 + 3)
    now += 900_000
    expect(watched.verify(GOOD)).toEqual({ refused: 'expired' })
    now = NOW
    isRetired = true
    expect(watched.verify(GOOD)).toEqual({ refused: 'signature' })
  })

  it('never throws, whatever it is given', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => isRefusal(tokens.verify(text))))
  })
})
