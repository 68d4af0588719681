import fc from 'fast-check'
import type { Event } from '../../schemas/generated.ts'

/** A valid event: a failed SSH login, with the given fields replaced. */
export const makeEvent = (fields: Partial<Event> = {}): Event => ({
  id: 'raw-events-0-0',
  time: 1_700_000_000_000,
  clockSkew: false,
  source: 'cowrie',
  sensor: 'sensor-1',
  type: 'cowrie.login.failed',
  title: 'SSH login failed',
  category: 'authentication',
  action: 'login',
  outcome: 'failure',
  entity: 'ip:203.0.113.9',
  srcIp: '203.0.113.9',
  srcPort: 50_000,
  dstIp: '192.0.2.1',
  dstPort: 22,
  dstHost: null,
  transport: 'tcp',
  service: 'ssh',
  session: null,
  user: 'root',
  secretHash: null,
  command: null,
  url: null,
  method: null,
  status: null,
  userAgent: null,
  query: null,
  fileName: null,
  fileHash: null,
  fingerprint: null,
  signatureId: null,
  signature: null,
  sourceSeverity: null,
  durationMs: null,
  bytesIn: null,
  bytesOut: null,
  packets: null,
  techniques: ['T1110'],
  origin: { topic: 'raw-events', partition: 0, offset: 0, timestamp: 1_700_000_000_000 },
  original: '{}',
  ...fields,
})

const text = () => fc.option(fc.string({ unit: 'binary', maxLength: 200 }))
/** Whole numbers that the Avro library writes as a long: it stops one short of the largest safe ones. */
const anyLong = () => fc.integer({ min: 2 - 2 ** 53, max: 2 ** 53 - 2 })
const long = () => fc.option(anyLong())
const int = () => fc.option(fc.integer())

/** Any event that the schema allows, however absurd: of few entities, at any time, with any text and number. */
export const anyEvent = (): fc.Arbitrary<Event> =>
  fc
    .record({
      time: fc.oneof(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_600_000 }), anyLong()),
      type: fc.oneof(fc.constantFrom('conn', 'dns', '4002'), fc.string({ unit: 'binary', maxLength: 200 })),
      category: fc.oneof(fc.constantFrom('network', 'dns', 'authentication'), fc.string()),
      outcome: fc.constantFrom('unknown' as const, 'success' as const, 'failure' as const),
      entity: fc.constantFrom('ip:203.0.113.1', 'ip:203.0.113.2', 'user:eve', 'host:h', 'sensor:s'),
      dstIp: fc.option(fc.ipV4()),
      dstHost: text(),
      transport: fc.option(fc.constantFrom('tcp', 'udp', 'icmp')),
      dstPort: fc.oneof(fc.option(fc.integer({ min: 0, max: 65_535 })), int()),
      user: text(),
      command: text(),
      url: text(),
      query: text(),
      userAgent: text(),
      fileName: text(),
      sourceSeverity: int(),
      durationMs: fc.option(fc.double()),
      bytesIn: long(),
      bytesOut: long(),
      packets: long(),
    })
    .map(makeEvent)
