import { SentinelError } from '../../runtime/errors.ts'
import { previousFloat32 } from './float32.ts'
import { type Matrix, sortedColumn } from './matrix.ts'
import { countAtMost, countBelow, segmentOf } from './steps.ts'

/** What training knows of one feature: a step function of its value, see {@link segmentOf}. */
export interface EcodTable {
  readonly edges: Float32Array
  /** Of each segment: how surprising a value in it is, in nats: −ln of the share of training rows as far out. */
  readonly terms: Float32Array
  /** Of each segment: by how much that is more than usual for this feature, in nats; 0 where it is not. */
  readonly excess: Float32Array
}

/**
 * ECOD (Li et al.: ECOD: Unsupervised Outlier Detection Using Empirical Cumulative Distribution Functions, TKDE 2022) with
 * its tables frozen at training. The published implementation ranks each row among the rows of its own call, so that a
 * burst of attacks makes attacks the norm; here a row is ranked among the training rows and nothing else.
 */
export interface Ecod {
  /** In the order of the features. */
  readonly tables: readonly EcodTable[]
}

/** How finely the distributions are kept. */
export interface EcodOptions {
  /** Evenly spaced quantiles of each feature; its tails are kept finer, down to single rows. */
  readonly quantiles?: number
}

/** Ranks among `rows` sorted values whose values become edges: evenly spaced, and doubling from both ends. */
const knotRanks = (rows: number, quantiles: number): number[] => {
  const last = rows - 1
  const ranks = new Set<number>()
  for (let i = 0; i <= quantiles; i++) ranks.add(Math.round((i / quantiles) * last))
  for (let step = 1; step < rows / quantiles; step *= 2) ranks.add(step).add(last - step)
  return [...ranks].toSorted((a, b) => a - b)
}

const surprise = (rows: number, all: number): number => -Math.log((rows + 1) / (all + 1))

/**
 * The table of one feature. Both tails of the empirical distribution count, and the rarer one is the term: the paper's
 * choice of a tail by skewness is then the same or less. A knot is a segment of its own, for a value that many rows share
 * is as far out as its whole share says from either side.
 */
const tableOf = (sorted: Float32Array, quantiles: number): EcodTable => {
  const rows = sorted.length
  const edges: number[] = []
  const terms: number[] = []
  /** Closes the segment that ends at `edge`; one that says what its neighbour says is made one with it. */
  const push = (edge: number, atMost: number, atLeast: number) => {
    const term = Math.fround(Math.max(surprise(atMost, rows), surprise(atLeast, rows)))
    if (terms.at(-1) === term) edges.pop()
    else terms.push(term)
    edges.push(edge)
  }
  const knots = new Set(knotRanks(rows, quantiles).map(rank => sorted[rank] ?? 0))
  let below = 0
  for (const knot of knots) {
    const before = countBelow(sorted, knot)
    const through = countAtMost(sorted, knot)
    // Between two knots the middle of what the rows there would be told.
    const middle = (below + before) / 2
    push(previousFloat32(knot), middle, rows - middle)
    push(knot, through, rows - before)
    below = through
  }
  push(Number.POSITIVE_INFINITY, rows, 0)
  const table = { edges: Float32Array.from(edges.slice(0, -1)), terms: Float32Array.from(terms) }
  let sum = 0
  for (const value of sorted) sum += table.terms[segmentOf(table.edges, value)] ?? 0
  const usual = sum / rows
  return { ...table, excess: table.terms.map(term => Math.max(0, term - usual)) }
}

/** The tables of the features from one up to another: each is made by itself, so that threads may share them out. */
export const ecodTables = (
  data: Matrix,
  { from, to }: { readonly from: number; readonly to: number },
  { quantiles = 64 }: EcodOptions = {},
): EcodTable[] => {
  if (data.rows < 1) throw new SentinelError('NS_MODEL_REFUSED', 'ECOD needs a row or more')
  return Array.from({ length: to - from }, (_, i) => tableOf(sortedColumn(data, from + i), quantiles))
}

/** Freezes the distributions of the features. Deterministic in the rows. Throws NS_MODEL_REFUSED when there are none. */
export const trainEcod = (data: Matrix, options: EcodOptions = {}): Ecod => ({
  tables: ecodTables(data, { from: 0, to: data.features }, options),
})

/** Scores of rows in nats, 0 or more: the sum of the terms of their values; higher is more unusual. */
export const scoreEcod = ({ tables }: Ecod, data: Matrix): Float64Array => {
  const scores = new Float64Array(data.rows)
  for (let row = 0; row < data.rows; row++) {
    let sum = 0
    for (const [feature, { edges, terms }] of tables.entries())
      sum += terms[segmentOf(edges, data.values[row * data.features + feature] ?? 0)] ?? 0
    scores[row] = sum
  }
  return scores
}

/** By how much each value of each row is more surprising than usual, in nats: rows × features. */
export const explainEcod = ({ tables }: Ecod, data: Matrix): Float32Array => {
  const excess = new Float32Array(data.rows * data.features)
  for (let row = 0; row < data.rows; row++) {
    for (const [feature, table] of tables.entries()) {
      const at = row * data.features + feature
      excess[at] = table.excess[segmentOf(table.edges, data.values[at] ?? 0)] ?? 0
    }
  }
  return excess
}
