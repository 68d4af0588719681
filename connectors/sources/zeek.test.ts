import { describe, expect, it } from '@jest/globals'
import type { Event } from '../../schemas/generated.ts'
import { createNormalise } from './normalise.ts'

const origin = { topic: 'raw-events', partition: 0, offset: 1, timestamp: Date.UTC(2026, 10, 24) }
const normalise = createNormalise({ assumeTimeZone: 'UTC', secretsMode: undefined, secretsKey: undefined })

const read = (line: string | Record<string, unknown>): Event => {
  const [event] = normalise(typeof line === 'string' ? line : JSON.stringify(line), origin)
  if (event === undefined) throw new Error('no event')
  return event
}

const CONN =
  '"ts":1440447880.931272,"uid":"CWxtRHnBTbldHnmGh","id.orig_h":"127.0.0.1","id.orig_p":52178,"id.resp_h":"127.0.0.1","id.resp_p":1812,"proto":"udp","service":"radius","duration":1.001459,"orig_bytes":75,"resp_bytes":20,"conn_state":"SF","missed_bytes":0,"history":"Dd","orig_pkts":1,"orig_ip_bytes":103,"resp_pkts":1,"resp_ip_bytes":48,"tunnel_parents":[]'

const expected = {
  source: 'zeek',
  type: 'conn',
  category: 'network',
  outcome: 'success',
  status: 'SF',
  time: Date.UTC(2015, 7, 24, 20, 24, 40, 931),
  srcPort: 52178,
  dstPort: 1812,
  transport: 'udp',
  service: 'radius',
  session: 'CWxtRHnBTbldHnmGh',
  durationMs: 1001.459,
  bytesIn: 75,
  bytesOut: 20,
  packets: 2,
}
const close = (event: Event) => ({ ...event, durationMs: Math.round((event.durationMs ?? 0) * 1000) / 1000 })

describe('Zeek', () => {
  it('reads records tagged by the Kafka writer, with static fields beside', () => {
    expect(close(read(`{"conn": {${CONN}}}`))).toMatchObject(expected)
    expect(close(read(`{"sensor":"dmz-1","conn":{${CONN}},"version":3}`))).toMatchObject({
      ...expected,
      sensor: 'dmz-1',
    })
  })

  it('reads records named by _path, with ISO times', () => {
    const line =
      '{"_path":"dns","_write_ts":"2018-03-24T17:15:20.866586Z","ts":"2018-03-24T17:15:20.865716Z","uid":"CqKst53mF3det3eDV9","id.orig_h":"10.47.1.100","id.orig_p":41772,"id.resp_h":"10.0.0.100","id.resp_p":53,"proto":"udp","trans_id":36329,"rtt":0.0008699893951416016,"query":"ise.wrccdc.org","qclass":1,"qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","rcode":0,"rcode_name":"NOERROR","rejected":false}'
    expect(read(line)).toMatchObject({
      type: 'dns',
      time: Date.UTC(2018, 2, 24, 17, 15, 20, 865),
      query: 'ise.wrccdc.org',
      method: 'A',
      status: 'NOERROR',
      outcome: 'success',
      entity: 'ip:10.47.1.100',
    })
  })

  it('tells the log of plain records by their fields', () => {
    expect(close(read(`{${CONN}}`))).toMatchObject(expected)
    expect(close(read(`{${CONN.replace('1440447880.931272', '1440447880931')}}`))).toMatchObject(expected)
  })

  it.each([
    ['dns', { trans_id: 5, query: 'a.example', qtype_name: 'A' }],
    ['http', { trans_depth: 1, method: 'GET', host: 'a.example', uri: '/', status_code: 404 }],
    ['smtp', { trans_depth: 1, helo: 'x', last_reply: '250 ok', is_webmail: false }],
    ['ssl', { version: 'TLSv12', cipher: 'X', established: true, resumed: false, server_name: 'a.example' }],
    ['files', { fuid: 'F1', seen_bytes: 5, tx_hosts: ['10.0.0.1'], rx_hosts: ['10.0.0.2'], is_orig: false }],
    ['kerberos', { request_type: 'AS', client: 'bob/EXAMPLE', service: 'krbtgt', success: false }],
    ['ssh', { version: 2, auth_success: false, auth_attempts: 3, client: 'SSH-2.0-Go' }],
    ['notice', { note: 'Scan::Port_Scan', msg: 'scanned', actions: [], src: '10.0.0.9', dst: '10.0.0.1' }],
    ['weird', { name: 'bad_HTTP_request', notice: false, peer: 'zeek' }],
    ['rdp', { cookie: 'admin', result: 'encrypted', security_protocol: 'HYBRID' }],
    ['ftp', { user: 'bob', command: 'RETR', arg: 'a.txt', reply_code: 226 }],
    ['x509', { 'certificate.version': 3, 'certificate.subject': 'CN=a.example' }],
  ])('tells %s from its fields', (path, fields) => {
    expect(
      read({ ts: 1575413122.76, uid: 'C1', 'id.orig_h': '10.0.0.9', 'id.resp_h': '10.0.0.1', ...fields })
        .type,
    ).toBe(path)
  })

  it('reads the tuple however a shipper spells it', () => {
    const spelt = [
      { 'id.orig_h': '10.0.0.9', 'id.orig_p': 5 },
      { id: { orig_h: '10.0.0.9', orig_p: 5 } },
      { id_orig_h: '10.0.0.9', id_orig_p: '5' },
    ]
    for (const tuple of spelt)
      expect(read({ _path: 'conn', ts: 1575413122, ...tuple })).toMatchObject({
        srcIp: '10.0.0.9',
        srcPort: 5,
      })
  })

  it('does not take ICMP types for ports', () => {
    const event = read({
      _path: 'conn',
      ts: 1575413122,
      'id.orig_h': '10.0.0.9',
      'id.orig_p': 8,
      'id.resp_h': '10.0.0.1',
      'id.resp_p': 0,
      proto: 'icmp',
    })
    expect(event).toMatchObject({ srcPort: null, dstPort: null, transport: 'icmp' })
  })

  it('takes optional fields that are absent for absent', () => {
    expect(read({ conn: { ts: 1575413122, uid: 'C1', 'id.orig_h': '10.0.0.9' } })).toMatchObject({
      durationMs: null,
      bytesIn: null,
      bytesOut: null,
      packets: null,
      status: null,
      outcome: 'unknown',
    })
  })

  it('tells who asked for a file and who sent it', () => {
    const file = {
      _path: 'files',
      ts: 1575413122,
      fuid: 'F1',
      tx_hosts: ['10.0.0.1'],
      rx_hosts: ['10.0.0.2'],
    }
    expect(read({ ...file, is_orig: false, total_bytes: 7 })).toMatchObject({
      srcIp: '10.0.0.2',
      dstIp: '10.0.0.1',
      action: 'download',
      bytesOut: 7,
    })
    expect(read({ ...file, is_orig: true, seen_bytes: 7 })).toMatchObject({
      srcIp: '10.0.0.1',
      dstIp: '10.0.0.2',
      action: 'upload',
      bytesIn: 7,
    })
  })

  it('drops FTP and SNMP passwords', () => {
    const ftp =
      '{"_path":"ftp","_write_ts":"2018-03-24T17:15:24.704286Z","ts":"2018-03-24T17:15:24.699488Z","uid":"CRJ34i2alWZXGHGfng","id.orig_h":"10.164.94.120","id.orig_p":45905,"id.resp_h":"10.47.27.80","id.resp_p":21,"user":"anonymous","password":"nessus@nessus.org","command":"PASV","reply_code":227,"reply_msg":"Entering Passive Mode (172,20,0,80,200,63)."}'
    expect(read(ftp)).toMatchObject({ user: 'anonymous', command: 'PASV', outcome: 'success' })
    expect(read(ftp).original).toBe(ftp.replace('nessus@nessus.org', '[dropped]'))
    expect(read({ _path: 'snmp', ts: 1575413122, community: 'internal' }).original).not.toContain('internal')
  })

  it('keeps logs that it does not know', () => {
    expect(read({ _path: 'my_log', ts: 1575413122, uid: 'C1' })).toMatchObject({
      type: 'my_log',
      title: 'Zeek my_log',
    })
    expect(
      read({ modbus: { ts: 1575413122, uid: 'C1', 'id.orig_h': '10.0.0.9', func: 'READ_COILS' } }),
    ).toMatchObject({ type: 'modbus', service: 'modbus', entity: 'ip:10.0.0.9' })
  })

  it('names the entity also where there is no connection', () => {
    expect(read({ _path: 'known_hosts', ts: 1575413122, host: '10.0.0.9' }).entity).toBe('host:10.0.0.9')
    expect(read({ _path: 'capture_loss', ts: 1575413122, peer: 'zeek-1' }).entity).toBe('sensor:zeek-1')
    expect(read({ _path: 'loaded_scripts', name: 'x' })).toMatchObject({
      entity: 'sensor:zeek',
      time: origin.timestamp,
    })
  })

  it('calls a _path that is no text malformed', () => {
    expect(() => read({ _path: {}, ts: 1 })).toThrow(expect.objectContaining({ code: 'NS_MALFORMED' }))
  })

  it('does not claim JSON that only looks a little like it', () => {
    for (const value of [
      { x: 1 },
      { ts: 1575413122 },
      { ts: 1, query: 'a' },
      { a: { b: 1 } },
      { a: { ts: 1 } },
    ])
      expect(() => read(value)).toThrow(expect.objectContaining({ code: 'NS_UNKNOWN_SOURCE' }))
  })
})
