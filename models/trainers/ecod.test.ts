import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { explainEcod, scoreEcod, trainEcod } from './ecod.ts'
import type { Matrix } from './matrix.ts'
import { createRandom } from './random.ts'

const column = (...values: number[]): Matrix => ({
  values: Float32Array.from(values),
  rows: values.length,
  features: 1,
})

const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
  minLength: 1,
  maxLength: 50,
})

describe('ECOD', () => {
  it('is the surprise of the rarer tail, exactly, while a feature has few values', () => {
    fc.assert(
      fc.property(numbers, numbers, (training, probes) => {
        const data = column(...training)
        const scores = scoreEcod(trainEcod(data), column(...training, ...probes))
        for (const [i, x] of [...training, ...probes].entries()) {
          const value = Math.fround(x)
          const atMost = data.values.filter(each => each <= value).length
          const atLeast = data.values.filter(each => each >= value).length
          const rarer = Math.min(atMost, atLeast)
          expect(scores[i]).toBeCloseTo(-Math.log((rarer + 1) / (data.rows + 1)), 4)
        }
      }),
    )
  })

  it('is as close to that as its quantiles are, for a feature with many values', () => {
    const random = createRandom(1)
    const values = Array.from({ length: 20_000 }, () => (random.next() + random.next()) * 100)
    const sorted = Float32Array.from(values).toSorted()
    const probes = Array.from({ length: 500 }, (_, i) => sorted[i * 40] ?? 0)
    const scores = scoreEcod(trainEcod(column(...values)), column(...probes))
    for (const i of probes.keys()) {
      const rarer = Math.min(i * 40 + 1, 20_000 - i * 40)
      expect(Math.abs((scores[i] ?? 0) + Math.log((rarer + 1) / 20_001))).toBeLessThan(0.7)
    }
  })

  it('is frozen: what else is scored makes no difference', () => {
    const ecod = trainEcod(column(...Array.from({ length: 100 }, (_, i) => i)))
    const alone = scoreEcod(ecod, column(1000))[0] ?? 0
    expect(alone).toBeCloseTo(Math.log(101), 5)
    expect([...scoreEcod(ecod, column(...Array<number>(50).fill(1000)))]).toEqual(Array(50).fill(alone))
  })

  it('adds up the features, and says how much each is above its usual', () => {
    const rows = 200
    const values = new Float32Array(rows * 2)
    for (let row = 0; row < rows; row++) values.set([row, row % 2], row * 2)
    const ecod = trainEcod({ values, rows, features: 2 })
    const probe = { values: Float32Array.of(1e6, 1), rows: 1, features: 2 }
    const single = (feature: number, value: number) => {
      const table = ecod.tables[feature]
      if (table === undefined) throw new Error(`no feature ${feature}`)
      return scoreEcod({ tables: [table] }, column(value))[0] ?? 0
    }
    expect(scoreEcod(ecod, probe)[0]).toBeCloseTo(single(0, 1e6) + single(1, 1), 9)
    const [far, usual] = explainEcod(ecod, probe)
    // One of two equally frequent values is never a surprise; the usual surprise of a spread-out feature is 1 + ln 2.
    expect(usual).toBeCloseTo(0, 6)
    expect(Math.abs((far ?? 0) - (Math.log(201) - 1 - Math.LN2))).toBeLessThan(0.1)
  })

  it('refuses to learn from nothing', () => {
    expect(() => trainEcod(column())).toThrow(/a row or more/)
  })
})
