import { createHmac } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createRedactor } from './secrets.ts'

const KEY = 'a key of 16 or more characters'
const hashing = createRedactor({ secretsMode: undefined, secretsKey: KEY })
const dropping = createRedactor({ secretsMode: undefined, secretsKey: undefined })
const redact = (value: unknown, known: string[] = []): unknown =>
  JSON.parse(dropping.redact(JSON.stringify(value), known).json)

describe('what becomes of a secret', () => {
  it('is a keyed hash when there is a key', () => {
    const digest = createHmac('sha256', KEY).update('toor').digest('hex')
    expect(hashing.hash('toor')).toBe(`hmac:${digest.slice(0, 16)}`)
    expect(hashing.redact('{"password":"toor"}', []).json).toBe(`{"password":"hmac:${digest.slice(0, 16)}"}`)
  })

  it('is nothing without one, and nothing when it is to be dropped', () => {
    expect(dropping.hash('toor')).toBeNull()
    const told = createRedactor({ secretsMode: 'drop', secretsKey: KEY })
    expect(told.hash('toor')).toBeNull()
    expect(told.redact('{"password":"toor"}', []).json).toBe('{"password":"[dropped]"}')
  })

  it('cannot be a hash without a key', () => {
    expect(() => createRedactor({ secretsMode: 'hash', secretsKey: undefined })).toThrow(
      expect.objectContaining({ code: 'NS_CONFIG_INVALID' }),
    )
  })

  it('stays where it tells nothing', () => {
    for (const placeholder of ['', '<hidden>', '<not supplied>', '<Password was not in the common list>']) {
      expect(redact({ PASSWORD: placeholder })).toEqual({ PASSWORD: placeholder })
      expect(hashing.hash(placeholder)).toBeNull()
    }
  })
})

describe('where secrets are found', () => {
  it.each([
    'password',
    'PASSWORD',
    'Password',
    'VNC Password',
    'VNC Client Response',
    'COMMUNITY_STRING',
    'SECRET_STRING',
    'auth_data',
    'authorization',
    'api-key',
    'private_key',
    'clientSecret',
    'pwd',
    'passphrase',
    'community',
  ])('under the field %s', key => {
    expect(redact({ [key]: 's3cret!' })).toEqual({ [key]: '[dropped]' })
    expect(redact({ a: { [key]: ['s3cret!'] }, b: 'x s3cret! y' })).toEqual({
      a: { [key]: ['[dropped]'] },
      b: 'x [dropped] y',
    })
  })

  it.each([
    ['login attempt [root/123456] failed', 'login attempt [root/[dropped]] failed'],
    ['login attempt [root/a/b]c] succeeded', 'login attempt [root/[dropped]] succeeded'],
    ['login attempt [root/ed] failed', 'login attempt [root/[dropped]] failed'],
    ['login attempt [root/x] failed', 'login attempt [root/[dropped]] failed'],
    ['USER bob\r\nPASS hunter22\r\n', 'USER bob\r\nPASS [dropped]\r\n'],
    ['AUTH default hunter22', 'AUTH [dropped]'],
    ['HELLO 3 AUTH default hunter22', 'HELLO 3 AUTH default [dropped]'],
    ['CONFIG SET requirepass hunter22', 'CONFIG SET requirepass [dropped]'],
    [
      'GET / HTTP/1.1\r\nAuthorization: Basic dTpw\r\nHost: x',
      'GET / HTTP/1.1\r\nAuthorization: Basic [dropped]\r\nHost: x',
    ],
    [
      'curl -H "Authorization: Bearer abc.def" http://x',
      'curl -H "Authorization: Bearer [dropped]" http://x',
    ],
    ['ftp://bob:hun@ter22@198.51.100.7/a', 'ftp://bob:[dropped]@198.51.100.7/a'],
    ['/login?user=bob&password=hunter22&x=1', '/login?user=bob&password=[dropped]&x=1'],
    ['{not json "password": "hunter22"}', '{not json "password": "[dropped]"}'],
    ['echo "root:hunter22"|chpasswd|bash', 'echo "root:[dropped]"|chpasswd|bash'],
    ['echo -e "old\\nnew\\nnew"|passwd|bash', 'echo -e "[dropped]"|passwd|bash'],
    ['sshpass -p hunter22 ssh x', 'sshpass -p [dropped] ssh x'],
    ['mysql -u root -phunter22 -h x', 'mysql -u root -p[dropped] -h x'],
    ['redis-cli -h x -a hunter22 info', 'redis-cli -h x -a [dropped] info'],
    ['curl -u bob:hunter22 http://x', 'curl -u bob:[dropped] http://x'],
    ['wget --http-password=hunter22 x', 'wget --http-password=[dropped] x'],
  ])('in the text %j', (text, expected) => {
    expect(redact({ a: text })).toEqual({ a: expected })
  })

  it.each([
    'uname -a',
    'compass',
    'SSH-2.0-libssh2_1.10.0',
    'GET /passage HTTP/1.1',
    'Authentication failed',
    'http://x/a@b',
  ])('not in the text %j', text => {
    expect(redact({ a: text })).toEqual({ a: text })
  })

  it('in the text that a webhook wraps, at any depth of wrapping', () => {
    const line = JSON.stringify({ logdata: { PASSWORD: 'a"b\\c d' }, x: 'was a"b\\c d?' })
    expect(redact({ message: JSON.stringify({ message: line }) })).toEqual({
      message: JSON.stringify({
        message: JSON.stringify({ logdata: { PASSWORD: '[dropped]' }, x: 'was [dropped]?' }),
      }),
    })
  })

  it('in the form that URLs and Basic give them', () => {
    expect(redact({ password: 'p@ss word', url: '/x?y=p%40ss%20word' })).toEqual({
      password: '[dropped]',
      url: '/x?y=[dropped]',
    })
    const basic = `Basic ${Buffer.from('bob:hunter22').toString('base64')}`
    expect(redact({ authorization: basic, body: 'hunter22' })).toEqual({
      authorization: '[dropped]',
      body: '[dropped]',
    })
  })
})

describe('what stays', () => {
  it('is every byte that is no secret', () => {
    const json = '{ "a":1.0, "b" : 12345678901234567890,"password":"toor" , "c":"\\u0041\\/"}'
    expect(dropping.redact(json, []).json).toBe(json.replace('toor', '[dropped]'))
  })

  it('is what the sensor knows, even where a secret is part of it', () => {
    const record = {
      timestamp: '2026-11-23T10:00:00Z',
      src_ip: '127.0.0.1',
      username: 'root',
      dst_port: 2222,
      eventid: 'cowrie.login.failed',
    }
    for (const password of ['2026', '127.0.0.1', 'root', '2222', 'login'])
      expect(redact({ ...record, password })).toEqual({ ...record, password: '[dropped]' })
  })

  it('is text around a short secret', () => {
    expect(redact({ password: 'a', text: 'a bad day', other: 'a' })).toEqual({
      password: '[dropped]',
      text: 'a bad day',
      other: '[dropped]',
    })
  })
})

/** A secret that is not by chance part of the frame around it, or of what replaces it. */
const secret = fc
  .string({ minLength: 4, maxLength: 40, unit: 'binary' })
  .filter(text => text.trim().length >= 4 && !/^<.*>$/.test(text) && !/^[\da-f]+$/.test(text))
  .map(text => `~${text}`)

describe('any secret', () => {
  it('is nowhere in the record afterwards, and the record is still JSON', () => {
    fc.assert(
      fc.property(secret, fc.boolean(), fc.jsonValue(), (password, wrapped, noise) => {
        const record = {
          password,
          message: `login attempt [root/${password}] failed`,
          deep: { list: ['before', password, `x ${password} y ${password}`] },
          url: `http://x/?a=${encodeURIComponent(password.toWellFormed())}`,
          noise,
        }
        const json = JSON.stringify(wrapped ? { message: JSON.stringify(record) } : record)
        for (const redactor of [hashing, dropping]) {
          const redacted = redactor.redact(json, [])
          const strings: string[] = []
          const gather = (value: unknown): void => {
            if (typeof value === 'string') {
              strings.push(value)
              if (value.startsWith('{"password')) gather(JSON.parse(value))
            } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(gather)
          }
          gather(JSON.parse(redacted.json))
          expect(strings.filter(text => text.includes(password))).toEqual([])
          expect(redacted.text(`a ${password} b`)).not.toContain(password)
        }
      }),
    )
  })

  it('takes no more than linear time to find', () => {
    const texts = [
      'echo ',
      'login attempt [',
      '://',
      'curl -u ',
      'authorization',
      'password ',
      'mysql ',
      'aaaa',
    ]
    for (const text of texts) {
      const started = performance.now()
      dropping.redact(JSON.stringify({ a: text.repeat(40_000), password: 'hunter22' }), [])
      expect(performance.now() - started).toBeLessThan(5000)
    }
  })

  it('among thousands does not take quadratic time: the texts are dropped', () => {
    const many = Array.from({ length: 5000 }, (_, i) => `password=secret${i}`)
    expect(redact({ many, other: 'x' })).toEqual({ many: many.map(() => '[dropped]'), other: '[dropped]' })
  })
})
