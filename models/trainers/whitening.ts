import { eigenOf } from './eigen.ts'
import type { Matrix } from './matrix.ts'
import { fitNormaliser, type Normaliser, normalise } from './normaliser.ts'
import { aboveUsual, type Residuals, sumByRow, usualSizes } from './residuals.ts'

/**
 * What the features of a row usually have to do with each other. A row is brought to deviations from the mean and then
 * whitened: each feature keeps what does not follow from the others, on a scale where all directions are equally usual
 * (ZCA: Kessy, Lewin, Strimmer: Optimal Whitening and Decorrelation, The American Statistician 2018). The sum of the squares
 * would be Mahalanobis' distance; the sum of the sizes is taken, of which one wild feature is a smaller part.
 */
export interface Whitening {
  readonly normaliser: Normaliser
  /** Features × features, row by row: a normalised row times this is the whitened one. */
  readonly matrix: Float32Array
  /** Mean size of each whitened feature in training. */
  readonly usual: Float32Array
}

/** How a whitening is made. */
export interface WhiteningOptions {
  /**
   * Added to the variance of every direction, where 1 is a feature's own: directions that hardly vary in training count, but
   * do not decide alone.
   */
  readonly ridge?: number
}

const covariance = ({ values, rows, features }: Matrix): Float64Array => {
  const sums = new Float64Array(features * features)
  for (let row = 0; row < rows; row++) {
    const at = row * features
    for (let p = 0; p < features; p++) {
      const left = values[at + p] ?? 0
      if (left === 0) continue
      for (let q = p; q < features; q++)
        sums[p * features + q] = (sums[p * features + q] ?? 0) + left * (values[at + q] ?? 0)
    }
  }
  for (let p = 0; p < features; p++) {
    for (let q = p; q < features; q++) {
      const value = (sums[p * features + q] ?? 0) / rows
      sums[p * features + q] = value
      sums[q * features + p] = value
    }
  }
  return sums
}

/** Learns the whitening. Deterministic in the rows and their order. */
export const trainWhitening = (data: Matrix, { ridge = 0.1 }: WhiteningOptions = {}): Whitening => {
  const { features } = data
  const normaliser = fitNormaliser(data)
  const { values, vectors } = eigenOf(covariance(normalise(normaliser, data)), features)
  const matrix = new Float64Array(features * features)
  for (const [i, vector] of vectors.entries()) {
    const weight = 1 / Math.sqrt(Math.max(0, values[i] ?? 0) + ridge)
    for (let p = 0; p < features; p++) {
      const scaled = weight * (vector[p] ?? 0)
      for (let q = 0; q < features; q++)
        matrix[p * features + q] = (matrix[p * features + q] ?? 0) + scaled * (vector[q] ?? 0)
    }
  }
  const fitted = { normaliser, matrix: Float32Array.from(matrix) }
  return { ...fitted, usual: usualSizes(sizes(fitted, data), features) }
}

/** The size of each whitened value of each row: rows × features. */
const sizes = ({ normaliser, matrix }: Omit<Whitening, 'usual'>, data: Matrix): Residuals => {
  const { rows, features } = data
  const { values } = normalise(normaliser, data)
  const out = new Float64Array(rows * features)
  for (let row = 0; row < rows; row++) {
    const at = row * features
    const whitened = out.subarray(at, at + features)
    for (let p = 0; p < features; p++) {
      const value = values[at + p] ?? 0
      if (value === 0) continue
      for (let q = 0; q < features; q++)
        whitened[q] = (whitened[q] ?? 0) + value * (matrix[p * features + q] ?? 0)
    }
    for (let q = 0; q < features; q++) whitened[q] = Math.abs(whitened[q] ?? 0)
  }
  return out
}

/** Scores of rows, 0 or more: the sum of the sizes; higher is more unusual. */
export const scoreWhitening = (whitening: Whitening, data: Matrix): Float64Array =>
  sumByRow(sizes(whitening, data), data.features)

/** By how much each size is above its usual one, 0 where it is not: rows × features. */
export const explainWhitening = (whitening: Whitening, data: Matrix): Float64Array =>
  aboveUsual(sizes(whitening, data), whitening.usual)
