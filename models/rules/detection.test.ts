import { describe, expect, it } from '@jest/globals'
import type { Event, Threat } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { makeThreat } from '../../test/support/threats.ts'
import { compileDetection, type Detection } from './detection.ts'
import { readDocuments } from './documents.ts'

const compile = (body: string): Detection => {
  const [document] = readDocuments('rule.yml', `title: T\nname: t\n${body}`)
  if (document === undefined) throw new Error('no document')
  return compileDetection(document)
}

/** Whether a detection with these selections means an event. */
const matches = (selections: string, event: Partial<Event>, threat: Partial<Threat> = {}): boolean =>
  compile(`detection:\n${selections}`).matches(makeThreat({ event: makeEvent(event), ...threat }))

const one = (line: string) => `  selection:\n    ${line}\n  condition: selection`

describe('a detection', () => {
  it.each<[string, string, Partial<Event>, boolean]>([
    ['a text, whatever its case', 'service: SSH', { service: 'ssh' }, true],
    ['a text as a whole', 'service: ss', { service: 'ssh' }, false],
    ['a text that is a number in the rule', 'type: 5001', { type: '5001' }, true],
    ['any of several', 'service: [ftp, ssh]', { service: 'ssh' }, true],
    ['none of several', 'service: [ftp, smb]', { service: 'ssh' }, false],
    ['* for any text', "url: '/admin*php'", { url: '/admin/a\nb.php' }, true],
    ['? for any one character', "user: 'r??t'", { user: 'ro😀t' }, true],
    ['? for no fewer', "user: 'roo?'", { user: 'roo' }, false],
    ['an escaped * as itself', "user: 'a\\*'", { user: 'ab' }, false],
    ['an escaped * where it is', "user: 'a\\*'", { user: 'A*' }, true],
    ['characters of regular expressions as themselves', "user: 'a.c*'", { user: 'abc' }, false],
    ['a number', 'dstPort: 22', { dstPort: 22 }, true],
    ['another number', 'dstPort: 22', { dstPort: 2222 }, false],
    ['null as absent', 'user: null', { user: null }, true],
    ['null as nothing that is there', 'user: null', { user: 'null' }, false],
    ['a flag', 'clockSkew: false', {}, true],
    ['a list by any of its members', 'techniques: t1110.001', { techniques: ['T1133', 'T1110.001'] }, true],
    ['contains', 'command|contains: wget', { command: 'cd /tmp; WGET http://x' }, true],
    ['contains with a wildcard', "command|contains: 'wget*/x'", { command: 'a wget b/x c' }, true],
    ['startswith', 'user|startswith: svc-', { user: 'svc-backup' }, true],
    ['startswith elsewhere', 'user|startswith: svc-', { user: 'a-svc-backup' }, false],
    ['endswith', 'query|endswith: .example', { query: 'c2.example' }, true],
    ['endswith elsewhere', 'query|endswith: .example', { query: 'c2.example.org' }, false],
    ['contains|all', 'command|contains|all: [wget, chmod]', { command: 'wget x; chmod +x x' }, true],
    ['contains|all that lacks one', 'command|contains|all: [wget, chmod]', { command: 'wget x' }, false],
    ['cased', 'user|cased: Root', { user: 'root' }, false],
    ['cased as it is', 'user|cased: Root', { user: 'Root' }, true],
    [
      're, which heeds case and finds anywhere',
      "userAgent|re: 'para[m]iko'",
      { userAgent: 'SSH paramiko_5' },
      true,
    ],
    ['re in the wrong case', "userAgent|re: 'PARAMIKO'", { userAgent: 'SSH paramiko_5' }, false],
    ['re|i', "userAgent|re|i: 'PARAMIKO'", { userAgent: 'SSH paramiko_5' }, true],
    ['cidr of IPv4', 'srcIp|cidr: 203.0.113.0/24', { srcIp: '203.0.113.9' }, true],
    ['cidr outside', 'srcIp|cidr: 203.0.113.0/29', { srcIp: '203.0.113.9' }, false],
    ['cidr of IPv6', 'srcIp|cidr: [10.0.0.0/8, "2001:db8::/32"]', { srcIp: '2001:db8::1' }, true],
    ['cidr of what is no address', 'dstHost|cidr: 10.0.0.0/8', { dstHost: 'h' }, false],
    ['gte at the bound', 'dstPort|gte: 22', { dstPort: 22 }, true],
    ['gt at the bound', 'dstPort|gt: 22', { dstPort: 22 }, false],
    ['lte at the bound', 'dstPort|lte: 22', { dstPort: 22 }, true],
    ['lt at the bound', 'dstPort|lt: 22', { dstPort: 22 }, false],
    ['a comparison of what is absent', 'bytesIn|gte: 0', { bytesIn: null }, false],
    ['exists', 'user|exists: true', { user: 'u' }, true],
    ['exists of what is absent', 'user|exists: true', { user: null }, false],
    ['exists: false', 'user|exists: false', { user: null }, true],
    ['exists of an empty list', 'techniques|exists: false', { techniques: [] }, true],
  ])('knows %s', (_what, line, event, expected) => {
    expect(matches(one(line), event)).toBe(expected)
  })

  it('compares severities by their order, and scores', () => {
    const high = { severity: 'high', score: 0.8 } as const
    expect(matches(one('severity|gte: medium'), {}, high)).toBe(true)
    expect(matches(one('severity|gt: high'), {}, high)).toBe(false)
    expect(matches(one('score|gt: 0.79'), {}, high)).toBe(true)
  })

  it.each<[string, string, boolean]>([
    ['a and b', 'a and b', true],
    ['not', 'a and not c', true],
    ['and before or', 'c and c or a', true],
    ['parentheses', 'c and (c or a)', false],
    ['1 of a pattern', '1 of s*', true],
    ['all of a pattern', 'all of s*', false],
    ['all of them, but those with an underscore', 'all of them', false],
    ['1 of them', '1 of them', true],
    ['not 1 of', 'a and not 1 of n*', true],
  ])('combines selections: %s', (_what, condition, expected) => {
    const selections = [
      '  a: {service: ssh}',
      '  b: {dstPort: 22}',
      '  c: {service: ftp}',
      '  s1: {user: root}',
      '  s2: {user: admin}',
      '  n1: {user: nobody}',
      '  _x: {user: other}',
      `  condition: ${condition}`,
    ].join('\n')
    expect(matches(selections, { user: 'root' })).toBe(expected)
  })

  it('takes a list of maps as alternatives, and the lines of a map all together', () => {
    const selection = '  s:\n    - service: ftp\n    - service: ssh\n      user: root\n  condition: s'
    expect(matches(selection, { service: 'ftp', user: 'x' })).toBe(true)
    expect(matches(selection, { service: 'ssh', user: 'root' })).toBe(true)
    expect(matches(selection, { service: 'ssh', user: 'x' })).toBe(false)
  })

  it('is limited to a log source', () => {
    const rule = compile(
      'logsource: {product: zeek, category: dns, service: dns}\ndetection:\n  s: {outcome: failure}\n  condition: s',
    )
    const dns = { source: 'zeek', category: 'dns', type: 'dns' }
    expect(rule.matches(makeThreat({ event: makeEvent(dns) }))).toBe(true)
    expect(rule.matches(makeThreat({ event: makeEvent({ ...dns, source: 'suricata' }) }))).toBe(false)
    expect(rule.matches(makeThreat({ event: makeEvent({ ...dns, type: 'conn' }) }))).toBe(false)
  })

  it.each<[string, string, [string, string[]][]]>([
    ['a line', 'a', [['service', ['ssh', 'ftp']]]],
    [
      'what all parts require',
      'a and b',
      [
        ['service', ['ssh', 'ftp']],
        ['category', ['network']],
      ],
    ],
    ['what each alternative requires', 'a or c', [['service', ['ssh', 'ftp', 'smb']]]],
    ['nothing where one alternative requires nothing of it', 'a or b', []],
    ['nothing of a negation', 'not a', []],
    ['nothing of a wildcard', 'd', []],
  ])('knows what must hold of a threat: %s', (_what, condition, expected) => {
    const { requires } = compile(
      `detection:\n  a: {service: [SSH, ftp]}\n  b: {category: network}\n  c: {service: smb}\n  d: {service: 's*'}\n  condition: ${condition}`,
    )
    expect([...requires].map(([field, values]) => [field, [...values]])).toEqual(expected)
  })

  it.each<[string, string, RegExp]>([
    [
      'a field that is not there',
      one('logtype: 5001'),
      /^rule.yml:5:\d+: detection.selection.logtype: there is no field "logtype"; there are action/,
    ],
    [
      'a modifier that is not known',
      one('command|base64: x'),
      /rule.yml:5:.*the modifier base64 is not known/,
    ],
    [
      'modifiers that exclude each other',
      one('user|contains|re: x'),
      /contains and re exclude each other on user/,
    ],
    ['a comparison of a text', one('user|gt: 3'), /user is not a number/],
    ['a comparison with a text', one('dstPort|gt: many'), /dstPort is compared with a number, not "many"/],
    ['a severity that is none', one('severity|gt: huge'), /one of low, medium, high, critical/],
    ['a network that is none', one('srcIp|cidr: 10.0.0.0'), /"10.0.0.0" is not a network like/],
    ['a network of too many bits', one('srcIp|cidr: 10.0.0.0/33'), /"10.0.0.0\/33" is not a network like/],
    ['a regular expression that is none', one("user|re: '('"), /Invalid regular expression/],
    ['an empty list', one('user: []'), /empty list/],
    [
      'words without a field',
      '  s: [evil]\n  condition: s',
      /rule.yml:4:7: detection.s.0: words without a field/,
    ],
    ['a selection that is none', '  s: 3\n  condition: s', /a selection is a map/],
    ['no condition', '  s: {user: x}', /detection.condition/],
    [
      'a condition of unknown names',
      '  s: {user: x}\n  condition: s and t',
      /rule.yml:5:14: detection.condition: no selection is called 't'/,
    ],
    ['a condition that ends early', '  s: {user: x}\n  condition: s and', /it ends too early/],
    ['a condition with something behind it', '  s: {user: x}\n  condition: s s', /'s' does not belong here/],
    ['an aggregation', '  s: {user: x}\n  condition: s | count() > 5', /write a correlation/],
    ['a timeframe', '  s: {user: x}\n  timeframe: 5m\n  condition: s', /timespan|a selection is a map/],
    ['another quantifier', '  s: {user: x}\n  condition: 2 of s*', /only '1 of' and 'all of'/],
  ])('refuses %s, and says where', (_what, detection, message) => {
    const attempt = () => compile(`detection:\n${detection}`)
    expect(attempt).toThrow(message)
    expect(attempt).toThrow(expect.objectContaining({ code: 'NS_RULE_INVALID', outcome: 'fatal' }))
  })

  it.each<[string, string, RegExp]>([
    ['an attribute that is not there', 'titel: x', /rule.yml:3:8: titel: no such attribute/],
    ['a level that is none', 'level: huge', /rule.yml:3:8: level: /],
    [
      'a product that is none',
      'logsource: {product: windows}',
      /there is no product windows; there are netsentinel/,
    ],
  ])('refuses %s', (_what, line, message) => {
    expect(() => compile(`${line}\ndetection:\n${one('user: x')}`)).toThrow(message)
  })

  it('refuses what is not YAML, with the place', () => {
    expect(() => readDocuments('rule.yml', 'title: a\ntitle: b\n')).toThrow(/^rule.yml:2:1: /)
    expect(() => readDocuments('rule.yml', 'a: [1\nb: 2')).toThrow(/^rule.yml:\d+:\d+: /)
  })
})
