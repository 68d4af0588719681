import { createHmac, generateKeyPairSync } from 'node:crypto'
import { encode, type Forge, signWith } from '../support/forge.ts'

const pem = ({ publicKey }: Forge) => publicKey.export({ type: 'spki', format: 'pem' }).toString()

const hmac = (forge: Forge, alg: string, secret: string) => {
  const input = `${encode({ ...forge.header, alg })}.${encode(forge.claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const parts = ({ good }: Forge) => {
  const [head = '', body = '', tail = ''] = good.split('.')
  return { head, body, tail }
}

const raw = (forge: Forge, header: string, claims: string) => signWith(forge.privateKey, header, claims)

const text = (value: unknown) => JSON.stringify(value)

const nowS = ({ claims }: Forge) => Number(claims['iat'])

/** Tokens that must not be taken, each with the requirement that it belongs to; after RFC 8725 and jwt_tool's playbook. */
export const ATTACKS: Readonly<Record<string, (forge: Forge) => string>> = {
  '15: alg none, no signature': f => `${encode({ ...f.header, alg: 'none' })}.${parts(f).body}.`,
  '15: alg None, with the signature': f =>
    `${encode({ ...f.header, alg: 'None' })}.${parts(f).body}.${parts(f).tail}`,
  '15: alg NONE': f => f.signed({ alg: 'NONE' }),
  '15: alg nOnE': f => `${encode({ ...f.header, alg: 'nOnE' })}.${parts(f).body}.`,
  '15: alg in another case': f => f.signed({ alg: 'eddsa' }),
  '15: alg that is a list': f => f.signed({ alg: ['EdDSA'] }),
  '15: another asymmetric alg': f => f.signed({ alg: 'ES256' }),
  '15: an empty signature': f => `${parts(f).head}.${parts(f).body}.`,
  '15: no signature': f => `${parts(f).head}.${parts(f).body}`,
  '15: a signature of zeros': f =>
    `${parts(f).head}.${parts(f).body}.${Buffer.alloc(64).toString('base64url')}`,
  '15: the signature of other claims': f =>
    `${parts(f).head}.${encode({ ...f.claims, sub: 'admin' })}.${parts(f).tail}`,
  '15: the signature of another key': f =>
    signWith(generateKeyPairSync('ed25519').privateKey, f.header, f.claims),
  '16: HS256 with the public key as the secret': f => hmac(f, 'HS256', pem(f)),
  '16: HS256 with the public key after a space': f => hmac(f, 'HS256', ` ${pem(f)}`),
  '16: HS256 with the public key without its end of line': f => hmac(f, 'HS256', pem(f).trim()),
  '16: an HMAC under the name of the right alg': f => hmac(f, 'EdDSA', pem(f)),
  '17: HS256 with an empty key': f => hmac(f, 'HS256', ''),
  '17: HS256 with a key of the dictionary': f => hmac(f, 'HS256', 'secret'),
  '18: jwk': f => f.signed({ jwk: f.publicKey.export({ format: 'jwk' }) }),
  '18: jku': f => f.signed({ jku: 'http://127.0.0.1:1/keys' }),
  '18: x5u': f => f.signed({ x5u: 'http://127.0.0.1:1/cert' }),
  '18: x5c': f => f.signed({ x5c: ['MIIB'] }),
  '18: crit': f => f.signed({ crit: ['exp'] }),
  '18: crit b64': f => f.signed({ crit: ['b64'], b64: false }),
  '19: kid as a path': f => f.signed({ kid: '../../../dev/null' }),
  '19: kid as SQL': f => f.signed({ kid: "x' UNION SELECT 'y" }),
  '19: kid as a command': f => f.signed({ kid: '|sleep 9' }),
  '19: kid as a URL': f => f.signed({ kid: 'http://127.0.0.1:1/' }),
  '19: kid that is a number': f => f.signed({ kid: 1 }),
  '19: kid of 10 KB': f => f.signed({ kid: 'k'.repeat(10_000) }),
  '19: kid __proto__': f => f.signed({ kid: '__proto__' }),
  '19: kid of no key': f => f.signed({ kid: 'AAAAAAAAAAAAAAAA' }),
  '20: typ JWT': f => f.signed({ typ: 'JWT' }),
  '20: typ in another case': f => f.signed({ typ: 'AT+JWT' }),
  '20: no typ': f => raw(f, text({ alg: f.header['alg'], kid: f.header['kid'] }), text(f.claims)),
  '21: expired': f => f.claiming({ iat: nowS(f) - 120, exp: nowS(f) - 60 }),
  '21: issued in the future': f => f.claiming({ iat: nowS(f) + 40, exp: nowS(f) + 60 }),
  '21: not valid yet': f => f.claiming({ nbf: nowS(f) + 40 }),
  '21: a life too long': f => f.claiming({ exp: nowS(f) + 61 }),
  '21: an expiry before its issue': f => f.claiming({ iat: nowS(f) + 20, exp: nowS(f) + 10 }),
  '22: another audience': f => f.claiming({ aud: 'other' }),
  '22: an audience of which ours is a prefix': f => f.claiming({ aud: 'netsentinel-gateway-2' }),
  '22: an audience in another case': f => f.claiming({ aud: 'Netsentinel-Gateway' }),
  '22: a list of audiences': f => f.claiming({ aud: ['netsentinel-gateway'] }),
  '23: another issuer': f => f.claiming({ iss: 'https://netsentinel' }),
  '23: the issuer with a slash': f => f.claiming({ iss: 'netsentinel/' }),
  '23: the issuer in another case': f => f.claiming({ iss: 'NetSentinel' }),
  '25: a duplicate key in the header': f =>
    raw(f, `{"alg":"none",${text(f.header).slice(1)}`, text(f.claims)),
  '25: a duplicate key in the claims': f =>
    raw(f, text(f.header), `{"sub":"admin",${text(f.claims).slice(1)}`),
  '25: a duplicate key behind an escape': f =>
    raw(f, text(f.header), `{"s\\u0075b":"admin",${text(f.claims).slice(1)}`),
  '25: spaces in the JSON': f => raw(f, JSON.stringify(f.header, null, 1), text(f.claims)),
  '25: padding': f => `${f.good}==`,
  '25: a space inside': f => f.good.replace('.', '. '),
  '25: base64 in place of base64url': f => `${f.good.slice(0, -1)}+`,
  '25: another spelling of the same bytes': f => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return f.good.slice(0, -1) + alphabet[alphabet.indexOf(f.good.at(-1) ?? '') + 1]
  },
  '26: JWS in JSON': f =>
    text({ protected: parts(f).head, payload: parts(f).body, signature: parts(f).tail }),
  '26: a JWE of five segments': f => `${f.good}.x.y`,
  '26: a token inside a token': f => raw(f, text({ ...f.header, cty: 'JWT' }), f.good),
  '26: more than 8 KB': f => f.claiming({ sub: 's'.repeat(9_000) }),
  '26: nested a thousand deep': f => raw(f, text(f.header), `${'['.repeat(1_000)}${']'.repeat(1_000)}`),
}
