import { describe, expect, it } from '@jest/globals'
import { rankingOf } from '../evaluation/ranking.ts'
import { explainAutoencoder, scoreAutoencoder, trainAutoencoder } from './autoencoder.ts'
import type { Matrix } from './matrix.ts'
import { createRandom } from './random.ts'

const FEATURES = 12

/** Two numbers that go by themselves, and of each what no straight line connects with it, each of them twice. */
const bent = (rows: number, seed: number): Matrix => {
  const random = createRandom(seed)
  const values = new Float32Array(rows * FEATURES)
  for (let row = 0; row < rows; row++) {
    const [x, y] = [2 * random.next() - 1, 2 * random.next() - 1]
    const bentOnce = [x, Math.abs(x), x * x, y, Math.abs(y), y * y]
    values.set([...bentOnce, ...bentOnce], row * FEATURES)
  }
  return { values, rows, features: FEATURES }
}

describe('an autoencoder', () => {
  const data = bent(9000, 1)
  const autoencoder = trainAutoencoder(data, { seed: 3 })
  /** Usual rows, of which one in ten has the second value of another row: each value is a usual one. */
  const mixed = bent(2000, 2)
  const broken = Uint8Array.from({ length: mixed.rows }, (_, row) => (row % 10 === 0 ? 1 : 0))
  const others = bent(2000, 3).values
  for (const [row, isBroken] of broken.entries())
    if (isBroken) mixed.values[row * FEATURES + 1] = others[row * FEATURES + 1] ?? 0

  it('ranks broken connections, though no straight line is one, above usual rows, and says where', () => {
    expect(rankingOf(scoreAutoencoder(autoencoder, mixed), broken).auroc).toBeGreaterThan(0.85)
    const excess = explainAutoencoder(autoencoder, mixed)
    const meanOf = (feature: number) =>
      broken.reduce((sum, each, row) => sum + each * (excess[row * FEATURES + feature] ?? 0), 0)
    for (const feature of [0, 2, 3, 4, 5]) expect(meanOf(1)).toBeGreaterThan(meanOf(feature))
    expect(excess.every(part => part >= 0)).toBe(true)
  })

  it('learns: what it cannot say again gets less with every pass', () => {
    const mean = (epochs: number) => {
      const scores = scoreAutoencoder(trainAutoencoder(data, { seed: 3, epochs }), data)
      return scores.reduce((sum, score) => sum + score, 0) / scores.length
    }
    const [one, five, twenty] = [mean(1), mean(5), mean(20)]
    expect(five).toBeLessThan(one)
    expect(twenty).toBeLessThan(five)
  })

  it('is the same to the byte for the same rows and seed, another for another seed', () => {
    const small = bent(200, 4)
    const once = trainAutoencoder(small, { seed: 5, epochs: 2 })
    expect(trainAutoencoder(small, { seed: 5, epochs: 2 })).toEqual(once)
    expect(trainAutoencoder(small, { seed: 6, epochs: 2 })).not.toEqual(once)
  })

  it('stays finite on features that never vary and on rows far out', () => {
    const still = { values: new Float32Array(50 * FEATURES).fill(7), rows: 50, features: FEATURES }
    const trained = trainAutoencoder(still, { seed: 1 })
    const far = { values: new Float32Array(FEATURES).fill(1e30), rows: 1, features: FEATURES }
    expect(Number.isFinite(scoreAutoencoder(trained, far)[0])).toBe(true)
  })
})
