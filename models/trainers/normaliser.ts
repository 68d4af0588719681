import type { Matrix } from './matrix.ts'

/** Brings each feature to mean 0 and deviation 1, and cuts what is further out than {@link LIMIT}. */
export interface Normaliser {
  /** In float32, as the runtime has them. */
  readonly means: Float32Array
  /** What the distance from the mean is multiplied with. */
  readonly scales: Float32Array
}

/** Deviations beyond which a value is no more unusual: one absurd value must not outweigh all others. */
export const LIMIT = 20

/** Learns means and deviations. A feature that is always the same keeps its scale: how rare another value is, is not known. */
export const fitNormaliser = ({ values, rows, features }: Matrix): Normaliser => {
  const means = new Float64Array(features)
  const squares = new Float64Array(features)
  for (const [i, value] of values.entries()) means[i % features] = (means[i % features] ?? 0) + value / rows
  for (const [i, value] of values.entries()) {
    const distance = value - (means[i % features] ?? 0)
    squares[i % features] = (squares[i % features] ?? 0) + (distance * distance) / rows
  }
  const scales = squares.map(square => (square > 1e-12 ? 1 / Math.sqrt(square) : 1))
  return { means: Float32Array.from(means), scales: Float32Array.from(scales) }
}

/** The rows in deviations from the mean, −20 to 20. */
export const normalise = ({ means, scales }: Normaliser, { values, rows, features }: Matrix): Matrix => {
  const out = new Float32Array(values.length)
  for (const [i, value] of values.entries()) {
    const column = i % features
    const distance = Math.fround(value - (means[column] ?? 0)) * (scales[column] ?? 0)
    out[i] = Math.min(LIMIT, Math.max(-LIMIT, distance))
  }
  return { values: out, rows, features }
}
