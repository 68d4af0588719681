/** How far two models order the same rows alike. */
export interface Agreement {
  /** Spearman's rank correlation, −1 to 1; 0 where a model scores all rows alike. */
  readonly rank: number
  /** Share of the rows that one model finds most unusual that the other does as well, 0 to 1. */
  readonly top: number
}

/** Share of the rows that are the top of an order, and the fewest. */
const TOP_SHARE = 0.01
const TOP_LEAST = 10

/** Ranks of values, from 1; equal ones share the mean of theirs. */
const ranksOf = (values: ArrayLike<number>): Float64Array => {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => (values[a] ?? 0) - (values[b] ?? 0),
  )
  const ranks = new Float64Array(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from
    const value = values[order[from] ?? 0]
    while (to < order.length && values[order[to] ?? 0] === value) to++
    for (let i = from; i < to; i++) ranks[order[i] ?? 0] = (from + to + 1) / 2
    from = to
  }
  return ranks
}

const correlation = (a: Float64Array, b: Float64Array): number => {
  const middle = (a.length + 1) / 2
  let [both, one, other] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(a[i] ?? 0) - middle, (b[i] ?? 0) - middle]
    both += x * y
    one += x * x
    other += y * y
  }
  return one === 0 || other === 0 ? 0 : both / Math.sqrt(one * other)
}

/** The rows with the highest ranks; of equal ones the earlier. */
const topOf = (ranks: Float64Array, count: number): Set<number> => {
  const order = Array.from(ranks.keys()).sort((a, b) => (ranks[b] ?? 0) - (ranks[a] ?? 0) || a - b)
  return new Set(order.slice(0, count))
}

/** Compares the scores that two models give the same rows, in the same order. */
export const agreementOf = (one: ArrayLike<number>, other: ArrayLike<number>): Agreement => {
  const [a, b] = [ranksOf(one), ranksOf(other)]
  const count = Math.min(a.length, Math.max(TOP_LEAST, Math.ceil(a.length * TOP_SHARE)))
  const top = topOf(b, count)
  const shared = [...topOf(a, count)].filter(row => top.has(row)).length
  return { rank: correlation(a, b), top: count === 0 ? 0 : shared / count }
}
