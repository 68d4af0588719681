import { describe, expect, it } from '@jest/globals'
import type { Event } from '../../schemas/generated.ts'
import { createNormalise } from './normalise.ts'

const origin = { topic: 'raw-events', partition: 0, offset: 1, timestamp: Date.UTC(2026, 10, 24) }
const normalise = createNormalise({
  assumeTimeZone: 'America/New_York',
  secretsMode: undefined,
  secretsKey: undefined,
})

const read = (line: string | Record<string, unknown>): Event => {
  const [event] = normalise(typeof line === 'string' ? line : JSON.stringify(line), origin)
  if (event === undefined) throw new Error('no event')
  return event
}

const ALERT =
  '{"timestamp":"2018-03-24T14:37:19.037299-0600","flow_id":928532049924531,"pcap_cnt":169577,"event_type":"alert","src_ip":"10.128.0.210","src_port":26078,"dest_ip":"10.47.8.150","dest_port":22,"proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":2001219,"rev":20,"signature":"ET SCAN Potential SSH Scan","category":"Attempted Information Leak","severity":2},"flow":{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":74,"bytes_toclient":0,"start":"2018-03-24T14:37:19.037299-0600"}}'

const base = {
  timestamp: '2026-11-23T10:00:00.000000+0000',
  flow_id: 1,
  src_ip: '203.0.113.9',
  src_port: 5000,
  dest_ip: '192.0.2.1',
  dest_port: 80,
  proto: 'TCP',
}
const alert = (fields: Record<string, unknown>) => ({ ...base, event_type: 'alert', alert: fields })

describe('Suricata EVE', () => {
  it('reads an alert, whose offset has no colon', () => {
    expect(read(ALERT)).toMatchObject({
      source: 'suricata',
      type: 'alert',
      title: 'ET SCAN Potential SSH Scan',
      category: 'alert',
      time: Date.UTC(2018, 2, 24, 20, 37, 19, 37),
      entity: 'ip:10.128.0.210',
      dstPort: 22,
      transport: 'tcp',
      session: '928532049924531',
      signatureId: '2001219',
      sourceSeverity: 2,
      bytesIn: 74,
      bytesOut: 0,
      packets: 1,
      techniques: ['T1046'],
    })
  })

  it('assumes a zone where the time has none', () => {
    expect(read({ ...base, event_type: 'flow', timestamp: '2026-07-01T12:00:00.5' }).time).toBe(
      Date.UTC(2026, 6, 1, 16, 0, 0, 500),
    )
  })

  it('keeps every digit of a flow id', () => {
    const line = ALERT.replace('928532049924531', '18446744073709551615')
    expect(read(line).session).toBe('18446744073709551615')
    expect(read(line).original).toBe(line)
  })

  it('turns severities round: 1 is the worst', () => {
    const severities = [1, 2, 3, 4, 255].map(severity => read(alert({ severity })).sourceSeverity)
    expect(severities).toEqual([3, 2, 1, 1, 1])
    expect(read(alert({ severity: 3, metadata: { signature_severity: ['Critical'] } })).sourceSeverity).toBe(
      4,
    )
    expect(read(alert({})).sourceSeverity).toBeNull()
  })

  it('takes techniques from the rule', () => {
    const metadata = { mitre_technique_id: ['T1190', 'nonsense', 'T1059.004', 'T1190'] }
    expect(read(alert({ signature: 'x', metadata })).techniques).toEqual(['T1190', 'T1059.004'])
  })

  it.each([
    [
      'dns',
      { dns: { type: 'query', rrname: 'a.example', rrtype: 'A' } },
      { query: 'a.example', method: 'A', category: 'dns' },
    ],
    [
      'dns',
      {
        dns: {
          version: 3,
          type: 'response',
          queries: [{ rrname: 'a.example', rrtype: 'AAAA' }],
          rcode: 'NXDOMAIN',
        },
      },
      { query: 'a.example', method: 'AAAA', status: 'NXDOMAIN', outcome: 'failure' },
    ],
    [
      'http',
      {
        http: {
          hostname: 'a.example',
          url: '/x',
          http_method: 'POST',
          http_user_agent: 'curl/8',
          status: 200,
        },
      },
      {
        dstHost: 'a.example',
        url: '/x',
        method: 'POST',
        userAgent: 'curl/8',
        status: '200',
        outcome: 'success',
      },
    ],
    [
      'tls',
      { tls: { sni: 'a.example', ja3: { hash: 'abc' } } },
      { dstHost: 'a.example', fingerprint: 'abc' },
    ],
    [
      'ssh',
      { ssh: { client: { software_version: 'Go', hassh: { hash: 'h' } } } },
      { userAgent: 'Go', fingerprint: 'h' },
    ],
    [
      'fileinfo',
      { fileinfo: { filename: '/a', size: 5, sha256: 'ff' }, http: { url: '/a' } },
      { fileName: '/a', fileHash: 'ff', bytesOut: 5, url: '/a', service: 'http' },
    ],
    [
      'anomaly',
      { anomaly: { type: 'applayer', event: 'INVALID_CHUNK' } },
      { signature: 'INVALID_CHUNK', action: 'anomaly' },
    ],
    [
      'flow',
      {
        flow: {
          pkts_toserver: 3,
          pkts_toclient: 4,
          bytes_toserver: 30,
          bytes_toclient: 40,
          start: '2026-11-23T09:59:58.000+0000',
          end: '2026-11-23T10:00:00.000+0000',
          state: 'closed',
        },
      },
      { packets: 7, bytesIn: 30, bytesOut: 40, durationMs: 2000, status: 'closed' },
    ],
    ['quic', { quic: {} }, { title: 'Suricata quic', category: 'network' }],
    ['constructor', {}, { title: 'Suricata constructor' }],
  ])('reads %s', (event_type, fields, expected) => {
    expect(read({ ...base, event_type, ...fields })).toMatchObject({ type: event_type, ...expected })
  })

  it('reads what an alert carries of its protocol', () => {
    expect(
      read({
        ...alert({ signature: 'x', severity: 1 }),
        http: { hostname: 'a.example', url: '/x', status: 404 },
      }),
    ).toMatchObject({
      title: 'x',
      action: 'alert',
      outcome: 'unknown',
      dstHost: 'a.example',
      url: '/x',
      service: 'http',
    })
  })

  it('does not take ICMP codes for ports, and gives ICMPv6 its name', () => {
    expect(read({ ...base, event_type: 'flow', proto: 'IPv6-ICMP', src_ip: 'FE80::1' })).toMatchObject({
      transport: 'icmp',
      srcPort: null,
      srcIp: 'fe80::1',
    })
  })

  it('reads statistics, which have no address', () => {
    expect(
      read({ timestamp: base.timestamp, event_type: 'stats', host: 'ids-1', stats: { uptime: 5 } }),
    ).toMatchObject({ entity: 'sensor:ids-1', category: 'system' })
  })

  it.each([
    [{ event_type: 'ftp', ftp: { command: 'PASS', command_data: 'hunter22' } }],
    [{ event_type: 'snmp', snmp: { community: 'hunter22' } }],
    [{ event_type: 'mqtt', mqtt: { connect: { username: 'u', password: 'hunter22' } } }],
    [
      {
        event_type: 'http',
        http: {
          request_headers: [{ value: 'Basic dTpodW50ZXIyMg==', name: 'Authorization' }],
          url: '/?p=hunter22',
        },
      },
    ],
    [
      {
        ...alert({ severity: 1 }),
        payload: Buffer.from('USER a\r\nPASS hunter22\r\n').toString('base64'),
        payload_printable: 'USER a\r\nPASS hunter22\r\n',
      },
    ],
  ])('lets no password through (%#)', fields => {
    const event = JSON.stringify(read({ ...base, ...fields }))
    expect(event).not.toContain('hunter22')
    expect(event).not.toContain(Buffer.from('hunter22').toString('base64').slice(0, 8))
    expect(event).not.toContain('odW50ZXIyM')
  })

  it('calls an alert without its object, and a type that is no text, malformed', () => {
    expect(() => read({ ...base, event_type: 'alert' })).toThrow(
      expect.objectContaining({ code: 'NS_MALFORMED' }),
    )
    expect(() => read({ ...base, event_type: [] })).toThrow(expect.objectContaining({ code: 'NS_MALFORMED' }))
  })
})
