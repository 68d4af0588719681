import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { itemsOf, parseExact, rewriteScalars } from './json-text.ts'

describe('parseExact', () => {
  it('keeps every digit of whole numbers above 2^53, as text', () => {
    expect(parseExact('{"a":1761234567890123456,"b":[-9007199254740993],"c":9007199254740991}')).toEqual({
      a: '1761234567890123456',
      b: ['-9007199254740993'],
      c: 9007199254740991,
    })
  })

  it('leaves fractions, exponents and texts with many digits as they are', () => {
    const json = '{"a":0.0012309551239013672,"b":"17612345678901234567","c":1e300}'
    expect(parseExact(json)).toEqual(JSON.parse(json))
  })
})

describe('rewriteScalars', () => {
  const shout = (json: string, wanted: string) =>
    rewriteScalars(json, (_literal, key) => (key === wanted ? '"!"' : undefined))

  it('replaces values by their key and keeps every other byte', () => {
    const json = '{ "a" : 1.0,"b": [ "x" , 1e5 ] , "c":{"b" :null, "d":"\\"b\\":"}}'
    expect(shout(json, 'b')).toBe('{ "a" : 1.0,"b": [ "!" , "!" ] , "c":{"b" :"!", "d":"\\"b\\":"}}')
  })

  it('knows the key of a list again behind an object in it', () => {
    expect(shout('{"a":[{"b":1},2],"c":3}', 'a')).toBe('{"a":[{"b":1},"!"],"c":3}')
  })

  it('gives valid JSON with the replaced values for any JSON', () => {
    fc.assert(
      fc.property(fc.json(), json => {
        const replaced = rewriteScalars(json, literal => (literal.startsWith('"') ? '"x"' : undefined))
        const expected = JSON.stringify(
          JSON.parse(json, (_key, value: unknown) => (typeof value === 'string' ? 'x' : value)),
        )
        expect(JSON.stringify(JSON.parse(replaced))).toBe(expected)
        expect(rewriteScalars(json, () => undefined)).toBe(json)
      }),
    )
  })

  it('is not bothered by depth', () => {
    const deep = `${'['.repeat(50_000)}"x"${']'.repeat(50_000)}`
    expect(rewriteScalars(deep, () => '1')).toContain('[1]')
  })
})

describe('itemsOf', () => {
  it('cuts an array into the texts of its items', () => {
    expect(itemsOf(' [ {"a":[1,2],"b":"],["} ,\n 1.0, "x,y" ] ')).toEqual([
      '{"a":[1,2],"b":"],["}',
      '1.0',
      '"x,y"',
    ])
    expect(itemsOf('[]')).toEqual([])
  })

  it('gives the items of any array', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), values => {
        expect(itemsOf(JSON.stringify(values)).map(item => JSON.stringify(JSON.parse(item)))).toEqual(
          values.map(value => JSON.stringify(value)),
        )
      }),
    )
  })
})
