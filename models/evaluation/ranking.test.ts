import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { rankingOf } from './ranking.ts'

describe('rankingOf', () => {
  it('is 1 when every anomaly is above the rest, 0 when it is below, a half when all are alike', () => {
    expect(rankingOf([1, 2, 3, 4], [0, 0, 1, 1])).toEqual({ auroc: 1, auprc: 1 })
    expect(rankingOf([1, 2, 3, 4], [1, 1, 0, 0]).auroc).toBe(0)
    expect(rankingOf([5, 5, 5, 5], [1, 0, 0, 0])).toEqual({ auroc: 0.5, auprc: 0.25 })
  })

  it('has the average precision of the textbook', () => {
    // Precision 1 at the first anomaly, 2 of 3 at the second.
    expect(rankingOf([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]).auprc).toBeCloseTo((1 + 2 / 3) / 2, 12)
  })

  it('is the share of pairs that are in order, equal scores counting half', () => {
    const row = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 }))
    fc.assert(
      fc.property(fc.array(row, { minLength: 2, maxLength: 60 }), rows => {
        const positives = rows.filter(([, label]) => label === 1)
        const negatives = rows.filter(([, label]) => label === 0)
        fc.pre(positives.length > 0 && negatives.length > 0)
        let ordered = 0
        for (const [high] of positives)
          for (const [low] of negatives) ordered += high > low ? 1 : high === low ? 0.5 : 0
        const { auroc } = rankingOf(
          rows.map(([score]) => score),
          rows.map(([, label]) => label),
        )
        expect(auroc).toBeCloseTo(ordered / positives.length / negatives.length, 12)
      }),
    )
  })

  it('is not a number when there is nothing to rank', () => {
    expect(rankingOf([1, 2], [0, 0])).toEqual({ auroc: Number.NaN, auprc: Number.NaN })
    expect(rankingOf([1, 2], [1, 1])).toEqual({ auroc: Number.NaN, auprc: Number.NaN })
  })
})
