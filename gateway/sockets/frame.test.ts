import { describe, expect, it } from '@jest/globals'
import { textFrame } from './frame.ts'

describe('a text frame', () => {
  it('is that of RFC 6455, section 5.7', () => {
    expect(textFrame('Hello').toString('hex')).toBe('810548656c6c6f')
  })

  it.each([
    [0, '8100'],
    [125, '817d'],
    [126, '817e007e'],
    [256, '817e0100'],
    [65_535, '817effff'],
    [65_536, '817f0000000000010000'],
  ])('of %i bytes has the header %s', (size, header) => {
    const frame = textFrame('x'.repeat(size))
    expect(frame.subarray(0, header.length / 2).toString('hex')).toBe(header)
    expect(frame.subarray(header.length / 2).toString()).toBe('x'.repeat(size))
  })

  it('counts bytes, not characters', () => {
    expect(textFrame('ä').toString('hex')).toBe('8102c3a4')
  })
})
