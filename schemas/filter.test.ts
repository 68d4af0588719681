import { describe, expect, it } from '@jest/globals'
import { parseFilter } from './filter.ts'

const nested = (levels: number): object => (levels === 1 ? { score: 0.5 } : { not: nested(levels - 1) })
const wide = (parts: number) => ({ or: Array.from({ length: parts }, () => ({ score: 0.5 })) })

describe('a filter', () => {
  it.each([
    [{ severity: 'high' }],
    [{ score: 0, sensor: ['a'], category: ['scan'], technique: ['T1110'], entity: ['ip:10.0.0.1'] }],
    [{ address: ['10.0.0.0/8', '10.0.0.1', '2001:db8::/32', '::1', '0.0.0.0/0', '::/0'] }],
    [{ and: [{ severity: 'low' }], or: [{ score: 1 }], not: { sensor: ['a'] } }],
    [nested(8)],
    [wide(127)],
    [{ sensor: Array.from({ length: 128 }, (_, i) => `s${i}`) }],
  ])('is taken as it is: %j', filter => {
    expect(parseFilter(filter, 'threats')).toEqual(filter)
  })

  it.each([
    [null, 'no object'],
    ['severity', 'no object'],
    [[{ score: 1 }], 'no object'],
    [{}, 'empty'],
    [{ and: [] }, 'and'],
    [{ or: [{}] }, 'empty'],
    [{ not: [{ score: 1 }, { score: 0 }] }, 'not'],
    [{ not: null }, 'no object'],
    [{ colour: 'red' }, '"colour"'],
    [{ and: [{ not: { Severity: 'low' } }] }, '"Severity"'],
    [JSON.parse('{"__proto__":{"score":1}}'), '"__proto__"'],
    [{ severity: 'apocalyptic' }, 'severity'],
    [{ score: '1' }, 'score'],
    [{ score: 1.1 }, 'score'],
    [{ score: null }, 'score'],
    [{ sensor: 'a' }, 'sensor'],
    [{ sensor: [] }, 'sensor'],
    [{ sensor: [''] }, 'sensor.0'],
    [{ sensor: [1] }, 'sensor.0'],
    [{ sensor: ['x'.repeat(257)] }, 'sensor.0'],
    [{ sensor: Array.from({ length: 129 }, (_, i) => `s${i}`) }, 'sensor'],
    [{ and: [{ address: ['10.0.0.0/8', '10.0.0.0/33'] }] }, 'and.0.address.1'],
    [{ address: ['2001:db8::/129'] }, 'address.0'],
    [{ address: ['10.0.0.0/08'] }, 'address.0'],
    [{ address: ['10.0.0.0/'] }, 'address.0'],
    [{ address: ['10.0.0.0/8/8'] }, 'address.0'],
    [{ address: ['fe80::1%eth0'] }, 'address.0'],
    [{ address: ['soc.example'] }, 'address.0'],
    [nested(9), '8 levels'],
    [wide(128), '128 parts'],
    [nested(9_000), '8 levels'],
  ])('is refused, with what is wrong: %#', (filter, expected) => {
    expect(parseFilter(filter, 'threats')).toEqual({ problem: expect.stringContaining(expected) })
  })

  it.each([
    ['threats', { rule: ['r'] }],
    ['threats', { status: ['open'] }],
    ['alerts', { category: ['scan'] }],
    ['rows', { not: { technique: ['T1110'] } }],
    ['rows', { rule: ['r'] }],
  ] as const)('of %s has no field that these have not: %j', (scope, filter) => {
    expect(parseFilter(filter, scope)).toEqual({ problem: expect.stringContaining('and there are') })
  })
})
