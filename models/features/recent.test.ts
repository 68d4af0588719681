import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Behaviour } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { FEATURE_COUNT, featureNames, featureRows } from './features.ts'
import { nextRecent, type RecentForm, writeWindow } from './recent.ts'
import { advance } from './state.ts'

const EVENTS = 4
const names = ['bytes_in', 'user_length']
const form: RecentForm = {
  events: EVENTS,
  columns: names.map(name => featureNames.indexOf(name)),
  low: [0, -1],
  high: [10, 4],
  id: 'f1',
}

const T0 = 1_700_000_000_000
const eventOf = (bytesIn: number, i: number) =>
  makeEvent({ time: T0 + i * 1000, bytesIn, user: 'u'.repeat(i % 9) })

/** Each event's window and what is kept before it. */
const follow = (sizes: readonly number[], of: RecentForm = form, first: Behaviour | null = null) => {
  let before = first
  return sizes.map((size, i) => {
    const event = eventOf(size, i)
    const window = new Float32Array(of.events * of.columns.length)
    const known = writeWindow(of, { event, before }, window, 0)
    const row = featureRows([{ event, before }])
    before = { ...advance(before, event), recent: nextRecent(of, before, event) }
    return { window: [...window], known, row, after: before }
  })
}

/** A value as a byte of its range, brought to 0 to 1. */
const byteOf = (value: number, column: number): number => {
  const [low, high] = [form.low[column] ?? 0, form.high[column] ?? 1]
  return Math.fround(Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * 255) / 255)
}

describe('the latest events of an entity', () => {
  it('make a window, the oldest first and the event itself last, zeros before the first of all', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 12 }), sizes => {
        const followed = follow(sizes)
        for (const [i, { window, known }] of followed.entries()) {
          const seen = followed.slice(Math.max(0, i - EVENTS + 1), i + 1)
          expect(known).toBe(seen.length)
          const rows = seen.flatMap(({ row }) => form.columns.map((column, c) => byteOf(row[column] ?? 0, c)))
          expect(window).toEqual([...new Array<number>((EVENTS - seen.length) * 2).fill(0), ...rows])
        }
      }),
    )
  })

  it('are bounded: one event less than a window, a byte a value', () => {
    const kept = follow(Array.from({ length: 50 }, (_, i) => i)).map(({ after }) => after.recent?.rows.length)
    expect(Math.max(...kept.map(each => each ?? 0))).toBe((EVENTS - 1) * 2)
    expect(form.columns.every(column => column >= 0 && column < FEATURE_COUNT)).toBe(true)
  })

  it('are of no use to another form, which starts anew', () => {
    const { after } = follow([1, 2, 3, 4, 5]).at(-1) ?? {}
    const [first] = follow([6], { ...form, id: 'f2' }, after ?? null)
    expect(first?.known).toBe(1)
    expect(first?.after.recent).toMatchObject({ form: 'f2' })
    expect(follow([6], form, after ?? null)[0]?.known).toBe(EVENTS)
  })

  it('serve a form of fewer or more events that has the same columns', () => {
    const { after } = follow([1, 2, 3, 4, 5]).at(-1) ?? {}
    const [short] = follow([6], { ...form, events: 2 }, after ?? null)
    expect(short).toMatchObject({ known: 2 })
    expect(short?.after.recent?.rows.length).toBe(2)
    expect(follow([6], { ...form, events: 9 }, after ?? null)[0]?.known).toBe(EVENTS)
  })

  it('are not kept by what looks at no windows', () => {
    const { after } = follow([1, 2, 3]).at(-1) ?? {}
    expect(advance(after ?? null, eventOf(4, 3)).recent).toBeNull()
  })
})
