/**
 * The segment of a step function that `x` lies in: segment i holds what is above `edges[i - 1]` and at or below
 * `edges[i]`, the last one all that is above the last edge. So there is one segment more than there are edges.
 */
export const segmentOf = (edges: Float32Array, x: number): number => {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (x <= (edges[middle] ?? 0)) high = middle
    else low = middle + 1
  }
  return low
}

/** How many of the ascending values are at or below `x`. */
export const countAtMost = (sorted: ArrayLike<number>, x: number): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? 0) <= x) low = middle + 1
    else high = middle
  }
  return low
}

/** How many of the ascending values are below `x`. */
export const countBelow = (sorted: ArrayLike<number>, x: number): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? 0) < x) low = middle + 1
    else high = middle
  }
  return low
}
