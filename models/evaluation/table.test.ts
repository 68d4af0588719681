import { describe, expect, it } from '@jest/globals'
import { fieldsOf } from './csv.ts'
import { fitTable } from './table.ts'

const table = {
  columns: ['bytes', 'service', 'code'],
  rows: [
    ['0', 'http', '1'],
    ['100', 'ftp', '2'],
    ['-7.5', 'http', '1'],
    ['', 'http', '2'],
  ],
}

describe('fitTable', () => {
  it('keeps numbers as one feature, compressed, and gives each category one, the most frequent first', () => {
    const encoder = fitTable(table)
    expect(encoder.features).toEqual(['bytes', 'service=http', 'service=ftp', 'service=?', 'code'])
    const { values, rows, features } = encoder.encode(table)
    expect([rows, features]).toEqual([4, 5])
    expect([...values.slice(0, 4)]).toEqual([0, 1, 0, 0])
    expect(values[5]).toBeCloseTo(Math.log(101), 5)
    expect([...values.slice(6, 9)]).toEqual([0, 1, 0])
    expect(values[10]).toBeCloseTo(-Math.log(8.5), 5)
  })

  it('takes numbers for categories when it is told so', () => {
    expect(fitTable(table, { categorical: ['code'] }).features).toEqual(
      expect.arrayContaining(['code=1', 'code=2', 'code=?']),
    )
  })

  it('takes what was never seen as unseen, and what is no number as the middle of those seen', () => {
    const rows = [
      ['smtp', 'much', '3'],
      ['http', '5', '1'],
    ]
    const { values } = fitTable(table).encode({ columns: ['service', 'bytes', 'code'], rows })
    expect([...values.slice(0, 4)]).toEqual([0, 0, 0, 1])
    expect([...values.slice(6, 9)]).toEqual([1, 0, 0])
  })

  it('takes a rate over no time for the largest that was seen, and the column for numbers', () => {
    const rate = { columns: ['rate'], rows: [['3'], ['Infinity'], ['NaN'], ['20'], ['-inf'], ['5']] }
    const encoder = fitTable(rate)
    expect(encoder.features).toEqual(['rate'])
    const values = [...encoder.encode(rate).values].map(value => Math.round(Math.expm1(value)))
    expect(values).toEqual([3, 20, 5, 20, 3, 5])
  })

  it('has a feature for the 64 most frequent categories only', () => {
    const rows = Array.from({ length: 300 }, (_, i) => [`user${i % 100}`])
    const encoder = fitTable({ columns: ['user'], rows })
    expect(encoder.features).toHaveLength(65)
    expect(encoder.features.at(-1)).toBe('user=?')
  })

  it('refuses a table that lacks a column', () => {
    expect(() => fitTable(table).encode({ columns: ['bytes'], rows: [['1']] })).toThrow(/no column service/)
  })
})

describe('fieldsOf', () => {
  it.each([
    ['a,b,,c', ['a', 'b', '', 'c']],
    [' 1 , 2 ', ['1', '2']],
    ['"a,b",c', ['a,b', 'c']],
    ['"say ""so""",x', ['say "so"', 'x']],
    ['"",,"z"', ['', '', 'z']],
    [',"y",', ['', 'y', '']],
    ['', ['']],
  ])('takes %j apart', (line, fields) => {
    expect(fieldsOf(line)).toEqual(fields)
  })
})
