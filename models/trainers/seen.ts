import { type Histogram, histogramOf } from '../evaluation/histogram.ts'
import { rounded } from './float32.ts'
import { type Matrix, sortedColumn } from './matrix.ts'

/** Share of the values of a feature below and above its expected range. */
const UNEXPECTED = 0.05

/** What was seen of each feature. */
export interface Seen {
  /** The range that most values lie in. */
  readonly expected: { readonly low: readonly number[]; readonly high: readonly number[] }
  /** How they are distributed. */
  readonly features: readonly Histogram[]
}

/** Of rows, by feature: the range that most values lie in, and how they are distributed. */
export const seenIn = (data: Matrix): Seen => {
  const columns = Array.from({ length: data.features }, (_, feature) => sortedColumn(data, feature))
  const at = (share: number) =>
    columns.map(column => rounded(column[Math.floor(share * (data.rows - 1))] ?? 0))
  return {
    expected: { low: at(UNEXPECTED), high: at(1 - UNEXPECTED) },
    features: columns.map(histogramOf),
  }
}
