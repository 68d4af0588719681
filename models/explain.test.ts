import { describe, expect, it } from '@jest/globals'
import { contributionsOf } from './explain.ts'

const manifest = {
  features: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
  expected: { low: [0, 0, 0, 0, 0, 0], high: [1, 2, 3, 4, 5, 6] },
}

describe('contributionsOf', () => {
  it('names the features with the largest share first, with value and expected range', () => {
    const named = contributionsOf(manifest, [9, 8, 7, 6, 5, 4, 3], [1, 0, 3, 0, 0, 0, 0])
    expect(named).toEqual([
      { feature: 'c', value: 7, share: 0.75, expectedLow: 0, expectedHigh: 3, eventsAgo: 0 },
      { feature: 'a', value: 9, share: 0.25, expectedLow: 0, expectedHigh: 1, eventsAgo: 0 },
    ])
  })

  it('names five at most and none that hardly counts; the share is of all of them', () => {
    const named = contributionsOf(manifest, [], [20, 10, 10, 10, 10, 39, 1])
    expect(named.map(({ feature, share }) => [feature, share])).toEqual([
      ['f', 0.39],
      ['a', 0.2],
      ['b', 0.1],
      ['c', 0.1],
      ['d', 0.1],
    ])
    expect(contributionsOf(manifest, [], [99, 1, 0, 0, 0, 0, 0])).toHaveLength(1)
  })

  it('has no range where the manifest knows none, and no name where nothing was unusual', () => {
    expect(contributionsOf(manifest, [], [0, 0, 0, 0, 0, 0, 1])).toMatchObject([
      { feature: 'g', expectedLow: null, expectedHigh: null },
    ])
    expect(contributionsOf(manifest, [], [0, 0, 0, 0, 0, 0, 0])).toEqual([])
  })
})
