import type { Forge } from '../support/forge.ts'
import { type Attack, raw, segmentsOf, text } from './token-attacks.ts'

const nowS = ({ claims }: Forge) => Number(claims['iat'])
const lifeS = ({ claims }: Forge) => Number(claims['exp']) - nowS({ claims } as Forge)

/** The claims with the text of one value put in as it is written. */
const spelled = (forge: Forge, claim: string, value: string) =>
  raw(
    forge,
    text(forge.header),
    text({ ...forge.claims, [claim]: '\u2603' }).replace('"\u2603"', () => value),
  )

/** Claims that say something else than what our tokens may say, under a good signature. */
const VALUES: Readonly<Record<string, Attack>> = {
  '21: expired': f => f.claiming({ iat: nowS(f) - 120, exp: nowS(f) - 60 }),
  '21: expiring this second': f => f.claiming({ iat: nowS(f) - 60, exp: nowS(f) }),
  '21: issued in the future': f => f.claiming({ iat: nowS(f) + 40, exp: nowS(f) + 60 }),
  '21: not valid yet': f => f.claiming({ nbf: nowS(f) + 40 }),
  '21: not valid for a long time': f => f.claiming({ nbf: 99_999_999_999 }),
  '21: a life too long': f => f.claiming({ exp: nowS(f) + lifeS(f) + 1 }),
  '21: a life of centuries': f => f.claiming({ exp: 99_999_999_999 }),
  '21: an expiry before its issue': f => f.claiming({ iat: nowS(f) + 20, exp: nowS(f) + 10 }),
  '21: an expiry in text': f => f.claiming({ exp: String(f.claims['exp']) }),
  '21: an expiry with a fraction': f => f.claiming({ exp: Number(f.claims['exp']) - 0.5 }),
  '21: an expiry in milliseconds': f => f.claiming({ exp: Number(f.claims['exp']) * 1000 }),
  '21: an expiry below zero': f => f.claiming({ exp: -1 }),
  '21: an expiry of zero': f => f.claiming({ exp: 0 }),
  '21: an expiry beyond what a number holds': f => spelled(f, 'exp', '1e999'),
  '21: an expiry in exponents': f => spelled(f, 'exp', `${Number(f.claims['exp']) / 10}e1`),
  '21: an issue below zero': f => f.claiming({ iat: -1 }),
  '22: another audience': f => f.claiming({ aud: 'other' }),
  '22: an audience of which ours is a prefix': f => f.claiming({ aud: 'netsentinel-gateway-2' }),
  '22: a prefix of our audience': f => f.claiming({ aud: 'netsentinel' }),
  '22: an audience in another case': f => f.claiming({ aud: 'Netsentinel-Gateway' }),
  '22: an audience with a space': f => f.claiming({ aud: 'netsentinel-gateway ' }),
  '22: a list of audiences': f => f.claiming({ aud: ['netsentinel-gateway'] }),
  '22: a list of audiences with ours in it': f => f.claiming({ aud: ['other', 'netsentinel-gateway'] }),
  '22: an audience in an object': f => f.claiming({ aud: { 0: 'netsentinel-gateway' } }),
  '23: another issuer': f => f.claiming({ iss: 'https://netsentinel' }),
  '23: the issuer with a slash': f => f.claiming({ iss: 'netsentinel/' }),
  '23: the issuer in another case': f => f.claiming({ iss: 'NetSentinel' }),
  '23: a list of issuers': f => f.claiming({ iss: ['netsentinel'] }),
  '24: a claim that makes an administrator': f => f.claiming({ admin: true, role: 'admin' }),
  '24: scopes': f => f.claiming({ scope: 'users:write', grants: ['users:write'] }),
  '24: a confirmation key': f => f.claiming({ cnf: { jku: 'http://127.0.0.1:1/' } }),
  '24: the session of nobody': f => f.claiming({ sid: '00000000-0000-4000-8000-000000000000' }),
  '24: another user of the same session': f => f.claiming({ sub: '00000000-0000-4000-8000-000000000000' }),
  '24: SQL in the session': f => f.claiming({ sid: "x' OR '1'='1" }),
  '24: claims that are a list': f => f.signed({}, [f.claims]),
  '24: claims that are a text': f => f.signed({}, 'netsentinel'),
  '24: claims that are null': f => raw(f, text(f.header), 'null'),
}

/** Further spellings of what would be good, which two readers might read differently. */
const SPELLINGS: Readonly<Record<string, Attack>> = {
  '25: a duplicate key in the header': f =>
    raw(f, `{"alg":"none",${text(f.header).slice(1)}`, text(f.claims)),
  '25: a duplicate key in the claims': f =>
    raw(f, text(f.header), `{"sub":"admin",${text(f.claims).slice(1)}`),
  '25: a duplicate key behind': f =>
    raw(f, text(f.header), `${text(f.claims).slice(0, -1)},"sub":"${String(f.claims['sub'])}"}`),
  '25: a duplicate key behind an escape': f =>
    raw(f, text(f.header), `{"s\\u0075b":"admin",${text(f.claims).slice(1)}`),
  '25: an escape that is not needed': f =>
    raw(f, text(f.header), text(f.claims).replace('"sub"', '"s\\u0075b"')),
  '25: a key of the prototype': f => raw(f, text(f.header), `{"__proto__":{},${text(f.claims).slice(1)}`),
  '25: spaces in the JSON': f => raw(f, JSON.stringify(f.header, null, 1), text(f.claims)),
  '25: an end of line behind the JSON': f => raw(f, text(f.header), `${text(f.claims)}\n`),
  '25: a byte order mark before the JSON': f => raw(f, text(f.header), `\ufeff${text(f.claims)}`),
  '25: a zero behind the JSON': f => raw(f, text(f.header), `${text(f.claims)}\0`),
  '25: a second document behind the JSON': f => raw(f, text(f.header), `${text(f.claims)}{}`),
  '25: half a surrogate pair': f => f.claiming({ sub: '\ud800' }),
  '25: padding': f => `${f.good}==`,
  '25: padding inside': f => f.good.replace('.', '=.'),
  '25: a space inside': f => f.good.replace('.', '. '),
  '25: a tab inside': f => f.good.replace('.', '\t.'),
  '25: a percent sign inside': f => f.good.replace('.', '%2E'),
  '25: base64 in place of base64url': f => `${f.good.slice(0, -1)}+`,
  '25: another spelling of the same bytes': f => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return f.good.slice(0, -1) + alphabet[alphabet.indexOf(f.good.at(-1) ?? '') + 1]
  },
  '25: the signature in hexadecimal digits': f =>
    `${segmentsOf(f).head}.${segmentsOf(f).body}.${Buffer.from(segmentsOf(f).tail, 'base64url').toString('hex')}`,
}

/** Attacks on the claims of a token, each named by the requirement that it belongs to. All of them are signed well. */
export const CLAIM_ATTACKS: Readonly<Record<string, Attack>> = { ...VALUES, ...SPELLINGS }
