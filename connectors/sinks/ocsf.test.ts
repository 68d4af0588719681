import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import type { Event, Severity, Threat } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { encodeOcsf, toOcsf } from './ocsf.ts'

const schema = JSON.parse(
  readFileSync(new URL('fixtures/ocsf-1.6.0-detection_finding.schema.json', import.meta.url), 'utf8'),
) as object
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema)

/** What OCSF's schema finds wrong with a finding. */
const problems = (finding: unknown): string[] => {
  validate(finding)
  return (validate.errors ?? []).map(
    error => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
  )
}

/** As little as an event can hold: nothing but what is never null. */
const bare: Event = makeEvent({
  id: 'raw-events-3-17',
  time: 1_763_932_434_709,
  source: 'opencanary',
  sensor: null,
  type: '1001',
  title: 'OpenCanary started',
  category: 'system',
  action: 'start',
  outcome: 'unknown',
  entity: 'sensor:opencanary-1',
  srcIp: null,
  srcPort: null,
  dstIp: null,
  dstPort: null,
  transport: null,
  service: null,
  user: null,
  techniques: [],
  origin: { topic: 'raw-events', partition: 3, offset: 17, timestamp: 1_763_932_440_000 },
  original: '{"logtype":1001}',
})

const full: Event = {
  ...bare,
  sensor: 'opencanary-1',
  type: '3001',
  title: 'HTTP login',
  category: 'web',
  entity: 'ip:203.0.113.9',
  srcIp: '203.0.113.9',
  srcPort: 52_395,
  dstIp: '192.0.2.10',
  dstPort: 80,
  dstHost: 'nas.example',
  transport: 'tcp',
  service: 'http',
  session: 'ce2d6638aec7',
  user: 'admin',
  secretHash: '9f86d081',
  command: 'cat /etc/passwd',
  url: '/index.html',
  method: 'POST',
  status: '401',
  userAgent: 'curl/8.1',
  query: 'nas.example',
  fileName: 'payload.sh',
  fileHash: 'd41d8cd98f00b204e9800998ecf8427e',
  fingerprint: 'e7d705a3286e19ea42f587b344ee6865',
  signatureId: '2001219',
  signature: 'ET SCAN Potential SSH Scan',
  sourceSeverity: 3,
  durationMs: 12.75,
  bytesIn: 10,
  bytesOut: 20,
  packets: 3,
  techniques: ['T1110.001'],
}

const threatOf = (event: Event, rest: Partial<Threat> = {}): Threat => ({
  id: event.id,
  time: event.time,
  entity: event.entity,
  score: 0.934,
  severity: 'high',
  modelVersion: 'baseline-1',
  modelScores: { isolationForest: 0.934 },
  contributions: [
    { feature: 'failures', value: 12.5, share: 0.6, expectedLow: 0, expectedHigh: 2.5, eventsAgo: 0 },
  ],
  techniques: event.techniques,
  eventOffset: 42,
  event,
  ...rest,
})

const NULLABLE = (Object.keys(bare) as (keyof Event)[]).filter(key => bare[key] === null)

describe('toOcsf', () => {
  it('holds what it says of a threat with everything in it', () => {
    const finding = toOcsf(threatOf(full))
    expect(problems(finding)).toEqual([])
    expect(finding).toMatchObject({
      class_uid: 2004,
      type_uid: 200_401,
      time: 1_763_932_440_000,
      severity_id: 4,
      risk_score: 93,
      risk_level_id: 3,
      is_alert: true,
      raw_data: '{"logtype":1001}',
      metadata: { version: '1.6.0', uid: 'raw-events-3-17', event_code: '3001', log_provider: 'opencanary' },
      finding_info: {
        uid: 'raw-events-3-17',
        created_time: 1_763_932_440_000,
        first_seen_time: 1_763_932_434_709,
        last_seen_time: 1_763_932_434_709,
        analytic: { type_id: 4, version: 'baseline-1' },
      },
      evidences: [
        {
          src_endpoint: { ip: '203.0.113.9', port: 52_395 },
          dst_endpoint: { ip: '192.0.2.10', port: 80, hostname: 'nas.example', svc_name: 'http' },
          connection_info: { protocol_name: 'tcp', session: { uid: 'ce2d6638aec7' } },
          user: { name: 'admin' },
          url: { path: '/index.html' },
          http_request: { http_method: 'POST', user_agent: 'curl/8.1' },
          query: { hostname: 'nas.example' },
          file: { name: 'payload.sh', hashes: [{ algorithm_id: 1 }] },
        },
      ],
      anomaly_analyses: [
        {
          analysis_targets: [{ name: 'ip:203.0.113.9' }],
          anomalies: [{ observation_parameter: 'failures', observations: [{ value: '12.5' }] }],
          baselines: [
            { observation_parameter: 'failures', observations: [{ value: '0' }, { value: '2.5' }] },
          ],
        },
      ],
      unmapped: {
        entity: 'ip:203.0.113.9',
        score: 0.934,
        origin: { topic: 'raw-events', partition: 3, offset: 17, event_offset: 42 },
        event: { secretHash: '9f86d081', durationMs: 12.75, signature: 'ET SCAN Potential SSH Scan' },
      },
    })
  })

  it.each([
    [2, '203.0.113.9'],
    [2, '192.0.2.10'],
    [11, '80'],
    [1, 'nas.example'],
    [4, 'admin'],
    [6, '/index.html'],
    [7, 'payload.sh'],
    [8, 'd41d8cd98f00b204e9800998ecf8427e'],
    [13, 'cat /etc/passwd'],
    [16, 'curl/8.1'],
  ])('has the observable of type %d: %s', (type_id, value) => {
    expect(toOcsf(threatOf(full))['observables']).toContainEqual(expect.objectContaining({ type_id, value }))
  })

  it.each(
    NULLABLE.flatMap(
      key =>
        [
          [key, 'alone', { ...bare, [key]: full[key] }],
          [key, 'alone missing', { ...full, [key]: null }],
          [key, 'empty', { ...full, [key]: typeof full[key] === 'string' ? '' : null }],
        ] as const,
    ),
  )('is valid with %s %s', (_key, _how, event) => {
    expect(problems(toOcsf(threatOf(event)))).toEqual([])
  })

  it('leaves out what is not known: an event of a sensor without addresses has no evidence', () => {
    const finding = toOcsf(threatOf(bare, { contributions: [] }))
    expect(problems(finding)).toEqual([])
    for (const key of ['evidences', 'observables', 'anomaly_analyses'])
      expect(finding).not.toHaveProperty(key)
    expect(finding).toMatchObject({ unmapped: { entity: 'sensor:opencanary-1' } })
    expect(JSON.stringify(finding)).not.toMatch(/null|""|\[\]|\{\}/)
  })

  it('has no baseline for a feature whose expected range the model does not know', () => {
    const contributions = [
      { feature: 'failures', value: 12.5, share: 0.6, expectedLow: null, expectedHigh: null, eventsAgo: 0 },
    ]
    const finding = toOcsf(threatOf(bare, { contributions }))
    expect(problems(finding)).toEqual([])
    expect(finding).not.toHaveProperty('anomaly_analyses.0.baselines')
    expect(finding).toHaveProperty('anomaly_analyses.0.anomalies')
  })

  it.each([
    ['low', 2, 1],
    ['medium', 3, 2],
    ['high', 4, 3],
    ['critical', 5, 4],
  ] as const)(
    'maps %s to severity %d and risk level %d',
    (severity: Severity, severity_id, risk_level_id) => {
      expect(toOcsf(threatOf(bare, { severity }))).toMatchObject({ severity_id, risk_level_id })
    },
  )

  it.each([
    ['2001:db8::1', { ip: '2001:db8::1', port: 52_395 }, true],
    ['::ffff:192.0.2.1', { ip: '::ffff:192.0.2.1', port: 52_395 }, true],
    ['fe80::1%eth0', { ip: 'fe80::1%eth0', port: 52_395 }, true],
    ['ec2.amazonaws.com', { name: 'ec2.amazonaws.com', port: 52_395 }, false],
  ])('writes %s as an endpoint', (srcIp, src_endpoint, isAddress) => {
    const finding = toOcsf(threatOf({ ...full, srcIp }))
    expect(problems(finding)).toEqual([])
    expect(finding).toMatchObject({ evidences: [{ src_endpoint }] })
    const ips = (finding['observables'] as { type_id: number; value: string }[]).filter(o => o.type_id === 2)
    expect(ips.some(({ value }) => value === srcIp)).toBe(isAddress)
  })

  it('keeps a port that no address goes with, or that is none, out of the endpoints', () => {
    const finding = toOcsf(
      threatOf({ ...bare, srcPort: 70_000, dstPort: 22, dstIp: '192.0.2.1', srcIp: '192.0.2.2' }),
    )
    expect(problems(finding)).toEqual([])
    expect(finding).toMatchObject({
      evidences: [{ src_endpoint: { ip: '192.0.2.2' }, dst_endpoint: { port: 22 } }],
      unmapped: { event: { srcPort: 70_000 } },
    })
    expect(toOcsf(threatOf({ ...bare, dstPort: 22 }))).not.toHaveProperty('evidences')
  })

  it('takes an absolute URL as a string and a DNS type as the type of the query', () => {
    const finding = toOcsf(
      threatOf({ ...bare, url: 'http://203.0.113.9/x', query: 'a.example', method: 'TXT' }),
    )
    expect(problems(finding)).toEqual([])
    expect(finding).toMatchObject({
      evidences: [
        { url: { url_string: 'http://203.0.113.9/x' }, query: { hostname: 'a.example', type: 'TXT' } },
      ],
    })
  })

  it('names tactic, technique and sub-technique with the release of ATT&CK', () => {
    const techniques = ['T1110.001', 'T1133', 'T1110.001', 'T9999', 'not-a-technique']
    const finding = toOcsf(threatOf(bare, { techniques }))
    expect(problems(finding)).toEqual([])
    const { attacks } = finding['finding_info'] as { attacks: object[] }
    expect(attacks).toEqual([
      {
        version: '18.0',
        tactic: {
          uid: 'TA0006',
          name: 'Credential Access',
          src_url: 'https://attack.mitre.org/tactics/TA0006/',
        },
        technique: {
          uid: 'T1110',
          name: 'Brute Force',
          src_url: 'https://attack.mitre.org/techniques/T1110/',
        },
        sub_technique: {
          uid: 'T1110.001',
          name: 'Password Guessing',
          src_url: 'https://attack.mitre.org/techniques/T1110/001/',
        },
      },
      expect.objectContaining({ tactic: expect.objectContaining({ uid: 'TA0001' }) }),
      expect.objectContaining({ tactic: expect.objectContaining({ uid: 'TA0003' }) }),
      { version: '18.0', technique: { uid: 'T9999', src_url: 'https://attack.mitre.org/techniques/T9999/' } },
    ])
    expect(finding).toMatchObject({
      unmapped: { techniques: ['T1110.001', 'T1133', 'T9999', 'not-a-technique'] },
    })
  })

  it('fits a record of the broker whatever the event holds, and says that it was cut', () => {
    const worst = Object.fromEntries(
      Object.entries(full).map(([key, value]) => [
        key,
        typeof value === 'string' ? '\u0001'.repeat(900_000) : value,
      ]),
    ) as unknown as Event
    const threat = threatOf({ ...worst, outcome: 'failure' }, { id: 'raw-events-3-17' })
    expect(problems(toOcsf(threat))).toEqual([])
    expect(encodeOcsf(threat).length).toBeLessThan(1_000_000)
    expect(toOcsf(threat)).toMatchObject({ metadata: { is_truncated: true }, raw_data_size: 900_000 })
  })
})

describe('encodeOcsf', () => {
  it('is one line of JSON without control characters, and loses none of them', () => {
    const command = '\u0000\u001b[2J\u007f\u009b31m\r\n\u2028"\\ end'
    const bytes = encodeOcsf(threatOf({ ...bare, command, original: `x${command}` }))
    expect(bytes.toString('utf8')).not.toMatch(/[^\x20-\x7e\u00a0-\u2027\u202a-\uffff]/)
    expect(JSON.parse(bytes.toString('utf8'))).toMatchObject({
      raw_data: `x${command}`,
      unmapped: { event: { command } },
    })
  })

  it('writes half a surrogate pair as U+FFFD, which every JSON parser takes', () => {
    const text = encodeOcsf(threatOf({ ...bare, user: 'a\ud800b' })).toString('utf8')
    expect(text).not.toContain('\\ud800')
    expect(JSON.parse(text)).toMatchObject({ evidences: [{ user: { name: 'a\ufffdb' } }] })
  })

  it('is valid and the same twice for any threat', () => {
    fc.assert(
      fc.property(threats(), threat => {
        const bytes = encodeOcsf(threat)
        const finding = JSON.parse(bytes.toString('utf8')) as { finding_info: { uid: string } }
        expect(problems(finding)).toEqual([])
        expect(finding.finding_info.uid).toBe(threat.id)
        expect(encodeOcsf(structuredClone(threat)).equals(bytes)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

/** Threats within the contract of the schema: any text anywhere, ids and names of ours not empty. */
const threats = (): fc.Arbitrary<Threat> => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.webUrl(),
    fc.constant(''),
  )
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
  const time = fc.integer({ min: -8.64e15, max: 8.64e15 })
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), text)
  const count = fc.integer({ min: -1, max: 1e9 })
  const name = fc.string({ minLength: 1 })
  const technique = fc.oneof(fc.constantFrom('T1110.001', 'T1078', 'T1046', 'T1234.567'), text)
  const texts = Object.fromEntries(
    NULLABLE.filter(key => typeof full[key] === 'string').map(key => [key, maybe(text)]),
  )
  const event = fc.record({
    ...Object.fromEntries(Object.entries(bare).map(([key, value]) => [key, fc.constant(value)])),
    ...texts,
    srcIp: maybe(address),
    dstIp: maybe(address),
    srcPort: maybe(fc.integer({ min: -5, max: 70_000 })),
    dstPort: maybe(fc.integer({ min: -5, max: 70_000 })),
    fileHash: maybe(fc.oneof(text, fc.string({ unit: fc.constantFrom('0', 'a', 'F') }))),
    method: maybe(fc.oneof(text, fc.constantFrom('GET', 'post', 'AAAA'))),
    url: maybe(fc.oneof(text, fc.webPath())),
    sourceSeverity: maybe(count),
    durationMs: maybe(fc.double({ noNaN: true, noDefaultInfinity: true })),
    bytesIn: maybe(count),
    time,
    title: text,
    original: text,
  }) as unknown as fc.Arbitrary<Event>
  return fc.record({
    id: name,
    time,
    entity: name,
    score: fc.double({ min: 0, max: 1, noNaN: true }),
    severity: fc.constantFrom<Severity>('low', 'medium', 'high', 'critical'),
    modelVersion: name,
    modelScores: fc.dictionary(name, fc.double({ min: 0, max: 1, noNaN: true })),
    contributions: fc.array(
      fc.record({
        feature: name,
        value: fc.double(),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        expectedLow: fc.option(fc.double()),
        expectedHigh: fc.option(fc.double()),
        eventsAgo: fc.nat(),
      }),
    ),
    techniques: fc.array(technique),
    eventOffset: fc.nat(),
    event,
  })
}
