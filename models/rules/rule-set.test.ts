import { describe, expect, it } from '@jest/globals'
import type { Event } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { correlationRule, fileOf, rulesOf, serviceRule } from '../../test/support/rules.ts'
import { makeThreat } from '../../test/support/threats.ts'

const counting = (id: string, rule: string, ...more: readonly string[]) =>
  correlationRule(id, [
    'type: event_count',
    `rules: [${rule}]`,
    'timespan: 5m',
    'condition: {gte: 3}',
    ...more,
  ])

const idsOf = (...texts: readonly string[]) =>
  rulesOf(...texts)
    .correlations.filter(({ alerts }) => alerts)
    .map(({ id }) => id)

describe('a rule set', () => {
  it('makes alerts of correlations that no other stands on, and of those that say generate', () => {
    const chain = (generate: string) =>
      fileOf(
        serviceRule('ssh'),
        counting('many', 'ssh', ...(generate ? [generate] : [])),
        counting('more', 'many'),
      )
    expect(idsOf(chain(''))).toEqual(['more'])
    expect(idsOf(chain('generate: true'))).toEqual(['many', 'more'])
  })

  it('makes alerts of a detection that stands alone in its file, and of no other', () => {
    expect(idsOf(serviceRule('ssh'))).toEqual(['ssh'])
    expect(idsOf(fileOf(serviceRule('ssh'), serviceRule('ftp'), counting('many', 'ftp')))).toEqual(['many'])
  })

  it('passes over documents that are empty', () => {
    expect(idsOf(`---\n${serviceRule('ssh')}---\n# nothing\n---\n`)).toEqual(['ssh'])
  })

  it('puts a correlation behind those that it stands on', () => {
    const { correlations } = rulesOf(
      fileOf(counting('c', 'b'), counting('b', 'a'), counting('a', 'ssh'), serviceRule('ssh')),
    )
    expect(correlations.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  })

  it('lets a later layer replace rules by id, or take them out of use', () => {
    const shipped = fileOf(serviceRule('ssh'), counting('many', 'ssh'))
    const [replaced] = rulesOf(shipped, counting('many', 'ssh', 'group-by: [entity, dstIp]')).correlations
    expect(replaced?.groupBy).toEqual(['entity', 'dstIp'])
    const off = correlationRule(
      'many',
      ['type: event_count', 'rules: [ssh]', 'timespan: 5m', 'condition: {gte: 3}'],
      'status: deprecated\n',
    )
    expect(idsOf(shipped, off)).toEqual([])
  })

  it('tries only detections that the fields of a threat do not rule out', () => {
    let tried = 0
    const services = Array.from({ length: 500 }, (_, i) => serviceRule(`svc${i}`))
    const { matching } = rulesOf(fileOf(...services.map(text => text.replace('name', 'id'))))
    const event = makeEvent({ service: 'svc77' })
    const counted = new Proxy(event, {
      get: (target, key) => {
        if (key === 'service') tried++
        return target[key as keyof Event]
      },
    })
    expect(matching(makeThreat({ event: counted }))).toEqual(['svc77'])
    // Once for the index and once by the detection that is filed under the value.
    expect(tried).toBe(2)
  })

  it.each<[string, readonly string[], RegExp]>([
    [
      'a rule that is not there',
      [counting('a', 'nobody')],
      /layer0.yml:5:11: correlation.rules.0: there is no rule nobody/,
    ],
    ['a circle', [fileOf(counting('a', 'b'), counting('b', 'a'))], /it stands on itself/],
    ['a rule that stands on itself', [counting('a', 'a')], /it stands on itself/],
    [
      'the same id twice',
      [fileOf(serviceRule('ssh'), counting('a', 'ssh'), counting('a', 'ssh'))],
      /the id a is taken by a rule of layer0.yml/,
    ],
    [
      'a name of an earlier layer under another id',
      [serviceRule('ssh'), serviceRule('ssh').replace('title', 'id: other\ntitle')],
      /ssh is a rule of layer0.yml already; only the same id replaces it/,
    ],
    ['a document that is no rule', ['title: x\nid: x\n'], /a rule has a detection or a correlation/],
    [
      'a rule without id and name',
      ['title: x\ndetection:\n  s: {user: x}\n  condition: s\n'],
      /needs an id or a name/,
    ],
  ])('refuses %s', (_what, layers, message) => {
    expect(() => rulesOf(...layers)).toThrow(message)
  })

  const refused =
    (...lines: readonly string[]) =>
    () =>
      rulesOf(fileOf(serviceRule('ssh'), serviceRule('ftp'), correlationRule('c', lines)))
  const base = ['type: event_count', 'rules: [ssh, ftp]', 'timespan: 5m']

  it.each<[string, readonly string[], RegExp]>([
    [
      'a group without the entity',
      [...base, 'condition: {gte: 2}', 'group-by: [dstIp]'],
      /layer0.yml:20:13: correlation.group-by: it must name entity: threats are shared out by entity/,
    ],
    [
      'a group by a field that is not there',
      [...base, 'condition: {gte: 2}', 'group-by: [entity, ComputerName]'],
      /correlation.group-by.1: there is no field 'ComputerName'/,
    ],
    [
      'a group by a list',
      [...base, 'condition: {gte: 2}', 'group-by: [entity, techniques]'],
      /techniques holds several values/,
    ],
    ['a group by a field twice', [...base, 'condition: {gte: 2}', 'group-by: [entity, entity]'], /twice/],
    ['no condition', base, /at least one of gt, gte, lt, lte, eq/],
    ['a count that is too large to keep', [...base, 'condition: {gte: 501}'], /beyond 500/],
    [
      'a timespan that is none',
      ['type: event_count', 'rules: ssh', 'timespan: 5 minutes', 'condition: {gte: 2}'],
      /'5 minutes' is not a timespan like 15s/,
    ],
    ['a type that is not there', ['type: value_sum', 'rules: ssh', 'timespan: 5m'], /correlation.type/],
    [
      'a count of values without a field',
      ['type: value_count', 'rules: ssh', 'timespan: 5m', 'condition: {gte: 2}'],
      /value_count needs a field/,
    ],
    ['a count of events with one', [...base, 'condition: {gte: 2, field: user}'], /counts no values/],
    [
      'a count of values of no field',
      ['type: value_count', 'rules: ssh', 'timespan: 5m', 'condition: {gte: 2, field: User}'],
      /correlation.condition.field: there is no field 'User'/,
    ],
    [
      'a temporal condition that never holds',
      ['type: temporal', 'rules: [ssh, ftp]', 'timespan: 5m', 'condition: {gte: 3}'],
      /it never holds/,
    ],
    [
      'a condition on an order',
      ['type: temporal_ordered', 'rules: [ssh, ftp]', 'timespan: 5m', 'condition: {gte: 1}'],
      /always means all of its rules/,
    ],
    [
      'regularity of three events',
      ['type: event_regularity', 'rules: ssh', 'timespan: 5m', 'condition: {gte: 3, variation: 0.1}'],
      /gte of at least 4/,
    ],
    [
      'regularity without a variation',
      ['type: event_regularity', 'rules: ssh', 'timespan: 5m', 'condition: {gte: 8}'],
      /needs variation/,
    ],
    ['a variation elsewhere', [...base, 'condition: {gte: 8, variation: 0.1}'], /belong to event_regularity/],
    [
      'an alias with the name of a field',
      [
        ...base,
        'condition: {gte: 2}',
        'group-by: [entity, dstIp]',
        'aliases: {dstIp: {ssh: srcIp, ftp: dstIp}}',
      ],
      /it is the name of a field/,
    ],
    [
      'an alias that leaves a rule out',
      [...base, 'condition: {gte: 2}', 'group-by: [entity, ip]', 'aliases: {ip: {ssh: srcIp}}'],
      /names no field of the rule ftp/,
    ],
    [
      'an alias of another rule',
      [
        ...base,
        'condition: {gte: 2}',
        'group-by: [entity, ip]',
        'aliases: {ip: {ssh: srcIp, ftp: dstIp, smb: dstIp}}',
      ],
      /not among the rules/,
    ],
    [
      'an attribute that is not there',
      [...base, 'condition: {gte: 2}', 'groupby: [entity]'],
      /no such attribute/,
    ],
  ])('refuses a correlation with %s', (_what, lines, message) => {
    expect(refused(...lines)).toThrow(message)
  })
})
