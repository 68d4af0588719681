/** Eigenvalues of a symmetric matrix, largest first, and the unit eigenvector of each. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: readonly Float64Array[]
}

const MAX_SWEEPS = 50

/** Turns the entries at (`a`, `b`) by the angle with this cosine and sine. */
const turn = (matrix: Float64Array, a: number, b: number, cosine: number, sine: number): void => {
  const first = matrix[a] ?? 0
  const second = matrix[b] ?? 0
  matrix[a] = cosine * first - sine * second
  matrix[b] = sine * first + cosine * second
}

/** Cosine and sine of the turn that makes the entry at (p, q) zero: the smaller of the two (Golub, Van Loan, 8.5.2). */
const angleOf = (app: number, aqq: number, apq: number): [number, number] => {
  const ratio = (aqq - app) / (2 * apq)
  const tangent = (ratio >= 0 ? 1 : -1) / (Math.abs(ratio) + Math.sqrt(ratio * ratio + 1))
  const cosine = 1 / Math.sqrt(tangent * tangent + 1)
  return [cosine, tangent * cosine]
}

/**
 * Decomposes a symmetric matrix, `size` × `size` values row by row, by cyclic Jacobi rotations: slower than others for large
 * matrices, accurate, and made of IEEE operations only, so that the same matrix gives the same bits everywhere.
 */
export const eigenOf = (symmetric: Float64Array, size: number): Eigen => {
  const matrix = Float64Array.from(symmetric)
  const turns = new Float64Array(size * size)
  for (let i = 0; i < size; i++) turns[i * size + i] = 1
  const scale = matrix.reduce((sum, value) => sum + value * value, 0)

  const offDiagonal = (): number => {
    let sum = 0
    for (let p = 0; p < size; p++) for (let q = p + 1; q < size; q++) sum += (matrix[p * size + q] ?? 0) ** 2
    return sum
  }
  const eliminate = (p: number, q: number) => {
    const apq = matrix[p * size + q] ?? 0
    if (Math.abs(apq) < 1e-300) return
    const [cosine, sine] = angleOf(matrix[p * size + p] ?? 0, matrix[q * size + q] ?? 0, apq)
    for (let k = 0; k < size; k++) turn(matrix, k * size + p, k * size + q, cosine, sine)
    for (let k = 0; k < size; k++) turn(matrix, p * size + k, q * size + k, cosine, sine)
    for (let k = 0; k < size; k++) turn(turns, k * size + p, k * size + q, cosine, sine)
  }
  for (let sweep = 0; sweep < MAX_SWEEPS && offDiagonal() > 1e-20 * scale; sweep++)
    for (let p = 0; p < size; p++) for (let q = p + 1; q < size; q++) eliminate(p, q)

  const valueAt = (i: number) => matrix[i * size + i] ?? 0
  const order = Array.from({ length: size }, (_, i) => i).toSorted((a, b) => valueAt(b) - valueAt(a))
  return {
    values: Float64Array.from(order, valueAt),
    vectors: order.map(i => Float64Array.from({ length: size }, (_, k) => turns[k * size + i] ?? 0)),
  }
}
