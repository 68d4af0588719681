import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { itemsOf, parseExact, visitScalars } from './json-text.ts'

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

describe('visitScalars', () => {
  const visited = (json: string) => {
    const all: [string | undefined, string][] = []
    visitScalars(json, (from, to, key) => void all.push([key, json.slice(from, to)]))
    return all
  }

  it('gives each value as it is written, with its key', () => {
    const json = '{ "a" : 1.0,"b": [ "x" , 1e5 ] , "c":{"b" :null, "d":"\\"b\\":"}}'
    expect(visited(json)).toEqual([
      ['a', '1.0'],
      ['b', '"x"'],
      ['b', '1e5'],
      ['b', 'null'],
      ['d', '"\\"b\\":"'],
    ])
  })

  it('knows the key of a list again behind an object in it', () => {
    expect(visited('{"a":[{"b":1},2],"c":3}')).toEqual([
      ['b', '1'],
      ['a', '2'],
      ['c', '3'],
    ])
  })

  it('is not misled by what came behind a key the last time', () => {
    const texts = [
      '{"a":"x","b":"y"}',
      '{"a":["b","c"],"c":"b"}',
      '{"a":{"b" : "z"},"bb":1,"b":2}',
      '{"a":"x","\\u0062":"y","b\\"":"b"}',
    ]
    const once = texts.map(visited)
    expect(once).toEqual([
      [
        ['a', '"x"'],
        ['b', '"y"'],
      ],
      [
        ['a', '"b"'],
        ['a', '"c"'],
        ['c', '"b"'],
      ],
      [
        ['b', '"z"'],
        ['bb', '1'],
        ['b', '2'],
      ],
      [
        ['a', '"x"'],
        ['b', '"y"'],
        ['b"', '"b"'],
      ],
    ])
    expect(texts.map(visited)).toEqual(once)
  })

  it('misses nothing in any JSON', () => {
    const scalarsOf = (value: unknown): unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value).flatMap(scalarsOf) : [value]
    fc.assert(
      fc.property(fc.json(), json => {
        expect(visited(json).map(([, literal]): unknown => JSON.parse(literal))).toEqual(
          scalarsOf(JSON.parse(json)),
        )
      }),
    )
  })

  it('is not bothered by depth', () => {
    const deep = `${'['.repeat(50_000)}"x"${']'.repeat(50_000)}`
    expect(visited(deep)).toEqual([[undefined, '"x"']])
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
