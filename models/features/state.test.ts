import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Behaviour, Event } from '../../schemas/generated.ts'
import { anyEvent, makeEvent } from '../../test/support/events.ts'
import { CONTACT_LIMIT } from './contacts.ts'
import { SET_LIMIT, TEXT_LIMIT } from './distinct.ts'
import { advance, FAST_HALF_LIFE_MS, STALE_EVENTS, STALE_MS } from './state.ts'

const T0 = 1_700_000_000_000

const walk = (events: readonly Event[]): Behaviour | null =>
  events.reduce<Behaviour | null>((before, event) => advance(before, event), null)

const freeze = (behaviour: Behaviour): Behaviour => {
  for (const value of Object.values(behaviour)) Object.freeze(value)
  return Object.freeze(behaviour)
}

describe('advance', () => {
  it('starts from the first event', () => {
    expect(advance(null, makeEvent({ time: T0 }))).toEqual({
      firstTime: T0,
      lastTime: T0,
      events: 1,
      failures: 1,
      eventsSlow: 1,
      failuresSlow: 1,
      ports: [22],
      hosts: ['192.0.2.1'],
      users: ['root'],
      types: ['cowrie.login.failed'],
      behind: 0,
      recent: null,
      eventsDay: 1,
      failuresDay: 1,
      failedLogins: 1,
      failedLoginsSlow: 1,
      newPorts: 1,
      newPortsSlow: 1,
      newHosts: 1,
      newHostsSlow: 1,
      newUsers: 1,
      newUsersSlow: 1,
      bytes: 0,
      bytesSlow: 0,
      gapMean: -1,
      gapSpread: 0,
      contacts: [],
    })
  })

  it('halves the counters in their half-life', () => {
    const success = { outcome: 'success' } as const
    const minute = walk([makeEvent({ time: T0 }), makeEvent({ time: T0 + 60_000, ...success })])
    expect(minute?.events).toBeCloseTo(1.5, 12)
    expect(minute?.failures).toBeCloseTo(0.5, 12)
    const hour = walk([makeEvent({ time: T0 }), makeEvent({ time: T0 + 3_600_000, ...success })])
    expect(hour?.eventsSlow).toBeCloseTo(1.5, 12)
    expect(hour?.failuresSlow).toBeCloseTo(0.5, 12)
    expect(hour?.failedLoginsSlow).toBe(0.5)
    const day = walk([makeEvent({ time: T0 }), makeEvent({ time: T0 + 86_400_000, ...success })])
    expect(day).toMatchObject({ eventsDay: 1.5, failuresDay: 0.5 })
  })

  it('counts what is new to the entity, and only that', () => {
    const twice = walk([makeEvent({ user: 'a', dstPort: 1 }), makeEvent({ user: 'b', dstPort: 1 })])
    expect(twice).toMatchObject({ newUsers: 2, newPorts: 1, newHosts: 1 })
    expect(walk([makeEvent({ user: null, dstPort: null, dstIp: null })])).toMatchObject({
      newUsers: 0,
      newPorts: 0,
      newHosts: 0,
    })
  })

  it('tells a failed login from what else fails', () => {
    const state = walk([makeEvent(), makeEvent({ category: 'tls' }), makeEvent({ outcome: 'unknown' })])
    expect(state).toMatchObject({ failures: 2, failedLogins: 1 })
  })

  it('counts bytes of both directions, and none that are negative or not known', () => {
    const sizes = [
      { bytesIn: 10, bytesOut: 5 },
      { bytesIn: null, bytesOut: 2 },
      { bytesIn: -9, bytesOut: null },
    ]
    expect(walk(sizes.map(makeEvent))).toMatchObject({ bytes: 17, bytesSlow: 17 })
  })

  it('knows how long the gaps are and how far they are apart', () => {
    const at = (seconds: number[]) => walk(seconds.map(each => makeEvent({ time: T0 + each * 1000 })))
    expect(at([0, 60, 120, 180])?.gapMean).toBeCloseTo(Math.log(61), 5)
    expect(at([0, 60, 120, 180])?.gapSpread).toBeCloseTo(0, 5)
    expect(at([0, 60, 61, 300])?.gapSpread).toBeGreaterThan(0.5)
    expect(at([0, 60, 30])?.gapMean).toBe(at([0, 60])?.gapMean)
  })

  it('comes to the same whatever the order of events of one moment', () => {
    const moment = fc.array(
      fc.record({
        outcome: fc.constantFrom('success' as const, 'failure' as const),
        user: fc.constantFrom('a', 'b'),
        dstPort: fc.nat(9),
        bytesIn: fc.nat(999),
      }),
      { minLength: 1, maxLength: 20 },
    )
    const sums = ({ ports, users, ...state }: Behaviour) => ({
      ...state,
      ports: ports.toSorted((a, b) => a - b),
      users: users.toSorted(),
    })
    fc.assert(
      fc.property(moment, events => {
        const made = events.map(makeEvent)
        const [one, two] = [walk(made), walk(made.toReversed())]
        if (one === null || two === null) throw new Error('no events')
        expect(sums(one)).toEqual(sums(two))
      }),
    )
  })

  it('gives a late event the weight it would have had by now, and does not move time backwards', () => {
    const early = makeEvent({ time: T0 })
    const late = makeEvent({ time: T0 + 45_000 })
    const inOrder = walk([early, late])
    const swapped = walk([late, early])
    expect(swapped).toMatchObject({ firstTime: T0 + 45_000, lastTime: T0 + 45_000 })
    expect(swapped?.events).toBeCloseTo(inOrder?.events ?? 0, 12)
    expect(swapped?.failuresSlow).toBeCloseTo(inOrder?.failuresSlow ?? 0, 12)
  })

  it('holds no more of a long text than it keeps', () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const heldBytes = () => {
      collect()
      return process.memoryUsage().heapUsed
    }
    const before = heldBytes()
    const long = (i: number) => Buffer.from(String(i).padEnd(1_000_000, 'x')).toString()
    const state = walk(Array.from({ length: SET_LIMIT }, (_, i) => makeEvent({ user: long(i) })))
    expect(heldBytes() - before).toBeLessThan(8_000_000)
    expect(state?.users).toHaveLength(SET_LIMIT)
  })

  it('keeps the latest 64 distinct members, the latest last', () => {
    const ports = walk(Array.from({ length: 100 }, (_, i) => makeEvent({ dstPort: i })))?.ports
    expect(ports).toEqual(Array.from({ length: SET_LIMIT }, (_, i) => 36 + i))
    const users = walk(['a', 'b', 'c', 'a'].map(user => makeEvent({ user })))?.users
    expect(users).toEqual(['b', 'c', 'a'])
  })

  it('cuts long texts without leaving half a character', () => {
    const user = `${'u'.repeat(TEXT_LIMIT - 1)}😀`
    const kept = advance(null, makeEvent({ user })).users[0] ?? ''
    expect(kept).toHaveLength(TEXT_LIMIT)
    expect(Buffer.from(kept, 'utf8').toString('utf8')).toBe(kept)
  })

  it('is pure, finite and bounded for every event, whatever its clock', () => {
    fc.assert(
      fc.property(fc.array(anyEvent(), { minLength: 1, maxLength: 30 }), events => {
        let state: Behaviour | null = null
        for (const event of events) {
          const next: Behaviour = freeze(advance(state, event))
          expect(advance(state, event)).toEqual(next)
          const { firstTime, lastTime, behind, gapMean, gapSpread, bytes, bytesSlow, ...rest } = next
          for (const counter of Object.values(rest).filter(value => typeof value === 'number')) {
            expect(counter).toBeGreaterThanOrEqual(0)
            expect(counter).toBeLessThanOrEqual(events.length)
          }
          for (const value of [gapMean, gapSpread, bytes, bytesSlow]) expect(value).toBe(Math.fround(value))
          expect(next.contacts.length).toBeLessThanOrEqual(CONTACT_LIMIT)
          const latest = Math.max((state as Behaviour | null)?.lastTime ?? event.time, event.time)
          expect([latest, event.time]).toContain(next.lastTime)
          expect(next.behind).toBeLessThan(STALE_EVENTS)
          state = next
        }
      }),
    )
  })
})

describe('a wrong clock', () => {
  const YEARS_MS = 10 * 365 * 86_400_000
  /** Events of a right clock, one a second. */
  const steady = (count: number, from = T0) =>
    Array.from({ length: count }, (_, i) => makeEvent({ time: from + i * 1000 }))
  const from = (state: Behaviour | null, events: readonly Event[]) =>
    events.reduce<Behaviour | null>((before, event) => advance(before, event), state)

  it('that was years ahead costs an entity few events, and what it had counted', () => {
    const wild = makeEvent({ time: T0 + YEARS_MS })
    const blind = walk([...steady(20), wild, ...steady(STALE_EVENTS - 1)])
    expect(blind).toMatchObject({ lastTime: T0 + YEARS_MS, behind: STALE_EVENTS - 1 })
    expect(blind?.events).toBeCloseTo(1, 5)
    const seeing = from(blind, steady(10, T0 + 20_000))
    expect(seeing).toMatchObject({ lastTime: T0 + 29_000, behind: 0 })
    expect(seeing?.events).toBeCloseTo((walk(steady(10))?.events ?? 0) + 2 ** (-9 / 60), 5)
  })

  it('that has fallen back is followed, and what was counted goes on from there', () => {
    const state = from(walk(steady(20)), steady(30, 1_000))
    expect(state).toMatchObject({ lastTime: 1_000 + 29_000, behind: 0 })
    expect(state?.eventsSlow).toBeGreaterThan(40)
  })

  it('of few late events does not move a clock that others agree on', () => {
    const mixed = steady(100).flatMap(event => [event, makeEvent({ time: event.time - YEARS_MS })])
    const alone = walk(steady(100))
    expect(walk(mixed)).toMatchObject({ lastTime: alone?.lastTime, behind: 1 })
    expect(walk(mixed)?.events).toBeCloseTo(alone?.events ?? 0, 9)
  })

  it('is not suspected of what is a day late or less', () => {
    const late = (ms: number) => Array.from({ length: 20 }, () => makeEvent({ time: T0 - ms }))
    expect(from(walk(steady(1)), late(STALE_MS))).toMatchObject({ lastTime: T0, behind: 0 })
    expect(from(walk(steady(1)), late(STALE_MS + 1))?.lastTime).toBe(T0 - STALE_MS - 1)
  })

  it('never leaves an entity blind, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(anyEvent(), { maxLength: 20 }), fc.integer({ min: 1, max: 20 }), (past, count) => {
        const before = from(walk(past), steady(STALE_EVENTS))
        // From here on an event is late by a day at most, and by nothing once a clock was found wrong.
        expect((before?.lastTime ?? 0) - (T0 + STALE_EVENTS * 1000)).toBeLessThanOrEqual(STALE_MS)
        fc.pre((before?.lastTime ?? 0) < T0 + STALE_EVENTS * 1000)
        const after = from(before, steady(count, T0 + STALE_EVENTS * 1000))
        const counted = walk(steady(count))?.events ?? 0
        const elapsed = T0 + (STALE_EVENTS + count - 1) * 1000 - (before?.lastTime ?? 0)
        const kept = (before?.events ?? 0) * 2 ** (-elapsed / FAST_HALF_LIFE_MS)
        expect(after?.events).toBeCloseTo(counted + kept, 6)
      }),
    )
  })
})
