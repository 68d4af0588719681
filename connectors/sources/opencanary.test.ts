import { describe, expect, it } from '@jest/globals'
import type { Event } from '../../schemas/generated.ts'
import { createNormalise } from './normalise.ts'
import { LOG_TYPES } from './opencanary-types.ts'

const RECEIVED = Date.UTC(2026, 10, 24)
const origin = { topic: 'raw-events', partition: 3, offset: 42, timestamp: RECEIVED }
const normalise = createNormalise({
  assumeTimeZone: 'Asia/Tokyo',
  secretsMode: undefined,
  secretsKey: undefined,
})

const read = (line: string): Event => {
  const [event] = normalise(line, origin)
  if (event === undefined) throw new Error('no event')
  return event
}

const LOGIN =
  '{"dst_host": "127.0.0.1", "dst_port": 22, "local_time": "2026-11-23 21:13:54.709069", "local_time_adjusted": "2026-11-23 21:13:54.709074", "logdata": {"LOCALVERSION": "SSH-2.0-OpenSSH_5.1p1 Debian-4", "PASSWORD": "toor", "REMOTEVERSION": "SSH-2.0-paramiko_5.1.0", "USERNAME": "guest"}, "logtype": 4002, "node_id": "opencanary-1", "src_host": "127.0.10.5", "src_port": 52395, "utc_time": "2026-11-23 21:13:54.709072"}'

const withData = (logtype: number | string, logdata: unknown, rest: Record<string, unknown> = {}): string =>
  JSON.stringify({
    dst_host: '192.0.2.10',
    dst_port: 80,
    logdata,
    logtype,
    node_id: 'canary',
    src_host: '203.0.113.9',
    src_port: 4000,
    utc_time: '2026-11-23 10:00:00.5',
    ...rest,
  })

describe('OpenCanary', () => {
  it('reads a login', () => {
    expect(read(LOGIN)).toMatchObject({
      id: 'raw-events-3-42',
      source: 'opencanary',
      type: '4002',
      title: 'SSH login attempt',
      category: 'authentication',
      action: 'login',
      outcome: 'failure',
      entity: 'ip:127.0.10.5',
      srcIp: '127.0.10.5',
      srcPort: 52395,
      dstIp: '127.0.0.1',
      dstPort: 22,
      sensor: 'opencanary-1',
      service: 'ssh',
      user: 'guest',
      userAgent: 'SSH-2.0-paramiko_5.1.0',
      techniques: ['T1133', 'T1021.004', 'T1078', 'T1110.001'],
      origin,
    })
  })

  it('takes utc_time as UTC, whatever zone is assumed', () => {
    expect(read(LOGIN).time).toBe(Date.UTC(2026, 10, 23, 21, 13, 54, 709))
  })

  it('takes local_time as UTC in lines of 2019, which have no other time', () => {
    const line =
      '{"dst_host": "10.0.0.5", "dst_port": 21, "local_time": "2019-03-04 11:22:33.123456", "logdata": {"PASSWORD": "x", "USERNAME": "ftp"}, "logtype": 2000, "node_id": "opencanary-1", "src_host": "10.0.0.9", "src_port": 50000}'
    expect(read(line).time).toBe(Date.UTC(2019, 2, 4, 11, 22, 33, 123))
  })

  it('takes empty hosts and port -1 of boot lines for absent, and keeps the sensor as entity', () => {
    const line =
      '{"dst_host": "", "dst_port": -1, "local_time": "2026-11-23 21:11:48.504482", "local_time_adjusted": "2026-11-23 21:11:48.504517", "logdata": {"msg": {"logdata": "Added service from class CanaryFTP in opencanary.modules.ftp to fake"}}, "logtype": 1001, "node_id": "opencanary-1", "src_host": "", "src_port": -1, "utc_time": "2026-11-23 21:11:48.504513"}'
    expect(read(line)).toMatchObject({
      title: 'Added service from class CanaryFTP in opencanary.modules.ftp to fake',
      category: 'system',
      entity: 'sensor:opencanary-1',
      srcIp: null,
      srcPort: null,
      dstIp: null,
      dstPort: null,
    })
  })

  it('reads ports that are texts', () => {
    const scan =
      '{"dst_host": "192.0.2.10", "dst_port": "22", "local_time": "2026-11-23 21:27:42.109822", "logdata": {"ID": "35001", "IN": "eth0", "LEN": "44", "OUT": "", "PROTO": "TCP", "SYN": "", "TTL": "42"}, "logtype": 5001, "node_id": "opencanary-1", "src_host": "198.51.100.7", "src_port": "61000", "utc_time": "2026-11-23 21:27:42.109886"}'
    expect(read(scan)).toMatchObject({
      srcPort: 61000,
      dstPort: 22,
      transport: 'tcp',
      category: 'scan',
      techniques: ['T1046'],
    })
    const smb = withData(
      5000,
      { AUDITACTION: 'open', FILENAME: '/f.xlsx', STATUS: 'ok', USER: 'jdoe' },
      { src_port: '-1' },
    )
    expect(read(smb)).toMatchObject({ srcPort: null, fileName: '/f.xlsx', user: 'jdoe', outcome: 'success' })
  })

  it('takes the text out of Python byte strings', () => {
    expect(read(withData(18005, { DATA: "b'220 mail ESMTP\\r\\n'", BANNER_ID: '1' })).command).toBe(
      '220 mail ESMTP\\r\\n',
    )
    expect(read(withData(18001, { DATA: "b''", BANNER_ID: '1' })).command).toBeNull()
  })

  it('takes control bytes of Redis commands as text', () => {
    const event = read(withData(17001, { CMD: 'SET\u0000', ARGS: 'x \u001b[2J' }))
    expect(event).toMatchObject({ category: 'command', command: 'SET\u0000 x \u001b[2J' })
  })

  it('sees in Redis commands what they are for', () => {
    expect(read(withData(17001, { CMD: 'CONFIG SET', ARGS: 'dir /root/.ssh' })).techniques).toEqual([
      'T1190',
      'T1098.004',
    ])
    expect(read(withData(17001, { CMD: 'AUTH', ARGS: 'foobared' }))).toMatchObject({
      action: 'login',
      command: 'AUTH [dropped]',
    })
  })

  it('reads a webhook, which wraps the line in a text', () => {
    const event = read(JSON.stringify({ message: LOGIN }))
    expect(event).toMatchObject({ type: '4002', user: 'guest', srcIp: '127.0.10.5' })
    expect(JSON.parse(JSON.parse(event.original).message).logdata).toMatchObject({
      PASSWORD: '[dropped]',
      USERNAME: 'guest',
    })
  })

  it.each([...LOG_TYPES.keys()])('knows logtype %i', code => {
    const event = read(withData(code, {}))
    expect(event).toMatchObject({ type: String(code), entity: 'ip:203.0.113.9' })
    expect(event.title).not.toBe(`OpenCanary event ${code}`)
  })

  it('keeps logtypes that it does not know, as user modules have them', () => {
    expect(read(withData(99001, { anything: 1 }))).toMatchObject({
      type: '99001',
      title: 'OpenCanary event 99001',
    })
    expect(read(withData('99009', 'text')).type).toBe('99009')
  })

  it('reads the mixed case of MSSQL and keeps the own name of a Windows client apart', () => {
    expect(read(withData(9001, { UserName: 'sa', Password: 'hunter22', AppName: 'pytds' }))).toMatchObject({
      user: 'sa',
      userAgent: 'pytds',
    })
    expect(read(withData(9002, { USERNAME: 'bob', HOSTNAME: 'LAPTOP', DOMAINNAME: 'CORP' }))).toMatchObject({
      user: 'bob',
      dstHost: null,
    })
  })

  it('calls a logtype that is no number malformed', () => {
    expect(() => read(withData('SSH', {}))).toThrow(expect.objectContaining({ code: 'NS_MALFORMED' }))
  })
})
