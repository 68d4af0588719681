import { z } from 'zod'

/** What Sigma's correlation types count, and one type of our own. */
export const CORRELATION_TYPES = [
  'event_count',
  'value_count',
  'temporal',
  'temporal_ordered',
  'event_regularity',
] as const

/** A correlation type. */
export type CorrelationType = (typeof CORRELATION_TYPES)[number]

const bound = z.int().min(0)

/** The condition of a correlation, as it is written. */
export const conditionSchema = z.strictObject({
  gt: bound.optional(),
  gte: bound.optional(),
  lt: bound.optional(),
  lte: bound.optional(),
  eq: bound.optional(),
  field: z.string().optional(),
  variation: z.number().positive().optional(),
  interval: z.string().optional(),
})

/** A condition, as it is written. */
export type ConditionValues = z.output<typeof conditionSchema>

/** A condition on a count. */
export interface CountCondition {
  holds(count: number): boolean
  /** Counts above this one are not told apart: so many marks are enough to decide. At least 1. */
  readonly capacity: number
  /** In words, e.g. `10 or more`. */
  readonly words: string
}

/** Compiles the bounds of a condition: all of those given must hold; undefined when none is given. */
export const compileCount = ({ gt, gte, lt, lte, eq }: ConditionValues): CountCondition | undefined => {
  const bounds: readonly [number | undefined, (count: number, bound: number) => boolean, number, string][] = [
    [gte, (count, at) => count >= at, 0, 'or more'],
    [gt, (count, at) => count > at, 1, 'or more'],
    [eq, (count, at) => count === at, 1, 'exactly'],
    [lte, (count, at) => count <= at, 1, 'at most'],
    [lt, (count, at) => count < at, 0, 'fewer than'],
  ]
  const given = bounds.flatMap(([at, test, beyond, words]) =>
    at === undefined ? [] : [{ at, test, beyond, words }],
  )
  if (given.length === 0) return undefined
  const worded = given.map(({ at, beyond, words }) =>
    words === 'or more' ? `${at + beyond} ${words}` : `${words} ${at}`,
  )
  return {
    holds: count => given.every(({ test, at }) => test(count, at)),
    capacity: Math.max(1, ...given.map(({ at, beyond }) => at + beyond)),
    words: worded.join(' and '),
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A Sigma timespan, `15s`, `5m`, `1h` or `7d`, in ms. Throws an Error for anything else. */
export const parseTimespan = (text: string): number => {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = Number(count) * (UNITS[unit] ?? 0)
  if (ms === 0) throw new Error(`'${text}' is not a timespan like 15s, 5m, 1h or 7d`)
  return ms
}

/**
 * How regular events are: the mean of the gaps between their times, in ms, and the coefficient of variation of the gaps
 * (standard deviation over mean): 0 for a metronome, about 1 for events that come by chance (a Poisson process).
 * `times` are in order; undefined for fewer than three, which say nothing.
 */
export const regularity = (times: readonly number[]): { mean: number; variation: number } | undefined => {
  if (times.length < 3) return undefined
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
  return { mean, variation: mean === 0 ? 0 : Math.sqrt(variance) / mean }
}
