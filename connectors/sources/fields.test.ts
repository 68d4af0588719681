import { describe, expect, it } from '@jest/globals'
import { ip } from './addresses.ts'
import { count, integer, number, outcomeOf, port, seconds, sum, text, transport } from './fields.ts'

describe('ip', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:CB00:7109', '203.0.113.9'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
  ])('gives %s its one form', (given, expected) => {
    expect(ip(given)).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '1.2.3',
    '256.1.1.1',
    '01.2.3.4',
    'host',
    '1.2.3.4:80',
    '[::1]',
    null,
    undefined,
    1,
    ['1.2.3.4'],
  ])('takes %j for no address', value => {
    expect(ip(value)).toBeNull()
  })
})

describe('port', () => {
  it.each([
    [22, 22],
    ['62915', 62915],
    [0, 0],
    [-1, null],
    ['-1', null],
    ['', null],
    [65_536, null],
    [22.5, null],
    [true, null],
    [null, null],
  ])('reads %j as %j', (given, expected) => {
    expect(port(given)).toBe(expected)
  })
})

describe('numbers', () => {
  it('are read from numbers and texts, and are always finite', () => {
    expect([number('1.5'), number(' 7 '), number('1e3'), number(-0.5)]).toEqual([1.5, 7, 1000, -0.5])
    expect([
      number(''),
      number('0x10'),
      number('Infinity'),
      number('1e999'),
      number(Number.POSITIVE_INFINITY),
    ]).toEqual(Array(5).fill(null))
    expect([number('1_000'), number(true), number([]), number('1'.repeat(400))]).toEqual(Array(4).fill(null))
  })

  it('are whole and safe where they must be', () => {
    expect([integer('12'), integer(1.5), integer(2 ** 53), integer('9007199254740993')]).toEqual([
      12,
      null,
      null,
      null,
    ])
    // The largest safe integer is one more than the Avro library encodes: as an event it would end the process.
    expect([integer(2 ** 53 - 1), integer(2 ** 53 - 2), integer(2 - 2 ** 53)]).toEqual([
      null,
      2 ** 53 - 2,
      2 - 2 ** 53,
    ])
    expect(seconds(1e308)).toBeNull()
    expect([count(0), count(-1)]).toEqual([0, null])
    expect([seconds('1.5'), seconds(-1)]).toEqual([1500, null])
    expect([sum(1, '2', null), sum(null, undefined), sum(2 ** 53 - 1, 2 ** 53 - 1)]).toEqual([3, null, null])
  })
})

describe('texts', () => {
  it('are never empty', () => {
    expect([text(''), text('a'), text(5), text({}), text(null), text(true)]).toEqual([
      null,
      'a',
      '5',
      null,
      null,
      null,
    ])
  })

  it('name transports and outcomes', () => {
    expect([transport('TCP'), transport('IPv6-ICMP'), transport(17), transport('')]).toEqual([
      'tcp',
      'icmp',
      'udp',
      null,
    ])
    expect([outcomeOf(true), outcomeOf('false'), outcomeOf(undefined)]).toEqual([
      'success',
      'failure',
      'unknown',
    ])
  })
})
