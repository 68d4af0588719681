import { SentinelError } from '../../runtime/errors.ts'
import type { ForeignForm } from './form.ts'

/** The outputs of a run by their names, as the runtime gives them. */
export type RunOutputs = Readonly<
  Record<string, { readonly data: unknown; readonly dims: readonly number[] }>
>

/** What a model says of one event. */
export interface Own {
  /** 0 to 1, higher is more unusual. */
  readonly value: number
  /** The model's own score, turned so that higher is more unusual; without the bounds that 0 to 1 has. */
  readonly unusual: number
  /** What the model's own label says; false where it has none. */
  readonly isAnomaly: boolean
  /** By how much each cell is more unusual than the cells usually are, 0 or more; all 0 where the model does not tell. */
  readonly contributions: () => Float32Array
}

const failed = (reason: string) => new SentinelError('NS_SCORING_FAILED', reason)

const isNumbers = (data: unknown): data is ArrayLike<number | bigint> =>
  Array.isArray(data) || (ArrayBuffer.isView(data) && !(data instanceof DataView))

/** The part of an output that is about one row of the batch. */
const partOf = (form: ForeignForm, outputs: RunOutputs, name: string, row: number): number[] => {
  const { data, dims } = outputs[name] ?? { data: undefined, dims: [] }
  if (!isNumbers(data) || data.length === 0 || data.length % form.batch !== 0)
    throw failed(`${name} is ${dims.join(' × ')}, which is not the same for each of ${form.batch} events`)
  const size = data.length / form.batch
  return Array.from({ length: size }, (_, i) => Number(data[row * size + i]))
}

const oneOf = (form: ForeignForm, outputs: RunOutputs, name: string, row: number): number => {
  const part = partOf(form, outputs, name, row)
  if (part.length !== 1) throw failed(`${name} gives ${part.length} values an event, not one`)
  return part[0] ?? Number.NaN
}

/** The straight line between the points around a value; the first or last point's score beyond them. */
const between = (points: readonly (readonly [number, number])[], value: number): number => {
  if (Number.isNaN(value)) return Number.NaN
  const next = points.findIndex(([at]) => value <= at)
  if (next === 0) return points[0]?.[1] ?? Number.NaN
  const [lower, upper] = next < 0 ? [points.at(-1), points.at(-1)] : [points[next - 1], points[next]]
  if (lower === undefined || upper === undefined) return Number.NaN
  const width = upper[0] - lower[0]
  return width === 0 ? upper[1] : lower[1] + ((value - lower[0]) / width) * (upper[1] - lower[1])
}

/** Squared differences between the input and what the model makes of it, a mean over the channels of an image. */
const errorsOf = (
  { channels }: ForeignForm,
  input: ArrayLike<number>,
  made: readonly number[],
): Float32Array => {
  const errors = new Float32Array(input.length)
  for (let channel = 0; channel < channels; channel++) {
    for (let cell = 0; cell < input.length; cell++) {
      const error = (made[channel * input.length + cell] ?? Number.NaN) - (input[cell] ?? 0)
      errors[cell] = (errors[cell] ?? 0) + (error * error) / channels
    }
  }
  return errors
}

const meanOf = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0
  return sum / values.length
}

/** A map of any multiple of the window's size, as one of that size: each cell is the mean of what it covers. */
const shrink = ({ events, columns }: ForeignForm, map: readonly number[], width: number): Float32Array => {
  const cells = new Float32Array(events * columns.length)
  const height = map.length / width
  const each = (height / events) * (width / columns.length)
  for (const [i, value] of map.entries()) {
    const event = Math.floor((Math.floor(i / width) * events) / height)
    const column = Math.floor(((i % width) * columns.length) / width)
    const cell = event * columns.length + column
    cells[cell] = (cells[cell] ?? 0) + value / each
  }
  return cells
}

/** What is above the mean: of a map, the cells that stand out of it. */
const aboveMean = (values: Float32Array): Float32Array => {
  const mean = meanOf(values)
  return values.map(value => Math.max(0, value - mean))
}

const mapOf = (form: ForeignForm, outputs: RunOutputs, name: string, row: number): Float32Array => {
  const map = partOf(form, outputs, name, row)
  const width = outputs[name]?.dims.at(-1) ?? 0
  const height = map.length / width
  if (width % form.columns.length !== 0 || height % form.events !== 0)
    throw failed(`${name} is ${height} × ${width}, no multiple of ${form.events} × ${form.columns.length}`)
  return aboveMean(shrink(form, map, width))
}

/**
 * Reads what a run's outputs say of one row of its batch; `input` is the row, events × columns. Throws NS_SCORING_FAILED for an
 * output of another shape than the form says.
 */
export const own = (form: ForeignForm, outputs: RunOutputs, row: number, input: Float32Array): Own => {
  const { score, label, map, reconstruction } = form.outputs
  const isAnomaly = label !== undefined && oneOf(form, outputs, label, row) === form.anomaly
  let errors: Float32Array | undefined
  if (reconstruction !== undefined) {
    const made = partOf(form, outputs, reconstruction, row)
    if (made.length !== input.length * form.channels)
      throw failed(
        `${reconstruction} gives ${made.length} values an event, not ${input.length * form.channels}`,
      )
    errors = errorsOf(form, input, made)
  }
  const raw = (): number => {
    if (score !== undefined) return oneOf(form, outputs, score, row)
    if (errors !== undefined) return meanOf(errors)
    if (map !== undefined) return Math.max(...partOf(form, outputs, map, row))
    return isAnomaly ? 1 : 0
  }
  const theirs = raw()
  const { points } = form
  const falls = points !== undefined && (points[0]?.[1] ?? 0) > (points.at(-1)?.[1] ?? 0)
  return {
    value: points === undefined ? theirs : between(points, theirs),
    unusual: falls ? -theirs : theirs,
    isAnomaly,
    contributions: () => {
      if (map !== undefined) return mapOf(form, outputs, map, row)
      return errors ?? new Float32Array(input.length)
    },
  }
}
