import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { eigenOf } from './eigen.ts'
import { fitNormaliser, normalise } from './normaliser.ts'
import { createRandom } from './random.ts'
import { explainWhitening, scoreWhitening, trainWhitening } from './whitening.ts'

const symmetric = fc.integer({ min: 1, max: 7 }).chain(size =>
  fc
    .array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: size * size, maxLength: size * size })
    .map(values => ({
      size,
      matrix: Float64Array.from(values, (value, i) => {
        const [row, column] = [Math.floor(i / size), i % size]
        return value + (values[column * size + row] ?? 0)
      }),
    })),
)

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)

describe('eigenOf', () => {
  it('gives orthogonal unit vectors that the matrix only stretches, by the values in falling order', () => {
    fc.assert(
      fc.property(symmetric, ({ size, matrix }) => {
        const { values, vectors } = eigenOf(matrix, size)
        expect([...values]).toEqual([...values].toSorted((a, b) => b - a))
        for (const [i, vector] of vectors.entries()) {
          for (const [j, other] of vectors.entries())
            expect(dot(vector, other)).toBeCloseTo(i === j ? 1 : 0, 8)
          for (let row = 0; row < size; row++) {
            const stretched = dot(matrix.subarray(row * size, (row + 1) * size), vector)
            expect(stretched).toBeCloseTo((values[i] ?? 0) * (vector[row] ?? 0), 6)
          }
        }
      }),
    )
  })
})

describe('the normaliser', () => {
  it('brings features to mean 0 and deviation 1, cuts far values, and leaves a constant one its scale', () => {
    const data = { values: Float32Array.of(1, 5, 3, 5, 5, 5, 7, 5), rows: 4, features: 2 }
    const normaliser = fitNormaliser(data)
    const { values } = normalise(normaliser, data)
    const first = [0, 2, 4, 6].map(i => values[i] ?? 0)
    expect(dot(first, [1, 1, 1, 1])).toBeCloseTo(0, 5)
    expect(dot(first, first) / 4).toBeCloseTo(1, 5)
    const other = normalise(normaliser, { values: Float32Array.of(1e9, 6), rows: 1, features: 2 })
    expect([...other.values]).toEqual([20, 1])
  })
})

describe('a whitening', () => {
  const random = createRandom(4)
  /** Two features that go together, one that goes by itself. */
  const rows = 500
  const values = new Float32Array(rows * 3)
  for (let row = 0; row < rows; row++) {
    const x = random.next()
    values.set([x, 2 * x + 0.01 * random.next(), random.next()], row * 3)
  }
  const data = { values, rows, features: 3 }
  const odd = { values: Float32Array.of(0.1, 1.8, 0.5), rows: 1, features: 3 }

  it('scores a broken connection above everything else, although each value is a usual one', () => {
    const whitening = trainWhitening(data)
    expect(scoreWhitening(whitening, odd)[0]).toBeGreaterThan(
      1.2 * Math.max(...scoreWhitening(whitening, data)),
    )
    const [first = 0, second = 0, third = 0] = explainWhitening(whitening, odd)
    expect(Math.min(first, second)).toBeGreaterThan(10 * third)
  })

  it('makes all directions equally usual and independent, but for the ridge', () => {
    const { normaliser, matrix } = trainWhitening(data, { ridge: 0 })
    const normalised = normalise(normaliser, data).values
    const whitened = Array.from({ length: 3 }, (_, q) =>
      Float64Array.from({ length: rows }, (_, row) =>
        dot(
          normalised.subarray(row * 3, row * 3 + 3),
          [0, 3, 6].map(p => matrix[p + q] ?? 0),
        ),
      ),
    )
    for (const [p, one] of whitened.entries())
      for (const [q, other] of whitened.entries())
        expect(dot(one, other) / rows).toBeCloseTo(p === q ? 1 : 0, 2)
  })
})
