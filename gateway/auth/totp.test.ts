import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { fromBase32 } from '../../test/support/totp.ts'
import { base32, totpCode } from './totp.ts'

describe('time-based one-time passwords', () => {
  const SECRET = Buffer.from('12345678901234567890')

  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('are those of RFC 6238, appendix B, at %d s', (seconds, code) => {
    expect(totpCode(SECRET, Math.floor(seconds / 30), 8)).toBe(code)
    expect(totpCode(SECRET, Math.floor(seconds / 30))).toBe(code.slice(2))
  })

  it.each([
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('have their secret in the base32 of RFC 4648, section 10: %j', (text, encoded) => {
    expect(base32(Buffer.from(text))).toBe(encoded)
  })

  it('have a secret that an app reads back, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
        expect(fromBase32(base32(bytes))).toEqual(Buffer.from(bytes))
      }),
    )
  })
})
