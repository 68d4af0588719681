import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createRandom } from '../trainers/random.ts'
import { createTally, histogramOf, middleOf, stabilityIndex } from './histogram.ts'

const values = fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 1, maxLength: 300 })
const counted = (histogram: { edges: readonly number[] }, all: Iterable<number>) => {
  const tally = createTally(histogram)
  for (const value of all) tally.add(value)
  return tally.counts
}

describe('the middle of a distribution', () => {
  it('is its median, as far as the tenths tell it', () => {
    const hundred = Float32Array.from({ length: 101 }, (_, i) => i)
    expect(middleOf(histogramOf(hundred))).toBe(50)
    expect(middleOf(histogramOf(Float32Array.of(0, 0, 0, 0, 0, 0, 0, 3, 4)))).toBe(0)
    expect(middleOf(histogramOf(Float32Array.of(7)))).toBe(7)
    expect(middleOf({ edges: [], shares: [] })).toBe(0)
  })
})

describe('the population stability index', () => {
  it('is never negative, and 0 of the values that the histogram is of', () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const histogram = histogramOf(Float32Array.from(before).sort())
        expect(histogram.shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4)
        expect(stabilityIndex(histogram, counted(histogram, before))).toBeCloseTo(0, 3)
        expect(stabilityIndex(histogram, counted(histogram, after))).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  it('is small for another draw of the same, and large for a shift, whatever the share of one value', () => {
    const random = createRandom(1)
    const draw = (shift: number) =>
      Array.from({ length: 2_000 }, () => (random.next() < 0.4 ? 0 : random.next() + shift))
    const histogram = histogramOf(Float32Array.from(draw(0)).sort())
    expect(histogram.edges.length).toBeLessThan(9)
    expect(stabilityIndex(histogram, counted(histogram, draw(0)))).toBeLessThan(0.02)
    expect(stabilityIndex(histogram, counted(histogram, draw(0.5)))).toBeGreaterThan(0.25)
    expect(stabilityIndex(histogram, counted(histogram, draw(0).slice(0, 20)))).toBeLessThan(0.5)
  })

  it('sees a value that was never there in a feature that was always the same', () => {
    const histogram = histogramOf(new Float32Array(500))
    expect(stabilityIndex(histogram, [500, 0])).toBeCloseTo(0, 3)
    expect(stabilityIndex(histogram, [250, 250])).toBeGreaterThan(0.25)
    expect(stabilityIndex(histogram, [0, 0])).toBe(0)
  })
})
