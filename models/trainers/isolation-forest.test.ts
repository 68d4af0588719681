import { describe, expect, it } from '@jest/globals'
import { averagePathLength, scoreIsolationForest, trainIsolationForest } from './isolation-forest.ts'
import type { Matrix } from './matrix.ts'
import { createRandom } from './random.ts'

/** A cloud around the origin with one far row at the end. */
const cloud = (rows: number, features: number): Matrix => {
  const random = createRandom(11)
  const values = Float32Array.from({ length: rows * features }, () => random.next() + random.next() - 1)
  return { values: values.fill(9, (rows - 1) * features), rows, features }
}

describe('the isolation forest', () => {
  it('scores an outlier above everything else', () => {
    const data = cloud(2000, 4)
    const scores = scoreIsolationForest(trainIsolationForest(data, { seed: 1 }), data)
    expect(Math.max(...scores.slice(0, -1))).toBeLessThan(scores.at(-1) ?? 0)
    expect(scores.at(-1)).toBeGreaterThan(0.7)
    expect(scores.toSorted()[1000]).toBeLessThan(0.5)
  })

  it('is the same to the byte for the same seed', () => {
    const data = cloud(500, 3)
    const grown = (seed: number) => trainIsolationForest(data, { seed })
    expect(grown(1)).toEqual(grown(1))
    expect(grown(1)).not.toEqual(grown(2))
  })

  it('grows whole binary trees: every row ends in one leaf, both sides of a split have rows', () => {
    const data = cloud(300, 5)
    for (const tree of trainIsolationForest(data, { seed: 3, trees: 20 }).trees) {
      const leaves = tree.feature.filter(each => each < 0).length
      expect(tree.feature.length).toBe(2 * leaves - 1)
      expect(leaves).toBeGreaterThan(1)
      expect(leaves).toBeLessThanOrEqual(256)
    }
  })

  it('does not split rows that are alike', () => {
    const data = { values: new Float32Array(40), rows: 20, features: 2 }
    const forest = trainIsolationForest(data, { seed: 1, trees: 3 })
    expect(forest.trees.map(tree => tree.feature.length)).toEqual([1, 1, 1])
    expect(scoreIsolationForest(forest, data)[0]).toBeCloseTo(0.5, 6)
  })

  it('refuses to learn from less than two rows', () => {
    const one = { values: new Float32Array(2), rows: 1, features: 2 }
    expect(() => trainIsolationForest(one, { seed: 1 })).toThrow(/2 rows or more/)
  })
})

describe('averagePathLength', () => {
  it('is c(n) of the paper', () => {
    expect([0, 1, 2].map(averagePathLength)).toEqual([0, 0, 1])
    expect(averagePathLength(256)).toBeCloseTo(10.2448, 4)
  })
})

describe('createRandom', () => {
  it('gives the sequence of sfc32', () => {
    // Made by a second implementation of PractRand's sfc32: a = 0, b = 2, c = 1, counter = 1, 12 steps run off.
    const random = createRandom(2 ** 32 + 2)
    const values = [random.next(), random.next(), random.next()]
    expect(values).toEqual([0.387601782266905, 0.0022865758428503025, 0.6581685773425183])
    expect(createRandom(2 ** 32 + 2).next()).toBe(values[0])
    expect(createRandom(2).next()).not.toBe(values[0])
  })

  it('draws whole numbers below the bound, all of them', () => {
    const random = createRandom(1)
    expect(new Set(Array.from({ length: 500 }, () => random.below(7)))).toEqual(
      new Set([0, 1, 2, 3, 4, 5, 6]),
    )
  })
})
