import { countBelow, segmentOf } from './steps.ts'

/**
 * From a model's own score to how rarely a usual event scores as high: −ln of that share, in nats. A continuous, rising,
 * piecewise linear function of the score; see {@link segmentOf} for its segments.
 */
export interface Calibration {
  readonly edges: Float32Array
  /** Of each segment: where it begins, the nats there, and the nats that each unit of score adds. */
  readonly starts: Float32Array
  readonly values: Float32Array
  readonly slopes: Float32Array
}

/** Nats between the quantiles that are kept. */
const STEP = 0.25

/** Scores above which the tail is a fitted one: as many as this, or this share where that is more. */
const TAIL_ROWS = 30
const TAIL_SHARE = 1 / 200

/** Scores nearer to each other than this, as a share of the range below the tail, are taken for one. */
const RESOLUTION = 1e-4

/** The same as a share of the scores themselves, about ten times what float32 tells apart; and for scores of nothing. */
const FLOAT32_RESOLUTION = 1e-6
const SMALLEST = 1e-9

/** A score and the nats it stands for. */
interface Knot {
  readonly score: number
  readonly nats: number
}

/** Nats that a unit of score adds above a knot: exponential excesses have the mean excess as their scale. */
const tailSlope = (sorted: Float64Array, last: Knot, nearest: number): number | undefined => {
  let sum = 0
  let count = 0
  for (const score of sorted) {
    if (score > last.score) {
      sum += score - last.score
      count++
    }
  }
  return count === 0 ? undefined : count / Math.max(sum, count * nearest)
}

/**
 * Learns the calibration from scores of events that the model was not fitted on. Quantiles up to the last 30 scores (or
 * 1 in 200), beyond them an exponential tail, whose scale is the mean excess: a score above all that were seen still has a
 * place, and the more unusual of two events stays the more unusual one.
 */
export const fitCalibration = (scores: Float64Array): Calibration => {
  const sorted = scores.toSorted()
  const rows = sorted.length
  const tail = Math.min(Math.ceil(rows / 4), Math.max(TAIL_ROWS, Math.ceil(rows * TAIL_SHARE)))
  const lowest = sorted[0] ?? 0
  const usual = sorted[rows - tail] ?? lowest
  const size = Math.max(Math.abs(lowest), Math.abs(usual))
  const nearest = Math.max((usual - lowest) * RESOLUTION, size * FLOAT32_RESOLUTION, SMALLEST)

  const knots: Knot[] = [{ score: Math.fround(lowest), nats: 0 }]
  const add = (rank: number) => {
    const exact = sorted[rank] ?? lowest
    const nats = -Math.log((rows - countBelow(sorted, exact) + 1) / (rows + 1))
    const last = knots.at(-1)
    if (last !== undefined && exact - last.score > nearest) knots.push({ score: Math.fround(exact), nats })
  }
  for (let nats = STEP; Math.exp(-nats) * rows > tail; nats += STEP)
    add(Math.floor(rows - Math.exp(-nats) * rows))
  add(rows - tail)

  const rising = knots.slice(1).map((knot, i) => {
    const before = knots[i] ?? knot
    return (knot.nats - before.nats) / (knot.score - before.score)
  })
  const [first, last] = [knots[0], knots.at(-1)]
  // Where no score lies above the last knot, it goes on as it has risen before.
  const beyond = (last && tailSlope(sorted, last, nearest)) ?? rising.at(-1) ?? 1 / nearest
  return {
    edges: Float32Array.from(knots, knot => knot.score),
    starts: Float32Array.from([first, ...knots], knot => knot?.score ?? 0),
    values: Float32Array.from([first, ...knots], knot => knot?.nats ?? 0),
    slopes: Float32Array.from([0, ...rising, beyond]),
  }
}

/** The nats that a score stands for. */
export const calibrate = ({ edges, starts, values, slopes }: Calibration, score: number): number => {
  const segment = segmentOf(edges, score)
  return (values[segment] ?? 0) + (slopes[segment] ?? 0) * (score - (starts[segment] ?? 0))
}

/** Nats that are a score of 0.5: as rare as one usual event in a thousand. */
export const HALF_SCORE_NATS = Math.log(1000)

/** Nats, 0 or more, as a score of 0 to below 1, of which 0.5 is one usual event in a thousand. */
export const scoreOfNats = (nats: number): number => nats / (nats + HALF_SCORE_NATS)

/** The score that at most one in `events` usual events reaches. */
export const scoreOfBudget = (events: number): number => scoreOfNats(Math.log(events))
