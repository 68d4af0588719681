import { segmentOf } from '../trainers/steps.ts'

/** How values were distributed in training: shares of the rows by segment, see {@link segmentOf}. */
export interface Histogram {
  /** Ascending; a segment more than there are edges. */
  readonly edges: readonly number[]
  /** Of each segment, 0 to 1. */
  readonly shares: readonly number[]
}

/** Quantiles at which a distribution is cut: tenths, as is usual for the index. */
const TENTHS = 10

/** What a segment without a value counts for, in values: so that no share is 0. */
const EMPTY = 0.5

/** Counts values by the segments of a histogram. */
export interface Tally {
  readonly counts: readonly number[]
  add(value: number): void
}

/** Counts values by edges, from none. */
export const createTally = ({ edges }: Pick<Histogram, 'edges'>): Tally => {
  const sorted = Float32Array.from(edges)
  const counts = new Array<number>(edges.length + 1).fill(0)
  return {
    counts,
    add: value => {
      const segment = segmentOf(sorted, value)
      counts[segment] = (counts[segment] ?? 0) + 1
    },
  }
}

/** The distribution of ascending float32 values, cut at its tenths; a value that many share is one edge. */
export const histogramOf = (sorted: Float32Array): Histogram => {
  const last = sorted.length - 1
  const at = Array.from({ length: TENTHS - 1 }, (_, i) =>
    Math.fround(sorted[Math.round(((i + 1) / TENTHS) * last)] ?? 0),
  )
  const edges = [...new Set(at)]
  const tally = createTally({ edges })
  for (const value of sorted) tally.add(value)
  const shares = tally.counts.map(count => Number((count / Math.max(1, sorted.length)).toPrecision(6)))
  return { edges, shares }
}

/** The edge that the middle of a distribution lies at or below. */
export const middleOf = ({ edges, shares }: Histogram): number => {
  let below = 0
  const segment = shares.findIndex(share => {
    below += share
    return below >= 0.5
  })
  return edges[segment] ?? edges.at(-1) ?? 0
}

/**
 * The population stability index of counted values against a distribution: Σ (a − e) ln(a / e) over the segments (Siddiqi,
 * Credit Risk Scorecards, 2006; its statistics: Yurdakul, Naranjo, Journal of Risk Model Validation 2020). 0 for the same
 * distribution; by custom, above 0.25 it is another one. Few values make it large by chance, about (segments − 1) / values:
 * that much is taken off. 0 without values.
 */
export const stabilityIndex = ({ shares }: Histogram, counts: readonly number[]): number => {
  const all = counts.reduce((sum, count) => sum + count, 0)
  if (all === 0) return 0
  const whole = all + EMPTY * shares.length
  let index = 0
  for (const [i, share] of shares.entries()) {
    const actual = ((counts[i] ?? 0) + EMPTY) / whole
    const expected = (share * all + EMPTY) / whole
    index += (actual - expected) * Math.log(actual / expected)
  }
  return Math.max(0, index - (shares.length - 1) / all)
}
