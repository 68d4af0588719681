import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { agreementOf } from './agreement.ts'

const scores = fc.array(fc.nat(1_000_000), { minLength: 2, maxLength: 200 })

describe('the agreement of two models', () => {
  it('is whole for scores in the same order, and as small as can be in the opposite one', () => {
    fc.assert(
      fc.property(scores, list => {
        const distinct = [...new Set(list)]
        fc.pre(distinct.length > 1)
        const same = agreementOf(
          distinct,
          distinct.map(score => score * score + 1),
        )
        expect(same).toEqual({ rank: expect.closeTo(1, 9), top: 1 })
        const opposite = agreementOf(
          distinct,
          distinct.map(score => -score),
        )
        expect(opposite.rank).toBeCloseTo(-1, 9)
      }),
    )
  })

  it('is nothing with a model that scores all rows alike', () => {
    const list = Array.from({ length: 100 }, (_, i) => (i * 37) % 100)
    expect(agreementOf(list, new Array(100).fill(0.5)).rank).toBe(0)
    expect(agreementOf([], [])).toEqual({ rank: 0, top: 0 })
  })

  it('looks at the most unusual rows by themselves', () => {
    const one = Array.from({ length: 1_000 }, (_, i) => i / 1_000)
    const other = one.map((score, i) => (i >= 990 ? 0 : score))
    expect(agreementOf(one, other)).toMatchObject({ rank: expect.closeTo(0.94, 1), top: 0 })
  })
})
