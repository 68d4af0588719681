import { readdirSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Event } from '../../schemas/generated.ts'
import { readRecords } from '../collect/files.ts'
import { createNormalise } from './normalise.ts'

const RECEIVED = Date.UTC(2026, 10, 24)
const origin = { topic: 'raw-events', partition: 1, offset: 7, timestamp: RECEIVED }
const config = { assumeTimeZone: 'UTC', secretsMode: undefined, secretsKey: 'a key of 16 or more characters' }
const normalise = createNormalise(config)
const SAMPLES = new URL('samples/', import.meta.url)

const samples = readdirSync(SAMPLES, { recursive: true, encoding: 'utf8' }).filter(name =>
  name.endsWith('.ndjson'),
)
const linesOf = (name: string) =>
  readFileSync(new URL(name, SAMPLES), 'utf8')
    .split('\n')
    .filter(line => line !== '')

const CATEGORIES = 'authentication network scan web dns file command alert tls system'.split(' ')
const TEXTS = [
  ...(['id', 'source', 'type', 'title', 'action', 'entity', 'original'] as const),
  ...([
    'sensor',
    'dstHost',
    'transport',
    'service',
    'session',
    'user',
    'secretHash',
    'command',
    'url',
  ] as const),
  ...(['method', 'status', 'userAgent', 'query', 'fileName', 'fileHash', 'fingerprint'] as const),
  ...(['signatureId', 'signature'] as const),
]
const WHOLE = ['time', 'srcPort', 'dstPort', 'sourceSeverity', 'bytesIn', 'bytesOut', 'packets'] as const

/** What is wrong with an event, by the schema and by what its documentation promises. */
const faults = (event: Event): string[] => {
  const found: string[] = []
  for (const field of TEXTS) {
    const value: unknown = event[field]
    if (value === null) continue
    if (typeof value !== 'string' || value === '' || !value.isWellFormed()) found.push(field)
    else if (field !== 'original' && value.length > 8192) found.push(`${field} is long`)
  }
  for (const field of WHOLE)
    if (event[field] !== null && !Number.isSafeInteger(event[field])) found.push(field)
  for (const field of ['srcPort', 'dstPort'] as const)
    if (event[field] !== null && (event[field] < 0 || event[field] > 65_535)) found.push(field)
  for (const field of ['srcIp', 'dstIp'] as const)
    if (event[field] !== null && isIP(event[field]) === 0) found.push(field)
  if (event.durationMs !== null && !Number.isFinite(event.durationMs)) found.push('durationMs')
  if (!CATEGORIES.includes(event.category)) found.push('category')
  if (!['unknown', 'success', 'failure'].includes(event.outcome)) found.push('outcome')
  if (!/^(?:ip|user|host|sensor):./s.test(event.entity)) found.push('entity')
  if (event.techniques.some(id => !/^T\d{4}(?:\.\d{3})?$/.test(id))) found.push('techniques')
  if (event.transport !== null && !['tcp', 'udp', 'icmp'].includes(event.transport)) found.push('transport')
  if (Object.values(event).includes(undefined)) found.push('undefined')
  return found
}

describe('the bundled capture', () => {
  it('has all four sources', () => {
    expect(new Set(samples.map(name => name.split('/')[0]))).toEqual(
      new Set(['opencanary', 'cowrie', 'zeek', 'suricata']),
    )
  })

  it.each(samples)('%s: every line becomes one valid event', name => {
    const lines = linesOf(name)
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) {
      const events = normalise(line, origin)
      expect(events).toHaveLength(1)
      for (const event of events) {
        expect({ line, faults: faults(event) }).toEqual({ line, faults: [] })
        expect(event.time).not.toBe(RECEIVED)
        expect(name.startsWith(event.source)).toBe(true)
        JSON.parse(event.original)
      }
    }
  })

  it('reads the tab-separated Zeek log as well', async () => {
    let count = 0
    for await (const record of readRecords(fileURLToPath(new URL('zeek/zat/http.log', SAMPLES)))) {
      const events = normalise(record.toString(), origin)
      expect(events).toMatchObject([
        { source: 'zeek', type: 'http', service: 'http', srcIp: '192.168.33.10' },
      ])
      expect(events.map(faults)).toEqual([[]])
      count++
    }
    expect(count).toBe(60)
  })

  it.each(samples)('%s: no password is left', name => {
    for (const line of linesOf(name)) {
      const record = JSON.parse(line) as { password?: string; logdata?: { PASSWORD?: string } }
      const password = record.password ?? record.logdata?.PASSWORD ?? ''
      if (password.length < 4 || password.startsWith('<')) continue
      const [event] = normalise(line, origin)
      expect(event?.secretHash).toMatch(/^hmac:[\da-f]{16}$/)
      if (event === undefined || event.user === password || /^(?:root|admin|guest|test|user)$/.test(password))
        continue
      // User names stay, and passwords are often part of them.
      const { password: _, username, ...original } = JSON.parse(event.original) as Record<string, unknown>
      const { user, entity, ...rest } = event
      expect(JSON.stringify({ ...rest, original: { ...original, logdata: '' } })).not.toContain(password)
    }
  })
})

describe('records that hold several events', () => {
  const boot = (n: number) =>
    `{"logtype": 1001, "node_id": "n", "logdata": {"msg": "m${n}"}, "big": 123456789012345678${n}}`

  it.each([
    ['a JSON array', `[${boot(1)}, ${boot(2)}]`],
    ['lines', `${boot(1)}\n\n${boot(2)}\r\n`],
  ])('as %s give them in order, with numbered ids and each its own text', (_name, text) => {
    const events = normalise(text, origin)
    expect(events.map(event => event.id)).toEqual(['raw-events-1-7-0', 'raw-events-1-7-1'])
    expect(events.map(event => event.original)).toEqual([boot(1), boot(2)])
    expect(events.map(event => event.title)).toEqual(['m1', 'm2'])
  })

  it('keep the plain id when there is only one', () => {
    expect(normalise(`[${boot(1)}]`, origin).map(event => event.id)).toEqual(['raw-events-1-7'])
    expect(normalise(`\ufeff ${boot(1)} \n`, origin).map(event => event.id)).toEqual(['raw-events-1-7'])
  })

  it.each([
    [`[${boot(1)}, {"x": 1}]`, 'NS_UNKNOWN_SOURCE'],
    [`[${boot(1)}, 5]`, 'NS_UNKNOWN_SOURCE'],
    [`${boot(1)}\nnot json`, 'NS_NOT_JSON'],
    [`[${boot(1)}, {"logtype": "x", "node_id": ""}]`, 'NS_MALFORMED'],
    ['[]', 'NS_EMPTY'],
  ])('are refused as a whole when one of them is bad: %s', (text, code) => {
    expect(() => normalise(text, origin)).toThrow(expect.objectContaining({ code, outcome: 'poison' }))
  })
})

describe('records of no source', () => {
  it.each([
    ['{"x":1}', 'NS_UNKNOWN_SOURCE'],
    ['{}', 'NS_UNKNOWN_SOURCE'],
    ['"text"', 'NS_UNKNOWN_SOURCE'],
    ['null', 'NS_UNKNOWN_SOURCE'],
    ['{"message":"{\\"x\\":1}"}', 'NS_UNKNOWN_SOURCE'],
    ['{"message":"{broken"}', 'NS_UNKNOWN_SOURCE'],
    ['not json', 'NS_NOT_JSON'],
    ['{"logtype": 4002', 'NS_NOT_JSON'],
    [' \n ', 'NS_EMPTY'],
  ])('%s', (text, code) => {
    expect(() => normalise(text, origin)).toThrow(expect.objectContaining({ code }))
  })
})

describe('what is said of a bad record', () => {
  it('does not quote it', () => {
    for (const text of ['{"password": "hunter22" x', 'hunter22', '{"password":"hunter22"}\n{"a":hunter22}'])
      expect(() => normalise(text, origin)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('hunter') }),
      )
  })
})

describe('times', () => {
  const at = (time: string | undefined) => {
    const [event] = normalise(
      JSON.stringify({ logtype: 1001, node_id: 'n', logdata: {}, ...(time && { utc_time: time }) }),
      origin,
    )
    return { time: event?.time, clockSkew: event?.clockSkew }
  }

  it('are those of the sensor, however old', () => {
    expect(at('2018-03-24 14:37:19')).toEqual({ time: Date.UTC(2018, 2, 24, 14, 37, 19), clockSkew: false })
  })

  it('may be up to 10 minutes ahead of the record', () => {
    expect(at('2026-11-24 00:10:00.000')).toEqual({ time: RECEIVED + 600_000, clockSkew: false })
    expect(at('2026-11-24 00:10:00.001')).toEqual({ time: RECEIVED, clockSkew: true })
    expect(at('2026-11-25 00:00:00')).toEqual({ time: RECEIVED, clockSkew: true })
  })

  it('are the record’s where there is none', () => {
    expect(at(undefined)).toEqual({ time: RECEIVED, clockSkew: false })
    expect(at('soon')).toEqual({ time: RECEIVED, clockSkew: false })
  })

  it('differ between two zones for what carries no zone', () => {
    const line = '{"eventid":"cowrie.session.connect","timestamp":"2026-07-01T12:00:00","session":"a"}'
    const [utc] = normalise(line, origin)
    const [tokyo] = createNormalise({ ...config, assumeTimeZone: 'Asia/Tokyo' })(line, origin)
    expect((utc?.time ?? 0) - (tokyo?.time ?? 0)).toBe(9 * 3_600_000)
  })
})

describe('hostile records', () => {
  const cowrie = { eventid: 'cowrie.command.input', session: 's', src_ip: '203.0.113.9' }
  const one = (record: unknown) => {
    const [event] = normalise(typeof record === 'string' ? record : JSON.stringify(record), origin)
    if (event === undefined) throw new Error('no event')
    expect(faults(event)).toEqual([])
    return event
  }

  it('leave prototypes alone', () => {
    const event = one(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"logtype":1001,"logdata":{"__proto__":{"msg":"x"}},"node_id":"n"}',
    )
    expect(event.source).toBe('opencanary')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(() => one('{"__proto__":{"ts":1575413122,"x":1}}')).toThrow(
      expect.objectContaining({ code: 'NS_UNKNOWN_SOURCE' }),
    )
  })

  it('keep control bytes as text and mend lone surrogates', () => {
    expect(one({ ...cowrie, input: '\u001b[2J\u0000\u0007' }).command).toBe('\u001b[2J\u0000\u0007')
    expect(one('{"eventid":"cowrie.command.input","session":"s","input":"a\\ud800b"}').command).toBe(
      'a\ufffdb',
    )
  })

  it('bound the fields, and keep the original whole', () => {
    const input = `${'é'.repeat(8191)}${'💣'.repeat(5000)}`
    const event = one({ ...cowrie, input, username: 'u'.repeat(100_000), src_ip: '' })
    expect(event.command).toHaveLength(8192)
    expect(event.entity.length).toBeLessThan(300)
    expect(JSON.parse(event.original)).toMatchObject({ input })
  })

  it('do not leak a secret that the end of a field cuts', () => {
    const password = 'correct horse battery staple'
    const input = `${'x'.repeat(8192 - 10)}${password}`
    expect(JSON.stringify(one({ ...cowrie, input, password }))).not.toContain('correct')
  })

  it('take no number that is none', () => {
    const event = one(
      '{"event_type":"flow","timestamp":"2026-01-01T00:00:00Z","src_port":1e999,"dest_port":-5,"flow":{"pkts_toserver":1e300,"bytes_toserver":18446744073709551616,"age":-1}}',
    )
    expect(event).toMatchObject({
      srcPort: null,
      dstPort: null,
      packets: null,
      bytesIn: null,
      durationMs: null,
    })
  })

  it('may nest as deep as they like', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    expect(one(`{"logtype":1001,"node_id":"n","logdata":{"password":${deep}}}`).type).toBe('1001')
    expect(() => normalise(deep, origin)).toThrow(expect.objectContaining({ outcome: 'poison' }))
    expect(() => normalise(`{"a":12345678901234567890,"b":${deep}}`, origin)).toThrow(
      expect.objectContaining({ outcome: 'poison' }),
    )
  })

  it('of any shape become valid events or poison, never anything else', () => {
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('', -1, '-1', null, 1e21, [], {}, 'toString', '127.0.0.1'),
    )
    const keys = [
      ...['logtype', 'logdata', 'node_id', 'src_host', 'eventid', 'session', 'input', 'duration', 'password'],
      ...['_path', 'ts', 'uid', 'id', 'id.orig_h', 'query', 'tx_hosts', 'conn', 'event_type', 'timestamp'],
      ...['alert', 'flow', 'http', 'dns', 'message', 'src_ip', 'src_port', 'username'],
    ]
    const record = fc.dictionary(fc.constantFrom(...keys), odd, { minKeys: 1 }).chain(fields =>
      fc.constantFrom(
        fields,
        { ...fields, logtype: 4002, node_id: 'n' },
        { ...fields, eventid: 'cowrie.login.failed', session: 's' },
        ...['conn', 'dns', 'http', 'files', 'x509', 'notice', 'ftp'].map(path => ({
          ...fields,
          _path: path,
        })),
        { ...fields, event_type: 'alert', timestamp: 'x', alert: { metadata: fields } },
        {
          ...fields,
          event_type: 'http',
          timestamp: 'x',
          http: fields,
          dns: fields,
          smb: fields,
          rfb: fields,
        },
      ),
    )
    fc.assert(
      fc.property(record, value => {
        try {
          for (const event of normalise(JSON.stringify(value), origin))
            expect(faults(event).filter(fault => fault !== 'transport')).toEqual([])
        } catch (error) {
          expect(error).toMatchObject({ outcome: 'poison' })
          expect(error).not.toMatchObject({
            message: expect.stringMatching(/undefined|not a function|not iterable/),
          })
        }
      }),
      { numRuns: 2000 },
    )
  })
})
