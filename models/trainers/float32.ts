const bits = new Float32Array(1)
const bitsAsInt = new Int32Array(bits.buffer)

/** The largest float32 below a float32. */
export const previousFloat32 = (value: number): number => {
  if (value === 0) return -1.401298464324817e-45
  bits[0] = value
  bitsAsInt[0] = (bitsAsInt[0] ?? 0) + (value > 0 ? -1 : 1)
  return bits[0]
}

/**
 * The largest float32 that is not above `value`. For a float32 x, `x <= value` and `x <= floorFloat32(value)` are the
 * same, so a runtime that compares in float32 takes the branch that training took.
 */
export const floorFloat32 = (value: number): number => {
  const nearest = Math.fround(value)
  return nearest > value ? previousFloat32(nearest) : nearest
}

/** As many digits as mean anything in a float32. */
export const rounded = (value: number): number => Number(value.toPrecision(6))
