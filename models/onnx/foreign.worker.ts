import { workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { SentinelError } from '../../runtime/errors.ts'
import type { ForeignForm } from '../foreign/form.ts'
import { own, type RunOutputs } from '../foreign/outputs.ts'
import { ONE_THREAD, type Scored, serve } from './worker-loop.ts'

/** What the worker is started with. */
export interface ForeignWorkerOptions {
  readonly onnx: Uint8Array
  readonly form: ForeignForm
  /** Events that score at or above this get their contributions. */
  readonly explainFrom: number
}

const { onnx, form, explainFrom } = workerData as ForeignWorkerOptions
const { batch, channels, columns, events, layout } = form
const cells = events * columns.length
const fetches = Object.values(form.outputs).filter(name => name !== undefined)

/** The shape of the input for a batch. */
const shape = {
  row: [batch, columns.length],
  window: [batch, events, columns.length],
  image: [batch, channels, events, columns.length],
}[layout]

const refuse = (reason: string) => new SentinelError('NS_MODEL_REFUSED', reason)

const open = async (): Promise<InferenceSession> => {
  const session = await InferenceSession.create(onnx, ONE_THREAD)
  const { inputMetadata, outputNames } = session
  const missing = fetches.filter(name => !outputNames.includes(name))
  if (missing.length > 0)
    throw refuse(`the model has no output ${missing.join(', ')}; it has ${outputNames.join(', ')}`)
  const names = inputMetadata.map(({ name }) => name)
  const [input] = inputMetadata
  if (names.length !== 1 || input?.name !== form.input)
    throw refuse(`the model's inputs are ${names.join(', ')}, not ${form.input} alone`)
  if (!input.isTensor || input.type !== 'float32')
    throw refuse(`${input.name} takes ${input.isTensor ? input.type : 'no tensor'}, not float32`)
  // A size that is not a number, or no positive one, may be any.
  const differs = (size: number | string, i: number) =>
    typeof size === 'number' && size > 0 && size !== shape[i]
  if (input.shape.length !== shape.length || input.shape.some(differs))
    throw refuse(
      `${input.name} takes ${input.shape.join(' × ')}, not ${shape.join(' × ')} as the manifest says`,
    )
  return session
}

const image = new Float32Array(batch * channels * cells)

/** The batch as the model takes it: what is missing is 0, and an image is there once a channel. */
const fill = (values: Float32Array, from: number, count: number): void => {
  image.fill(0)
  for (let row = 0; row < count; row++) {
    const one = values.subarray((from + row) * cells, (from + row + 1) * cells)
    for (let channel = 0; channel < channels; channel++) image.set(one, (row * channels + channel) * cells)
  }
}

const score = async (session: InferenceSession, values: Float32Array<ArrayBuffer>): Promise<Scored> => {
  const rows = values.length / cells
  if (!Number.isInteger(rows))
    throw new SentinelError('NS_SCORING_FAILED', `${values.length} values are no rows of ${cells}`)
  const labels = form.outputs.label === undefined ? 0 : 1
  const scores = new Float32Array(rows)
  const models = new Float32Array(rows * (1 + labels))
  const explained: number[] = []
  const amounts: Float32Array[] = []
  for (let from = 0; from < rows; from += batch) {
    const count = Math.min(batch, rows - from)
    fill(values, from, count)
    const results: RunOutputs = await session.run(
      { [form.input]: new Tensor('float32', image, shape) },
      fetches,
    )
    for (let row = 0; row < count; row++) {
      const input = values.subarray((from + row) * cells, (from + row + 1) * cells)
      const { value, isAnomaly, contributions } = own(form, results, row, input)
      scores[from + row] = value
      models[(from + row) * (1 + labels)] = value
      if (labels > 0) models[(from + row) * 2 + 1] = isAnomaly ? 1 : 0
      // As the float32 that it leaves as: the other side compares that one.
      if (Math.fround(value) < explainFrom) continue
      explained.push(from + row)
      amounts.push(contributions())
    }
  }
  const whole = (at: (i: number) => Float32Array): Float32Array<ArrayBuffer> => {
    const all = new Float32Array(explained.length * cells)
    for (const i of explained.keys()) all.set(at(i), i * cells)
    return all
  }
  return {
    scores,
    models,
    explained: whole(i => values.subarray((explained[i] ?? 0) * cells, ((explained[i] ?? 0) + 1) * cells)),
    contributions: whole(i => amounts[i] ?? new Float32Array(cells)),
  }
}

await serve(async () => {
  const session = await open()
  return { score: values => score(session, values), release: () => session.release() }
})
