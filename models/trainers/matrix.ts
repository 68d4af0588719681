/** Rows one after another: `rows` × `features` float32 values. */
export interface Matrix {
  readonly values: Float32Array
  readonly rows: number
  readonly features: number
}

/** The values of one feature, ascending. */
export const sortedColumn = ({ values, rows, features }: Matrix, feature: number): Float32Array => {
  const column = new Float32Array(rows)
  for (let row = 0; row < rows; row++) column[row] = values[row * features + feature] ?? 0
  return column.sort()
}

/** The rows with these numbers, in this order. */
export const takeRows = ({ values, features }: Matrix, rows: ArrayLike<number>): Matrix => {
  const taken = new Float32Array(rows.length * features)
  for (let i = 0; i < rows.length; i++) {
    const at = (rows[i] ?? 0) * features
    taken.set(values.subarray(at, at + features), i * features)
  }
  return { values: taken, rows: rows.length, features }
}
