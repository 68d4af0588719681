import { describe, expect, it } from '@jest/globals'
import { isWithin, windowOf } from './window.ts'

describe('a window', () => {
  it.each([
    ['2026-03-01', Date.UTC(2026, 2, 1)],
    ['2026-03-01T12:30', Date.UTC(2026, 2, 1, 12, 30)],
    ['2026-03-01 12:30:05', Date.UTC(2026, 2, 1, 12, 30, 5)],
    ['2026-03-01T12:30:05.250Z', Date.UTC(2026, 2, 1, 12, 30, 5, 250)],
    ['2026-03-01T12:30:05+02:00', Date.UTC(2026, 2, 1, 10, 30, 5)],
    ['2026-03-01t12:30:05z', Date.UTC(2026, 2, 1, 12, 30, 5)],
    ['earliest', Number.NEGATIVE_INFINITY],
  ])('begins at %s', (from, ms) => {
    expect(windowOf({ from })).toEqual({ from: ms, to: Number.POSITIVE_INFINITY })
  })

  it('is everything when nothing is said, and goes up to its end', () => {
    const everything = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
    expect(windowOf({})).toEqual(everything)
    expect(windowOf({ from: 'earliest', to: 'latest' })).toEqual(everything)
    const second = windowOf({ from: '2026-03-01T00:00:01Z', to: '2026-03-01T00:00:02Z' })
    const start = Date.UTC(2026, 2, 1)
    expect([999, 1_000, 1_999, 2_000].map(ms => isWithin(second, start + ms))).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it.each([
    { from: 'yesterday' },
    { from: '2026-13-01' },
    { to: '2026-03-01T25:00Z' },
    { to: '1700000000000' },
    { to: '' },
    { from: 'latest' },
    { to: 'earliest' },
    { from: '2026-03-02', to: '2026-03-01' },
    { from: '2026-03-01', to: '2026-03-01' },
  ])('is refused when it is %j', options => {
    expect(() => windowOf(options)).toThrow(expect.objectContaining({ code: 'NS_USAGE' }))
  })
})
