import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Behaviour, Event } from '../../schemas/generated.ts'
import { anyEvent, makeEvent } from '../../test/support/events.ts'
import { advance, SET_LIMIT, TEXT_LIMIT } from './state.ts'

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
          for (const counter of [next.events, next.failures, next.eventsSlow, next.failuresSlow]) {
            expect(counter).toBeGreaterThanOrEqual(0)
            expect(counter).toBeLessThanOrEqual(events.length)
          }
          if (state !== null) expect(next.lastTime).toBeGreaterThanOrEqual((state as Behaviour).lastTime)
          state = next
        }
      }),
    )
  })
})
