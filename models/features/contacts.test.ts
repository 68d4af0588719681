import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Contact, Event } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { CONTACT_LIMIT, contactOf, SAME_CONTACT_MS, withContact } from './contacts.ts'

const T0 = 1_700_000_000_000

const call = (time: number, fields: Partial<Event> = {}) =>
  makeEvent({ time, category: 'network', action: 'connect', dstIp: '198.51.100.1', dstPort: 443, ...fields })

const walk = (events: readonly Event[]) =>
  events.reduce<readonly Contact[]>((known, event) => withContact(known, contactOf(known, event)), [])

const beats = (times: readonly number[]) => walk(times.map(time => call(T0 + time))).at(-1)?.beats

describe('contacts', () => {
  it('count the gaps in a row that keep one interval', () => {
    expect(beats([0])).toBe(0)
    expect(beats([0, 60_000, 118_000, 181_000])).toBe(3)
  })

  it('begin anew when the interval is not kept', () => {
    expect(beats([0, 60_000, 120_000, 300_000])).toBe(1)
    expect(beats([0, 60_000, 120_000, 300_000, 480_000])).toBe(2)
  })

  it('take calls that come together for one', () => {
    const burst = (at: number) => [0, 500, SAME_CONTACT_MS - 1].map(ms => at + ms)
    expect(beats([0, 60_000, 120_000].flatMap(burst))).toBe(2)
  })

  it('follow each service by itself', () => {
    const mixed = Array.from({ length: 8 }, (_, i) => [
      call(T0 + i * 60_000),
      call(T0 + i * 60_000 + ((i * 7919) % 50_000), { dstPort: 80 }),
      call(T0 + i * 60_000, { dstIp: null, dstHost: 'c2.example' }),
    ]).flat()
    const known = walk(mixed)
    expect(known).toHaveLength(3)
    expect(known.map(({ beats: each }) => each >= 7).filter(Boolean)).toHaveLength(2)
  })

  it('are of those who call a service, and of nobody else', () => {
    const others: Partial<Event>[] = [
      { category: 'dns', action: 'query' },
      { action: 'anomaly' },
      { dstPort: null },
      { dstIp: null, dstHost: null },
    ]
    for (const fields of others) expect(contactOf([], call(T0, fields))).toBeNull()
  })

  it('forget the service that was called longest ago', () => {
    const known = walk(Array.from({ length: CONTACT_LIMIT + 3 }, (_, i) => call(T0 + i, { dstPort: i })))
    expect(known).toHaveLength(CONTACT_LIMIT)
    expect(known.map(({ time }) => time - T0)).toEqual(Array.from(known, (_, i) => i + 3))
  })

  it('do not go back in time for a late call, and follow a clock that was set back', () => {
    expect(walk([call(T0), call(T0 - 30_000)]).at(-1)).toMatchObject({ time: T0, beats: 0 })
    const past = T0 - 30 * 86_400_000
    expect(walk([call(T0), call(past)]).at(-1)).toMatchObject({ time: past, gapMs: 0, beats: 0 })
  })

  it('keep whole numbers that Avro can write, whatever the times', () => {
    const time = fc.integer({ min: 2 - 2 ** 53, max: 2 ** 53 - 2 })
    fc.assert(
      fc.property(fc.array(fc.oneof(time, fc.integer({ min: T0, max: T0 + 1e9 }))), times => {
        for (const contact of walk(times.map(each => call(each)))) {
          expect(Object.values(contact).every(Number.isSafeInteger)).toBe(true)
          expect(contact.gapMs).toBeGreaterThanOrEqual(0)
          expect(contact.target).toBe(contact.target | 0)
        }
      }),
    )
  })
})
