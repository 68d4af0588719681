import { eigenOf } from './eigen.ts'
import type { Matrix } from './matrix.ts'
import { fitNormaliser, type Normaliser, normalise } from './normaliser.ts'

/**
 * What the features of a row usually have to do with each other (Shyu et al.: A Novel Anomaly Detection Scheme Based on
 * Principal Component Classifier, ICDM 2003): a row is taken apart into the main directions in which training rows differ,
 * and what these do not explain of it is how unusual it is. Each feature has its own part in that rest.
 */
export interface Pca {
  readonly normaliser: Normaliser
  /** Features × features, row by row: a normalised row times this is the rest that the main directions leave. */
  readonly residual: Float32Array
}

/** How much the main directions explain. */
export interface PcaOptions {
  /** Share of the variance. */
  readonly explained?: number
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

/** Finds the main directions. Deterministic in the rows and their order. */
export const trainPca = (data: Matrix, { explained = 0.9 }: PcaOptions = {}): Pca => {
  const { features } = data
  const normaliser = fitNormaliser(data)
  const { values, vectors } = eigenOf(covariance(normalise(normaliser, data)), features)
  const wanted = explained * values.reduce((sum, value) => sum + value, 0)
  const residual = new Float64Array(features * features)
  for (let i = 0; i < features; i++) residual[i * features + i] = 1
  let sum = 0
  for (const [i, vector] of vectors.entries()) {
    if (sum >= wanted) break
    sum += values[i] ?? 0
    for (let p = 0; p < features; p++)
      for (let q = 0; q < features; q++)
        residual[p * features + q] = (residual[p * features + q] ?? 0) - (vector[p] ?? 0) * (vector[q] ?? 0)
  }
  return { normaliser, residual: Float32Array.from(residual) }
}

/** What the main directions leave of each value of each row, squared: rows × features. */
export const explainPca = ({ normaliser, residual }: Pca, data: Matrix): Float64Array => {
  const { rows, features } = data
  const { values } = normalise(normaliser, data)
  const losses = new Float64Array(rows * features)
  const rest = new Float64Array(features)
  for (let row = 0; row < rows; row++) {
    rest.fill(0)
    for (let p = 0; p < features; p++) {
      const value = values[row * features + p] ?? 0
      if (value === 0) continue
      for (let q = 0; q < features; q++) rest[q] = (rest[q] ?? 0) + value * (residual[p * features + q] ?? 0)
    }
    for (const [q, value] of rest.entries()) losses[row * features + q] = value * value
  }
  return losses
}

/** Scores of rows, 0 or more: the sum of the squares that are left; higher is more unusual. */
export const scorePca = (pca: Pca, data: Matrix): Float64Array => {
  const losses = explainPca(pca, data)
  const scores = new Float64Array(data.rows)
  for (const [i, loss] of losses.entries()) {
    const row = Math.floor(i / data.features)
    scores[row] = (scores[row] ?? 0) + loss
  }
  return scores
}
