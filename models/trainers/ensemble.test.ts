import { describe, expect, it } from '@jest/globals'
import { scoreOfBudget } from './calibration.ts'
import { scoreEcod } from './ecod.ts'
import { scoreEnsemble, trainEnsemble } from './ensemble.ts'
import type { Matrix } from './matrix.ts'
import { createRandom } from './random.ts'

const FEATURES = 6

/** Features that go together in pairs, with a long tail. */
const usual = (rows: number, seed: number): Matrix => {
  const random = createRandom(seed)
  const values = new Float32Array(rows * FEATURES)
  for (let at = 0; at < values.length; at += 2) {
    const x = -Math.log(random.next() + 1e-12)
    values.set([x, x + random.next()], at)
  }
  return { values, rows, features: FEATURES }
}

describe('the ensemble', () => {
  const data = usual(4000, 1)
  const ensemble = trainEnsemble(data, { seed: 9 })

  it('keeps the budget of false alerts on rows that it has never seen', () => {
    const { scores } = scoreEnsemble(ensemble, usual(20_000, 2))
    for (const [budget, low, high] of [
      [20, 0.6, 1.6],
      [200, 0.4, 2.5],
    ] as const) {
      const alerts = scores.filter(score => score >= scoreOfBudget(budget)).length
      expect((alerts * budget) / scores.length).toBeGreaterThan(low)
      expect((alerts * budget) / scores.length).toBeLessThan(high)
    }
  })

  it('finds a far value and a broken connection, and says which features they are in', () => {
    const values = usual(2, 3).values
    values[2] = 60
    values.set([8, 0.1], FEATURES + 4)
    const { scores, contributions } = scoreEnsemble(ensemble, { values, rows: 2, features: FEATURES })
    expect(Math.min(...scores)).toBeGreaterThan(scoreOfBudget(1000))
    const largest = (row: number) => {
      const own = contributions.slice(row * FEATURES, (row + 1) * FEATURES)
      return own.indexOf(Math.max(...own))
    }
    expect(largest(0)).toBe(2)
    expect([4, 5]).toContain(largest(1))
  })

  it('is the same for the same rows and seed, another for another seed', () => {
    expect(trainEnsemble(data, { seed: 9 })).toEqual(ensemble)
    expect(trainEnsemble(data, { seed: 10 })).not.toEqual(ensemble)
  })

  it('leaves the most unusual rows out of the final fit when they may be anomalies', () => {
    const mixed = usual(4000, 1)
    const outliers = 120
    for (let row = 0; row < outliers; row++) mixed.values.set([30, 30], row * 33 * FEATURES)
    const probe = { values: Float32Array.of(30, 30, 1, 1.5, 1, 1.5), rows: 1, features: FEATURES }
    const nats = (contaminated: boolean) => {
      const trained = trainEnsemble(mixed, { seed: 9, contaminated })
      return scoreEcod(trained.ecod, probe)[0] ?? 0
    }
    expect(nats(true)).toBeGreaterThan(nats(false) + 2)
  })

  it('refuses to learn from less than four rows', () => {
    expect(() => trainEnsemble(usual(3, 1), { seed: 1 })).toThrow(/4 rows or more/)
  })
})
