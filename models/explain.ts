import type { Contribution } from '../schemas/generated.ts'
import type { ModelManifest } from './detector.ts'

/** Most features that are named for one event. */
const NAMED = 5

/** Shares below this are not worth a name. */
const SMALLEST_SHARE = 0.02

/** As many digits as mean anything in a float32. */
const rounded = (value: number): number => Number(value.toPrecision(6))

/**
 * The features that made a score, largest share first: at most five, each with its value, the range expected of it and
 * its share of what was unusual. `values` is the event's row, `amounts` what each feature adds, 0 or more, of any unit.
 */
export const contributionsOf = (
  manifest: Pick<ModelManifest, 'features' | 'expected'>,
  values: ArrayLike<number>,
  amounts: ArrayLike<number>,
): Contribution[] => {
  let total = 0
  for (let i = 0; i < amounts.length; i++) total += amounts[i] ?? 0
  const { low, high } = manifest.expected
  return manifest.features
    .map((feature, i) => ({
      feature,
      value: rounded(values[i] ?? 0),
      share: rounded((amounts[i] ?? 0) / total),
      expectedLow: low[i] ?? null,
      expectedHigh: high[i] ?? null,
    }))
    .filter(({ share }) => share >= SMALLEST_SHARE)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, NAMED)
}
