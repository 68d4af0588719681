/**
 * What a model cannot account for, feature by feature: sizes, rows × features, 0 or more. Their sum is the score of a row: of
 * squares, one wild feature would be nearly all.
 */
export type Residuals = Float64Array

/** Mean size of each feature: what is usual. */
export const usualSizes = (residuals: Residuals, features: number): Float32Array => {
  const sums = new Float64Array(features)
  const rows = residuals.length / features
  for (const [i, size] of residuals.entries()) sums[i % features] = (sums[i % features] ?? 0) + size / rows
  return Float32Array.from(sums)
}

/** Score of each row; higher is more unusual. */
export const sumByRow = (residuals: Residuals, features: number): Float64Array => {
  const scores = new Float64Array(residuals.length / features)
  for (const [i, size] of residuals.entries()) {
    const row = Math.floor(i / features)
    scores[row] = (scores[row] ?? 0) + size
  }
  return scores
}

/** By how much each size is above its usual one, 0 where it is not: rows × features. */
export const aboveUsual = (residuals: Residuals, usual: Float32Array): Float64Array =>
  residuals.map((size, i) => Math.max(0, size - (usual[i % usual.length] ?? 0)))
