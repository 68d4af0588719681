import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { contentOf, headerContent, maskText } from './mask.ts'

const SECRET = 'hunter2 & more'
const masked = { clear: false }

describe('maskText', () => {
  it.each([
    ['a field', `{"a":1,"PASSWORD":"${SECRET}"}`, '{"a":1,"PASSWORD":"***"}'],
    ['a field of a list', `[{"user":"eve","api_key":"${SECRET}"}]`, '[{"user":"eve","api_key":"***"}]'],
    ['a number', '{"password":123456,"port":22}', '{"password":"***","port":22}'],
    [
      'a message',
      '{"message":"login attempt [root/123456] failed"}',
      '{"message":"login attempt [root/***] failed"}',
    ],
    ['a line of several', `{"a":1}\n{"password":"${SECRET}"}`, '{"a":1}\n{"password":"***"}'],
    [
      'JSON in JSON',
      '{"message":"{\\"password\\":\\"hunter2\\"}"}',
      '{"message":"{\\"password\\":\\"***\\"}"}',
    ],
    [
      'what was cut off',
      `{"logdata": {"USERNAME": "eve", "PASSWORD": "${SECRET}", "x": "y"`,
      '{"logdata": {"USERNAME": "eve", "PASSWORD": "***", "x": "y"',
    ],
    ['what was cut off within the secret', `{"a":"b","PASSWORD":"${SECRET}`, '{"a":"b","PASSWORD":"***'],
    ['an escaped quote', '{"password":"a\\"hunter2","b"', '{"password":"***","b"'],
    ["Python's way to write it", `{'password': '${SECRET}', 'a': 1}`, "{'password': '***', 'a': 1}"],
    ['a list that was cut off', '{"password":["hunter2","hunter3"', '{"password":***'],
    ['an assignment', 'user=eve password=hunter2 more words', 'user=eve password=***'],
    ['an assignment of Ruby', ':community => "hunter2", a: 1', ':community => "***", a: 1'],
    ['a URL', 'GET ftp://eve:hunter2@example.org/x', 'GET ftp://eve:***@example.org/x'],
    ['a header', 'Authorization: Bearer hunter2\r\nHost: x', 'Authorization: ***\r\nHost: x'],
    ['a protocol command', 'USER eve\r\nPASS hunter2\r\n', 'USER eve\r\nPASS ***\r\n'],
    [
      'the same secret elsewhere',
      '{"password":"hunter2", "note": "hunter2 again"',
      '{"password":"***", "note": "*** again"',
    ],
  ])('masks a secret in %s', (_, text, expected) => {
    expect(maskText(text)).toBe(expected)
  })

  it('masks what only the source knows to be a secret, also in a wrapped line', () => {
    const line = JSON.stringify({
      logtype: 17001,
      node_id: 'n',
      logdata: { CMD: 'AUTH', ARGS: 'hunter2' },
    })
    expect(maskText(line)).not.toContain('hunter2')
    expect(maskText(JSON.stringify({ message: line }))).not.toContain('hunter2')
  })

  it.each(['', 'no secret here', '{"a":"b"}', '{"a":', 'user: eve', '{"passport":"x"', '42'])(
    'leaves %j',
    text => {
      expect(maskText(text)).toBe(text)
    },
  )

  it('leaves no secret of a named field in any cut of a record', () => {
    const record = JSON.stringify({
      user: 'eve',
      nested: { password: 'hunter2', list: [1] },
      api_key: 's3cr3t-x',
    })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: record.length }), length => {
        const shown = maskText(record.slice(0, length))
        expect(shown).not.toMatch(/hun|s3c/)
      }),
    )
  })

  it('takes any text, and a long one without taking ever longer for each part of it', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => void maskText(text)))
    for (const piece of ['password={', 'password=x ', '"password":', "password='", 'a:', '"', '\\', 'x=>'])
      maskText(piece.repeat(100_000))
  })
})

describe('contentOf', () => {
  it('shows text, masked unless it may be clear', () => {
    const bytes = Buffer.from('password=hunter2')
    expect(contentOf(bytes, masked)).toEqual({ text: 'password=***' })
    expect(contentOf(bytes, { clear: true })).toEqual({ text: 'password=hunter2' })
    expect(contentOf(null, masked)).toBeNull()
    expect(contentOf(Buffer.alloc(0), masked)).toEqual({ text: '' })
  })

  it.each([
    ['what is no UTF-8', Buffer.from([0xff, 0x70, 0x61])],
    ['what the registry has framed', Buffer.from([0, 0, 0, 0, 7, 0x70, 0x61])],
    ['UTF-16', Buffer.from('password=hunter2', 'utf16le')],
  ])('shows no byte of %s', (_, bytes) => {
    expect(contentOf(bytes, masked)).toEqual({ bytes: bytes.length })
    expect(contentOf(bytes, { clear: true })).toEqual({
      bytes: bytes.length,
      base64: bytes.toString('base64'),
    })
  })
})

describe('headerContent', () => {
  it('masks a header that is named like a secret', () => {
    expect(headerContent('Authorization', 'Bearer x', masked)).toEqual({ text: '***' })
    expect(headerContent('Authorization', 'Bearer x', { clear: true })).toEqual({ text: 'Bearer x' })
    expect(headerContent('traceparent', Buffer.from('00-ab'), masked)).toEqual({ text: '00-ab' })
  })
})
