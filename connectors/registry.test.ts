import { describe, expect, it } from '@jest/globals'
import { isFramed } from './registry.ts'

describe('isFramed', () => {
  it.each([
    ['the shortest framed value', [0, 0, 0, 0, 7, 2], true],
    ['a header with nothing behind it', [0, 0, 0, 0, 7], false],
    ['an empty value', [], false],
    ['a JSON object', [...Buffer.from('{"ts":1}')], false],
    ['another magic byte', [1, 0, 0, 0, 7, 2], false],
  ])('judges %s', (_what, bytes, expected) => {
    expect(isFramed(Buffer.from(bytes))).toBe(expected)
  })
})
