import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Event, Threat } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { createGroups } from '../../test/support/groups.ts'
import { correlationRule, fileOf, rulesOf, serviceRule } from '../../test/support/rules.ts'
import { makeThreat } from '../../test/support/threats.ts'
import { correlate, groupKey } from './correlate.ts'
import { regularity } from './measure.ts'

const MINUTE = 60_000
const T0 = 1_700_000_000_000

let next = 0
const threat = (minutes: number, fields: Partial<Event> = {}, rest: Partial<Threat> = {}): Threat => {
  const id = `t${next++}`
  return makeThreat({ id, event: makeEvent({ id, time: T0 + minutes * MINUTE, ...fields }), ...rest })
}

const rule = (type: string, condition: string, ...more: readonly string[]) =>
  rulesOf(
    fileOf(
      serviceRule('ssh'),
      serviceRule('ftp'),
      serviceRule('smb'),
      correlationRule('c', [
        `type: ${type}`,
        'timespan: 5m',
        ...(condition ? [`condition: ${condition}`] : []),
        ...more,
      ]),
    ),
  )
const ALL = 'rules: [ssh, ftp, smb]'

/** Which of the threats make the rule fire. */
const firing = (rules: ReturnType<typeof rulesOf>, threats: readonly Threat[]): number[] => {
  const groups = createGroups()
  return threats.flatMap((each, index) => (correlate(rules, each, groups).length > 0 ? [index] : []))
}

describe('event_count', () => {
  const three = rule('event_count', '{gte: 3}', 'rules: [ssh]')

  it('fires with the event that completes it, and begins anew', () => {
    expect(
      firing(
        three,
        [0, 1, 2, 3, 4, 5].map(at => threat(at)),
      ),
    ).toEqual([2, 5])
  })

  it('counts within one timespan, whose both ends belong to it', () => {
    expect(firing(three, [threat(0), threat(1), threat(5)])).toEqual([2])
    expect(firing(three, [threat(0), threat(1), threat(5.001)])).toEqual([])
  })

  it('counts a late event that still falls into the window, and none that is older', () => {
    expect(firing(three, [threat(0), threat(4), threat(1)])).toEqual([2])
    expect(firing(three, [threat(10), threat(10), threat(4.9), threat(6)])).toEqual([3])
  })

  it('counts a threat once that comes twice', () => {
    const again = threat(1)
    expect(firing(three, [threat(0), again, again, again])).toEqual([])
  })

  it('keeps groups apart, and lets a wrong clock harm its own group only', () => {
    const ahead = threat(60 * 24 * 365)
    const other = { entity: 'ip:192.0.2.7' }
    const threats = [
      ahead,
      threat(0),
      threat(0, other),
      threat(1),
      threat(1, other),
      threat(2),
      threat(2, other),
    ]
    expect(firing(three, threats)).toEqual([6])
  })

  it('leaves out threats that lack a field to group by', () => {
    const byUser = rule('event_count', '{gte: 3}', 'rules: [ssh]', 'group-by: [entity, user]')
    const of = (at: number, user: string | null) => threat(at, { user })
    expect(
      firing(byUser, [of(0, null), of(1, null), of(2, null), of(2, 'a'), of(3, 'a'), of(3, 'b')]),
    ).toEqual([])
    expect(firing(byUser, [of(0, 'a'), of(1, null), of(2, 'a'), of(3, 'a')])).toEqual([3])
  })

  it('heeds both bounds of a range', () => {
    const between = rule('event_count', '{gt: 1, lt: 3}', 'rules: [ssh]')
    expect(firing(between, [threat(0), threat(1)])).toEqual([1])
  })

  it('gives what its threats come to', () => {
    const groups = createGroups()
    const [firing] = [
      threat(2, { sensor: 'a', techniques: ['T1110'] }, { score: 0.5, severity: 'low' }),
      threat(0, { sensor: 'b', techniques: ['T1110', 'T1078'] }, { score: 0.9, severity: 'high' }),
      threat(1, { sensor: null, techniques: [] }, { score: 0.7, severity: 'medium' }),
    ].flatMap(each => correlate(three, each, groups))
    expect(firing).toMatchObject({
      group: groupKey('c', ['ip:203.0.113.9']),
      values: { entity: 'ip:203.0.113.9' },
      counted: [],
      evidence: {
        count: 3,
        firstSeen: T0,
        lastSeen: T0 + 2 * MINUTE,
        score: 0.9,
        severity: 'high',
        techniques: ['T1110', 'T1078'],
        sensors: ['b', 'a'],
      },
    })
    expect(firing?.evidence.threatIds).toHaveLength(3)
  })
})

describe('value_count', () => {
  const users = rule('value_count', '{gte: 3, field: user}', 'rules: [ssh]')
  const of = (at: number, user: string | null) => threat(at, { user })

  it('counts distinct values, each by its latest event', () => {
    expect(firing(users, [of(0, 'a'), of(1, 'a'), of(2, 'b'), of(3, 'b'), of(4, 'c')])).toEqual([4])
    expect(firing(users, [of(0, 'a'), of(1, 'b'), of(6, 'c'), of(6, 'a')])).toEqual([3])
    expect(firing(users, [of(0, 'a'), of(1, 'b'), of(6, 'c')])).toEqual([])
  })

  it('does not count events without the field', () => {
    expect(firing(users, [of(0, 'a'), of(1, null), of(2, 'b'), of(2, null)])).toEqual([])
  })

  it('gives the values, and every threat of them', () => {
    const groups = createGroups()
    const [found] = [of(0, 'a'), of(1, 'a'), of(2, 'b'), of(3, 'c')].flatMap(each =>
      correlate(users, each, groups),
    )
    expect(found?.counted).toEqual(['a', 'b', 'c'])
    expect(found?.evidence.count).toBe(4)
  })

  it('keeps no long value whole, and no half of a character', () => {
    const groups = createGroups()
    correlate(users, of(0, `${'x'.repeat(255)}😀`), groups)
    const [window] = [...groups.windows.values()]
    expect(window?.marks[0]?.key).toBe(`${'x'.repeat(255)}\ufffd`)
  })
})

describe('temporal', () => {
  const [ssh, ftp, smb] = ['ssh', 'ftp', 'smb'].map(service => (at: number) => threat(at, { service })) as [
    (at: number) => Threat,
    (at: number) => Threat,
    (at: number) => Threat,
  ]

  it('wants all of its rules within the timespan, in any order', () => {
    const all = rule('temporal', '', ALL)
    expect(firing(all, [smb(0), ssh(1), ssh(2), ftp(3)])).toEqual([3])
    expect(firing(all, [smb(0), ssh(1), ftp(6)])).toEqual([])
  })

  it('wants as many of them as its condition says', () => {
    expect(firing(rule('temporal', '{gte: 2}', ALL), [ssh(0), ssh(1), ftp(2)])).toEqual([2])
  })

  it('wants them in order when it is ordered: that of the event times', () => {
    const ordered = rule('temporal_ordered', '', ALL)
    expect(firing(ordered, [ssh(0), ftp(1), smb(2)])).toEqual([2])
    expect(firing(ordered, [ssh(0), smb(1), ftp(2)])).toEqual([])
    expect(firing(ordered, [ssh(0), smb(2), ftp(1)])).toEqual([2])
    expect(firing(ordered, [ftp(0), ssh(1), smb(2), ftp(3), smb(4)])).toEqual([4])
  })

  it('is not made blind by a flood of one of its rules', () => {
    const flood = Array.from({ length: 1000 }, (_, i) => ftp(1 + i / 1000))
    const groups = createGroups()
    const ordered = rule('temporal_ordered', '', ALL)
    const fired = [ssh(0), ...flood, smb(3)].flatMap(each => correlate(ordered, each, groups))
    expect(fired).toHaveLength(1)
  })

  it('stands on other correlations, which make no alerts then', () => {
    const chain = rulesOf(
      fileOf(
        serviceRule('ssh'),
        serviceRule('ftp'),
        correlationRule('many', ['type: event_count', 'rules: [ssh]', 'timespan: 5m', 'condition: {gte: 3}']),
        correlationRule('then', ['type: temporal_ordered', 'rules: [many, ftp]', 'timespan: 5m']),
      ),
    )
    expect(firing(chain, [ssh(0), ssh(1), ftp(2)])).toEqual([])
    expect(firing(chain, [ssh(0), ssh(1), ssh(2), ftp(3)])).toEqual([3])
    expect(firing(chain, [ftp(0), ssh(0), ssh(1), ssh(2)])).toEqual([])
    const groups = createGroups()
    const ids = [ssh(0), ssh(1), ssh(2), ftp(3)]
      .flatMap(each => correlate(chain, each, groups))
      .map(each => each.rule.id)
    expect(ids).toEqual(['then'])
  })

  it('groups by different fields of its rules through an alias', () => {
    const aliased = rule(
      'temporal',
      '',
      'rules: [ssh, ftp]',
      'group-by: [entity, machine]',
      'aliases: {machine: {ssh: dstIp, ftp: dstHost}}',
    )
    const first = threat(0, { service: 'ssh', dstIp: '192.0.2.1', dstHost: 'x' })
    expect(firing(aliased, [first, threat(1, { service: 'ftp', dstHost: '192.0.2.1', dstIp: 'x' })])).toEqual(
      [1],
    )
    expect(
      firing(aliased, [first, threat(1, { service: 'ftp', dstHost: '192.0.2.2', dstIp: '192.0.2.1' })]),
    ).toEqual([])
  })
})

describe('event_regularity', () => {
  const beacon = rule(
    'event_regularity',
    '{gte: 4, variation: 0.2, interval: 10s}',
    'rules: [ssh]',
  ).correlations
  const rules = rule('event_regularity', '{gte: 4, variation: 0.2, interval: 10s}', 'rules: [ssh]')
  const at = (...minutes: readonly number[]) => minutes.map(minute => threat(minute))

  it('wants gaps that are alike', () => {
    expect(beacon[0]?.regular).toEqual({ variation: 0.2, intervalMs: 10_000 })
    expect(firing(rules, at(0, 1, 2, 3))).toEqual([3])
    expect(firing(rules, at(0, 0.9, 2.1, 3))).toEqual([3])
    expect(firing(rules, at(0, 0.2, 2.5, 3))).toEqual([])
  })

  it('looks at the latest of them, whatever was before', () => {
    expect(firing(rules, at(0, 0.1, 0.7, 1, 2, 3, 4))).toEqual([6])
  })

  it('takes no burst for a rhythm', () => {
    expect(firing(rules, at(0, 0.1, 0.2, 0.3, 0.4))).toEqual([])
    expect(firing(rules, at(0, 0, 0, 0, 0))).toEqual([])
  })

  it('knows chance from rhythm', () => {
    expect(regularity([0, 1])).toBeUndefined()
    expect(regularity([0, 10, 20, 30])).toEqual({ mean: 10, variation: 0 })
    expect(regularity([0, 5, 20])?.variation).toBeCloseTo(0.5)
    expect(regularity([3, 3, 3])).toEqual({ mean: 0, variation: 0 })
  })
})

describe('an alert under way', () => {
  it('takes every threat of its group by itself, whenever it happened', () => {
    const three = rule('event_count', '{gte: 3}', 'rules: [ssh]')
    const groups = createGroups(new Set([groupKey('c', ['ip:203.0.113.9'])]))
    const fired = [500, 0, 1000].map(at => correlate(three, threat(at), groups))
    expect(fired.map(each => each.map(({ evidence }) => evidence.count))).toEqual([[1], [1], [1]])
    expect(groups.windows.size).toBe(0)
  })
})

describe('windows', () => {
  it('stay as small as their rule needs, whatever comes', () => {
    const kinds: readonly [string, string, number][] = [
      ['event_count', '{gte: 4}', 4],
      ['event_count', '{lt: 3}', 3],
      ['value_count', '{gte: 4, field: user}', 4],
      ['event_regularity', '{gte: 6, variation: 0.001}', 6],
      ['temporal_ordered', '', 3 * 16],
    ]
    const anyThreat = fc.record({
      minutes: fc.double({ min: 0, max: 60, noNaN: true }),
      user: fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')),
      service: fc.constantFrom('ssh', 'ftp', 'smb'),
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.array(anyThreat, { maxLength: 200 }),
        ([type, condition, most], all) => {
          const groups = createGroups()
          const rules = rule(type, condition, ALL)
          for (const { minutes, ...fields } of all) {
            correlate(rules, threat(Math.round(minutes), fields), groups)
            for (const { time, marks } of groups.windows.values()) {
              const times = marks.map(({ evidence }) => evidence.lastSeen)
              expect(marks.length).toBeLessThanOrEqual(most)
              expect(times).toEqual(times.toSorted((a, b) => a - b))
              expect(times.every(each => each <= time && each >= time - 5 * MINUTE)).toBe(true)
            }
          }
        },
      ),
    )
  })
})
