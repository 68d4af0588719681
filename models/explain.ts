import type { Contribution } from '../schemas/generated.ts'
import type { ModelManifest } from './detector.ts'
import { rounded } from './trainers/float32.ts'

/** Most features that are named for one event. */
const NAMED = 5

/** Shares below this are not worth a name. */
const SMALLEST_SHARE = 0.02

const sumOf = (amounts: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < amounts.length; i++) total += amounts[i] ?? 0
  return total
}

/** Places of the amounts that are worth a name, the largest first. */
const worthNaming = (amounts: ArrayLike<number>, total: number): number[] => {
  const places: number[] = []
  for (let i = 0; i < amounts.length; i++) {
    const amount = amounts[i] ?? 0
    if (amount > 0 && amount >= total * SMALLEST_SHARE) places.push(i)
  }
  return places.sort((a, b) => (amounts[b] ?? 0) - (amounts[a] ?? 0)).slice(0, NAMED)
}

/**
 * The features that made a score, largest share first: at most five, each with its value, the range expected of it and
 * its share of what was unusual. `values` is the event's row, `amounts` what each feature adds, 0 or more, of any unit.
 */
export const contributionsOf = (
  manifest: Pick<ModelManifest, 'features' | 'expected'>,
  values: ArrayLike<number>,
  amounts: ArrayLike<number>,
): Contribution[] => {
  const total = sumOf(amounts)
  const { low, high } = manifest.expected
  // Rounding is dear, and done for those alone that are named.
  return worthNaming(amounts, total).map(i => ({
    feature: manifest.features[i] ?? '',
    value: rounded(values[i] ?? 0),
    share: rounded((amounts[i] ?? 0) / total),
    expectedLow: low[i] ?? null,
    expectedHigh: high[i] ?? null,
    eventsAgo: 0,
  }))
}

/** The ones that are worth a name, largest share first. */
const largest = (contributions: readonly Contribution[]): Contribution[] =>
  contributions
    .filter(({ share }) => share >= SMALLEST_SHARE)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, NAMED)

/** The columns of a window, and the range expected of each. */
export interface WindowColumns {
  readonly columns: readonly string[]
  readonly expected?: { readonly low: readonly number[]; readonly high: readonly number[] } | undefined
}

/**
 * The same of a window, events × columns, the oldest event first: a feature's share is that of its column, and it is named
 * with its value in the event that adds most to it.
 */
export const contributionsOfCells = (
  { columns, expected }: WindowColumns,
  values: ArrayLike<number>,
  amounts: ArrayLike<number>,
): Contribution[] => {
  const total = sumOf(amounts)
  const events = amounts.length / columns.length
  return largest(
    columns.map((feature, column) => {
      const cells = Array.from({ length: events }, (_, event) => event * columns.length + column)
      const top = cells.reduce((best, cell) => ((amounts[cell] ?? 0) > (amounts[best] ?? 0) ? cell : best))
      return {
        feature,
        value: rounded(values[top] ?? 0),
        share: rounded(cells.reduce((sum, cell) => sum + (amounts[cell] ?? 0), 0) / total),
        expectedLow: expected?.low[column] ?? null,
        expectedHigh: expected?.high[column] ?? null,
        eventsAgo: events - 1 - Math.floor(top / columns.length),
      }
    }),
  )
}
