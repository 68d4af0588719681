import { BlockList, isIP } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type FilterExpression, SEVERITIES } from '../../schemas/filter.ts'
import type { Alert, Threat } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { makeAlert, makeThreat } from '../../test/support/threats.ts'
import { both, compileFilter, EVERYTHING, type Filtered, visibleTo } from './filter.ts'

const SENSORS = ['s1', 's2', 's3']
const ENTITIES = ['ip:10.0.0.1', 'ip:10.1.0.1', 'ip:2001:db8::1', 'user:10.0.0.1', 'ip:nonsense', 'host:h']
const NETWORKS = ['10.0.0.0/8', '10.0.0.1', '2001:db8::/32', '0.0.0.0/0', '::/0']
const TECHNIQUES = ['T1110', 'T1110.001', 'T11', 'T1046']
const CATEGORIES = ['scan', 'web']
const STATUSES = ['open', 'acknowledged', 'resolved', 'closed'] as const

const some = <T>(values: readonly T[]) => fc.subarray([...values], { minLength: 1 })
const few = <T>(values: readonly T[]) => fc.subarray([...values])

const threats: fc.Arbitrary<Threat> = fc
  .record({
    severity: fc.constantFrom(...SEVERITIES),
    score: fc.constantFrom(0, 0.5, 0.9, 1),
    entity: fc.constantFrom(...ENTITIES),
    techniques: few(TECHNIQUES),
    sensor: fc.constantFrom(...SENSORS, null),
    category: fc.constantFrom(...CATEGORIES),
  })
  .map(({ sensor, category, ...fields }) => makeThreat({ ...fields, event: makeEvent({ sensor, category }) }))

const alerts: fc.Arbitrary<Alert> = fc
  .record({
    severity: fc.constantFrom(...SEVERITIES),
    score: fc.constantFrom(0, 0.5, 0.9, 1),
    entity: fc.constantFrom(...ENTITIES),
    techniques: few(TECHNIQUES),
    sensors: few(SENSORS),
    rule: fc.constantFrom('r1', 'r2'),
    status: fc.constantFrom(...STATUSES),
  })
  .map(makeAlert)

const conditions: fc.Arbitrary<FilterExpression> = fc
  .record(
    {
      severity: fc.constantFrom(...SEVERITIES),
      score: fc.constantFrom(0, 0.5, 0.9, 1),
      entity: some(ENTITIES),
      address: some(NETWORKS),
      sensor: some(SENSORS),
      technique: some(TECHNIQUES),
      category: some(CATEGORIES),
      rule: some(['r1', 'r2']),
      status: some(STATUSES),
    },
    { requiredKeys: [] },
  )
  .map(all => Object.fromEntries(Object.entries(all).slice(0, 2)))
  .filter(all => Object.keys(all).length > 0)

/** Expressions of so many levels. */
const nested = (levels: number): fc.Arbitrary<FilterExpression> => {
  if (levels === 0) return conditions
  const part = nested(levels - 1)
  const parts = fc.array(part, { minLength: 1, maxLength: 3 })
  return fc.oneof(
    conditions,
    fc.record({ and: parts }),
    fc.record({ or: parts }),
    fc.record({ not: part }),
    fc.tuple(conditions, parts).map(([own, or]) => ({ ...own, or })),
  )
}
const expression = nested(3)

const isIn = (network: string, address: string): boolean => {
  const family = isIP(address)
  const [base = '', bits] = network.split('/')
  if (family === 0 || isIP(base) !== family) return false
  const list = new BlockList()
  const type = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(base, Number(bits ?? (family === 4 ? 32 : 128)), type)
  return list.check(address, type)
}

const sensorsOf = (of: Filtered): string[] =>
  'event' in of ? (of.event.sensor === null ? [] : [of.event.sensor]) : [...of.sensors]

/** The words of a filter taken one by one, for each message anew. */
const interpret = (filter: FilterExpression, of: Filtered, rows = false, negated = false): boolean => {
  const { severity, score, entity, address, sensor, technique, category, rule, status, and, or, not } = filter
  const sensors = sensorsOf(of)
  const wanted = (each: string) => sensor?.includes(each) ?? true
  const checks = [
    severity === undefined || SEVERITIES.indexOf(of.severity) >= SEVERITIES.indexOf(severity),
    score === undefined || of.score >= score,
    entity === undefined || entity.includes(of.entity),
    address === undefined ||
      address.some(network => of.entity.startsWith('ip:') && isIn(network, of.entity.slice(3))),
    sensor === undefined ||
      (rows && !negated ? sensors.length > 0 && sensors.every(wanted) : sensors.some(wanted)),
    technique === undefined ||
      technique.some(each => of.techniques.some(its => its === each || its.startsWith(`${each}.`))),
    category === undefined || ('event' in of && category.includes(of.event.category)),
    rule === undefined || ('rule' in of && rule.includes(of.rule)),
    status === undefined || ('status' in of && status.includes(of.status)),
    and === undefined || and.every(each => interpret(each, of, rows, negated)),
    or === undefined || or.some(each => interpret(each, of, rows, negated)),
    not === undefined || !interpret(not, of, rows, !negated),
  ]
  return checks.every(Boolean)
}

/** The same filter in another order. */
const shuffled = (filter: FilterExpression): FilterExpression =>
  Object.fromEntries(
    Object.entries(filter)
      .reverse()
      .map(([name, value]) => {
        if (name === 'not') return [name, shuffled(value as FilterExpression)]
        if (!Array.isArray(value)) return [name, value]
        const items = name === 'and' || name === 'or' ? value.map(shuffled) : value
        return [name, [...items, items[0]].reverse()]
      }),
  )

describe('a compiled filter', () => {
  it('agrees with its words', () => {
    fc.assert(
      fc.property(expression, fc.oneof(threats, alerts), (filter, of) => {
        expect(compileFilter(filter).matches(of)).toBe(interpret(filter, of))
        expect(visibleTo({ rows: filter }).matches(of)).toBe(interpret(filter, of, true))
      }),
      { numRuns: 2_000 },
    )
  })

  it('has one key for all orders, and filters of one key agree', () => {
    fc.assert(
      fc.property(expression, expression, fc.oneof(threats, alerts), (filter, other, of) => {
        const compiled = compileFilter(filter)
        expect(compileFilter(shuffled(filter)).key).toBe(compiled.key)
        const another = compileFilter(other)
        if (another.key === compiled.key) expect(another.matches(of)).toBe(compiled.matches(of))
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    [{ sensor: ['a'] }, { sensor: ['b'] }],
    [{ sensor: ['a', 'b'] }, { sensor: ['a","b'] }],
    [{ sensor: ['a'] }, { category: ['a'] }],
    [{ sensor: ['a'] }, { not: { sensor: ['a'] } }],
    [{ and: [{ score: 0.5 }, { sensor: ['a'] }] }, { or: [{ score: 0.5 }, { sensor: ['a'] }] }],
    [{ sensor: ['a'] }, { sensor: ['a'], entity: ['a'] }],
  ])('has another key than one that means something else: %j, %j', (one, other) => {
    expect(compileFilter(one).key).not.toBe(compileFilter(other).key)
  })

  it('allocates nothing when it is asked', () => {
    const { matches } = both(
      visibleTo({ rows: { sensor: SENSORS, address: ['10.0.0.0/8', '2001:db8::/32'] } }),
      compileFilter({
        and: [{ severity: 'low' }, { score: 0.1 }, { not: { technique: ['T9', 'T8'] } }],
        or: [{ category: ['x'] }, { entity: ['ip:1.1.1.1'] }, { address: ['10.0.0.0/9'] }],
      }),
    )
    const threat = makeThreat({
      entity: 'ip:10.1.2.3',
      techniques: ['T1110.001', 'T1046'],
      event: makeEvent({ sensor: 's1' }),
    })
    const ask = (times: number) => {
      let count = 0
      for (let i = 0; i < times; i += 1) if (matches(threat)) count += 1
      return count
    }
    expect(ask(100_000)).toBe(100_000)
    const before = process.memoryUsage().heapUsed
    ask(200_000)
    // One object for each of them would take 3 MB or more.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000)
  })
})

describe('what somebody may see', () => {
  it('is everything without rows, and nothing where no alternative is left', () => {
    expect(visibleTo({ rows: null })).toBe(EVERYTHING)
    expect(visibleTo({ rows: { or: [] } }).matches(makeThreat())).toBe(false)
  })

  it('is not an alert that others are part of, or may be', () => {
    const only = visibleTo({ rows: { sensor: ['s1'] } })
    const without = visibleTo({ rows: { not: { sensor: ['s2'] } } })
    const sees = (sensors: string[]) => [only, without].map(each => each.matches(makeAlert({ sensors })))
    expect(sees(['s1'])).toEqual([true, true])
    expect(sees(['s1', 's2'])).toEqual([false, false])
    expect(sees([])).toEqual([false, true])
    const many = Array.from({ length: 32 }, (_, i) => `s${i}`)
    expect(visibleTo({ rows: { sensor: many } }).matches(makeAlert({ sensors: many }))).toBe(false)
  })

  it('is asked beside what they ask for', () => {
    const filter = both(visibleTo({ rows: { severity: 'high' } }), compileFilter({ sensor: ['s1'] }))
    const matches = (severity: 'low' | 'high', sensor: string) =>
      filter.matches(makeThreat({ severity, event: makeEvent({ sensor }) }))
    expect([matches('high', 's1'), matches('low', 's1'), matches('high', 's2')]).toEqual([true, false, false])
    expect(both(EVERYTHING, EVERYTHING)).toBe(EVERYTHING)
  })
})
