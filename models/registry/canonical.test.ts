import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson, type Json } from './canonical.ts'

describe('the canonical form', () => {
  it('orders members by UTF-16 code units, and writes no white space', () => {
    expect(canonicalJson({ b: [1, { d: null, c: true }], a: 'x', '\u20ac': 0, '\ud83d\ude00': -0 })).toBe(
      '{"a":"x","b":[1,{"c":true,"d":null}],"€":0,"😀":0}',
    )
  })

  it('is one text for a value, however its members lie, and reads back as that value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), value => {
        const turned = Object.fromEntries(Object.entries(value).reverse()) as Json
        const text = canonicalJson(value as Json)
        expect(canonicalJson(turned)).toBe(text)
        expect(canonicalJson(JSON.parse(text) as Json)).toBe(text)
        expect(JSON.stringify(JSON.parse(text))).toHaveLength(JSON.stringify(value).length)
      }),
    )
  })
})
