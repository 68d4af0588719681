import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { encode, type Forge, type Parts, signWith } from '../support/forge.ts'

/** A token that must not be taken, made from a good one; `lure` is an address that nobody may be led to. */
export type Attack = (forge: Forge, lure: string) => string

/** The segments of the good token. */
export const segmentsOf = ({ good }: Forge) => {
  const [head = '', body = '', tail = ''] = good.split('.')
  return { head, body, tail }
}

/** A token of texts, as they are, with a good signature. */
export const raw = (forge: Forge, header: string, claims: string): string =>
  signWith(forge.privateKey, header, claims)

/** JSON as JSON.stringify spells it. */
export const text = (value: unknown): string => JSON.stringify(value)

const MALLORY = generateKeyPairSync('ed25519')

const HASH: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }

const hmac = (forge: Forge, alg: string, secret: string | Buffer, header: Parts = {}) => {
  const input = `${encode({ ...forge.header, alg, ...header })}.${encode(forge.claims)}`
  return `${input}.${createHmac(HASH[alg] ?? 'sha256', secret)
    .update(input)
    .digest('base64url')}`
}

const byMallory = (forge: Forge, header: Parts) =>
  signWith(MALLORY.privateKey, { ...forge.header, ...header }, forge.claims)

const malloryJwk = () => MALLORY.publicKey.export({ format: 'jwk' })

const signedAs = (forge: Forge, header: Parts, tail: string) =>
  `${encode({ ...forge.header, ...header })}.${segmentsOf(forge).body}.${tail}`

const pem = ({ publicKey }: Forge) => publicKey.export({ type: 'spki', format: 'pem' }).toString()

/** The public key in each form in which somebody might have handed it to an HMAC. */
const SPELLINGS: Readonly<Record<string, (forge: Forge) => string | Buffer>> = {
  'the public key': pem,
  'the public key after a space': f => ` ${pem(f)}`,
  'the public key after an end of line': f => `\n${pem(f)}`,
  'the public key after a byte order mark': f => `\ufeff${pem(f)}`,
  'the public key without its end of line': f => pem(f).trim(),
  'the public key with ends of line of Windows': f => pem(f).replaceAll('\n', '\r\n'),
  'the body of the public key': f => pem(f).replaceAll(/-----[^-]+-----|\n/g, ''),
  'the DER of the public key': f => f.publicKey.export({ type: 'spki', format: 'der' }),
  'the JWK of the public key': f => text(f.publicKey.export({ format: 'jwk' })),
  'the x of the public key': f => String(f.publicKey.export({ format: 'jwk' }).x),
  'the bytes of the public key': f =>
    Buffer.from(String(f.publicKey.export({ format: 'jwk' }).x), 'base64url'),
}

/** What people write in place of a key, the commonest first. */
const DICTIONARY = [
  'secret',
  'your-256-bit-secret',
  'password',
  'changeme',
  'jwt',
  'key',
  'admin',
  'netsentinel',
  'Sn1f',
  'your_jwt_secret',
  '\0',
  'null',
  'undefined',
]

const confusions = Object.keys(HASH).flatMap(alg =>
  Object.entries(SPELLINGS).map(([name, secret]): [string, Attack] => [
    `16: ${alg} with ${name} as the secret`,
    f => hmac(f, alg, secret(f)),
  ]),
)

const guesses = DICTIONARY.map((secret): [string, Attack] => [
  `17: HS256 with a key of the dictionary, ${text(secret)}`,
  f => hmac(f, 'HS256', secret),
])

const NONES = ['none', 'None', 'NONE', 'nOnE', 'none ', '', 'null']

const nones = NONES.flatMap((alg): [string, Attack][] => [
  [`15: alg ${text(alg)}, no signature`, f => signedAs(f, { alg }, '')],
  [`15: alg ${text(alg)}, with the signature`, f => signedAs(f, { alg }, segmentsOf(f).tail)],
  [`15: alg ${text(alg)}, signed for it`, f => f.signed({ alg })],
])

const OTHER_ALGORITHMS = [
  'eddsa',
  'EDDSA',
  'EdDSA ',
  'EdDSA\0',
  'Ed25519',
  'Ed448',
  'ES256',
  'ES256K',
  'RS256',
  'PS256',
]

const algorithms = OTHER_ALGORITHMS.map((alg): [string, Attack] => [
  `15: alg ${text(alg)} over a good signature`,
  f => f.signed({ alg }),
])

const oddAlgorithms = [null, true, 0, ['EdDSA'], { alg: 'EdDSA' }].map((alg): [string, Attack] => [
  `15: alg that is ${text(alg)}`,
  f => f.signed({ alg }),
])

const KIDS: Readonly<Record<string, unknown>> = {
  'a path': '../../../../../../dev/null',
  'a path on Windows': '..\\..\\..\\NUL',
  'a file that is always the same': '/proc/sys/kernel/randomize_va_space',
  SQL: "x' UNION SELECT 'y",
  'SQL that ends a statement': "x'; DROP TABLE signing_keys; --",
  'a command': '|sleep 9',
  'a command in a shell': '$(sleep 9)',
  'a template': '{{7*7}}',
  LDAP: '*)(kid=*',
  'a text with a zero in it': 'a\0b',
  'a text with an end of line': 'a\r\nx: y',
  'a number': 1,
  'a list': ['x'],
  'an object': { $ne: null },
  nothing: null,
  'an empty text': '',
  'a dot': '.',
  '10 KB': 'k'.repeat(10_000),
  __proto__: '__proto__',
  constructor: 'constructor',
  'the id of no key': 'AAAAAAAAAAAAAAAA',
}

const kids = Object.entries(KIDS).flatMap(([name, kid]): [string, Attack][] => [
  [`19: kid is ${name}`, f => f.signed({ kid })],
  ...(String(kid).length > 100
    ? []
    : [
        [`19: kid is ${name}, HS256 with an empty key`, f => hmac(f, 'HS256', '', { kid })] as [
          string,
          Attack,
        ],
      ]),
])

const TYPES = ['JWT', 'AT+JWT', 'at+jwt ', 'application/at+jwt', 'refresh+jwt', 'id+jwt', 'JOSE', '', null]

const types = TYPES.map((typ): [string, Attack] => [`20: typ ${text(typ)}`, f => f.signed({ typ })])

const others: Readonly<Record<string, Attack>> = {
  '15: no alg': f => raw(f, text({ typ: f.header['typ'], kid: f.header['kid'] }), text(f.claims)),
  '15: an empty signature': f => `${segmentsOf(f).head}.${segmentsOf(f).body}.`,
  '15: no signature': f => `${segmentsOf(f).head}.${segmentsOf(f).body}`,
  '15: the signature of other claims': f =>
    `${segmentsOf(f).head}.${encode({ ...f.claims, sub: 'admin' })}.${segmentsOf(f).tail}`,
  '15: the signature of another header': f =>
    `${encode({ ...f.header, typ: 'at+jwt', x: 1 })}.${segmentsOf(f).body}.${segmentsOf(f).tail}`,
  '15: the signature of another key': f => byMallory(f, {}),
  '15: a signature over the claims alone': f =>
    `${segmentsOf(f).head}.${segmentsOf(f).body}.${sign(null, Buffer.from(segmentsOf(f).body), f.privateKey).toString('base64url')}`,
  '16: an HMAC under the name of the right alg': f => hmac(f, 'EdDSA', pem(f)),
  '17: HS256 with an empty key': f => hmac(f, 'HS256', ''),
  '18: jwk of the attacker, who signed it': f => byMallory(f, { jwk: malloryJwk() }),
  '18: jwk of our own key': f => f.signed({ jwk: f.publicKey.export({ format: 'jwk' }) }),
  '18: jku of the attacker, who signed it': (f, lure) => byMallory(f, { jku: `${lure}/jwks.json` }),
  '18: jku on a token that is good otherwise': (f, lure) => f.signed({ jku: lure }),
  '18: x5u of the attacker, who signed it': (f, lure) => byMallory(f, { x5u: `${lure}/cert.pem` }),
  '18: x5c': f => byMallory(f, { x5c: ['MIIB'] }),
  '18: x5t': f => f.signed({ 'x5t#S256': 'A'.repeat(43) }),
  '18: crit': f => f.signed({ crit: ['exp'] }),
  '18: crit, empty': f => f.signed({ crit: [] }),
  '18: crit b64': f => f.signed({ crit: ['b64'], b64: false }),
  '18: zip': f => f.signed({ zip: 'DEF' }),
  '18: a header member that nobody knows': f => f.signed({ x: 1 }),
  '19: kid is an address': (f, lure) => byMallory(f, { kid: `${lure}/key` }),
  '19: no kid': f => raw(f, text({ alg: f.header['alg'], typ: f.header['typ'] }), text(f.claims)),
  '20: no typ': f => raw(f, text({ alg: f.header['alg'], kid: f.header['kid'] }), text(f.claims)),
  '26: JWS in JSON': f =>
    text({ protected: segmentsOf(f).head, payload: segmentsOf(f).body, signature: segmentsOf(f).tail }),
  '26: JWS in JSON, in general form': f =>
    text({
      payload: segmentsOf(f).body,
      signatures: [{ protected: segmentsOf(f).head, signature: segmentsOf(f).tail }],
    }),
  '26: a detached payload': f => `${segmentsOf(f).head}..${segmentsOf(f).tail}`,
  '26: a JWE of five segments': f => `${f.good}.x.y`,
  '26: a JWE for our public key': f =>
    `${encode({ alg: 'ECDH-ES', enc: 'A256GCM', kid: f.header['kid'] })}..${encode('iv')}.${encode(f.claims)}.${encode('tag')}`,
  '26: four segments': f => `${f.good}.`,
  '26: one segment': f => segmentsOf(f).body,
  '26: dots': () => '..',
  '26: a token inside a token': f => raw(f, text({ ...f.header, cty: 'JWT' }), f.good),
  '26: a token that is the claims of another': f => raw(f, text(f.header), f.good),
  '26: more than 8 KB': f => f.claiming({ sub: 's'.repeat(8_000) }),
  '26: nested a thousand deep': f => raw(f, text(f.header), `${'['.repeat(1_000)}${']'.repeat(1_000)}`),
}

/**
 * Attacks on the header and the envelope of a token, each named by the requirement that it belongs to; after RFC 8725 and
 * jwt_tool's playbook.
 */
export const HEADER_ATTACKS: Readonly<Record<string, Attack>> = {
  ...Object.fromEntries([
    ...nones,
    ...algorithms,
    ...oddAlgorithms,
    ...confusions,
    ...guesses,
    ...kids,
    ...types,
  ]),
  ...others,
}
