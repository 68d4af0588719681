import { describe, expect, it } from '@jest/globals'
import {
  encode,
  floatField,
  intField,
  messageField,
  packedFloats,
  packedInts,
  textField,
} from './protobuf.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('the protobuf writer', () => {
  // The first three are the examples of protobuf.dev/programming-guides/encoding.
  it.each([
    ['a number', intField(1, 150), '089601'],
    ['a text', textField(2, 'testing'), '120774657374696e67'],
    ['a message', messageField(3, intField(1, 150)), '1a03089601'],
    ['a negative number', intField(1, -1), '08ffffffffffffffffff01'],
    ['a large number', intField(1, 2n ** 40n), '08808080808020'],
    ['a float', floatField(2, 1), '150000803f'],
    ['packed numbers', packedInts(6, [3, 270, 86_942]), '3206038e029ea705'],
    ['packed floats', packedFloats(7, Float32Array.of(1, -2)), '3a080000803f000000c0'],
    ['a high field number', intField(20, 2), 'a00102'],
  ])('writes %s', (_, field, expected) => {
    expect(hex(encode(field))).toBe(expected)
  })
})
