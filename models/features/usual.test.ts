import { describe, expect, it } from '@jest/globals'
import type { Event } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { observe } from './observe.ts'
import { isUsual } from './usual.ts'

const T0 = 1_700_000_000_000

/** For each of so many events, `everyMs` apart, whether a model may learn from it. */
const usual = (count: number, everyMs: number, fields: (i: number) => Partial<Event>) =>
  observe(Array.from({ length: count }, (_, i) => makeEvent({ time: T0 + i * everyMs, ...fields(i) }))).map(
    isUsual,
  )

describe('what a model may learn from', () => {
  it('is a few failed logins, and not those of a brute force', () => {
    expect(usual(10, 1000, () => ({}))).toEqual([...Array(5).fill(true), ...Array(5).fill(false)])
    expect(usual(100, 3_600_000, () => ({}))).not.toContain(false)
  })

  it('is nothing that the one who guesses passwords does besides', () => {
    const entered = usual(10, 1000, i => (i === 9 ? { category: 'command', outcome: 'success' } : {}))
    expect(entered.at(-1)).toBe(false)
  })

  it('is a few ports, and not those of a scan', () => {
    const touched = (i: number) => ({ category: 'network', outcome: 'unknown' as const, dstPort: i })
    const scan = usual(20, 100, touched)
    expect(scan.slice(0, 8)).not.toContain(false)
    expect(scan.slice(9)).not.toContain(true)
    expect(usual(20, 60_000, touched)).not.toContain(false)
    expect(usual(20, 100, i => ({ ...touched(i), dstPort: 443 }))).not.toContain(false)
  })
})
