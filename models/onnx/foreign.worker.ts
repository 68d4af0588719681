import { workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { SentinelError } from '../../runtime/errors.ts'
import type { ForeignForm } from '../foreign/form.ts'
import { isOccluded, occlusionAmounts, occlusionsOf } from '../foreign/occlusion.ts'
import { type Own, own, type RunOutputs } from '../foreign/outputs.ts'
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

/** Runs rows batch by batch, and hands over what the model says of each. */
const runEach = async (
  session: InferenceSession,
  values: Float32Array<ArrayBuffer>,
  take: (row: number, says: Own) => void,
): Promise<void> => {
  const rows = values.length / cells
  for (let from = 0; from < rows; from += batch) {
    const count = Math.min(batch, rows - from)
    fill(values, from, count)
    const results: RunOutputs = await session.run(
      { [form.input]: new Tensor('float32', image, shape) },
      fetches,
    )
    for (let row = 0; row < count; row++) take(from + row, own(form, results, row, rowOf(values, from + row)))
  }
}

const rowOf = (values: Float32Array<ArrayBuffer>, row: number) =>
  values.subarray(row * cells, (row + 1) * cells)

/** What each cell of an input adds, by scoring it once more for each of its columns. */
const occlude = async (
  session: InferenceSession,
  input: Float32Array,
  unusual: number,
): Promise<Float32Array> => {
  const without: number[] = []
  await runEach(session, occlusionsOf(form, input), (_, says) => without.push(says.unusual))
  return occlusionAmounts(form, input, unusual, without)
}

const score = async (session: InferenceSession, values: Float32Array<ArrayBuffer>): Promise<Scored> => {
  const rows = values.length / cells
  const labels = form.outputs.label === undefined ? 0 : 1
  const scores = new Float32Array(rows)
  const models = new Float32Array(rows * (1 + labels))
  const explained: { readonly row: number; readonly unusual: number; readonly amounts: Float32Array }[] = []
  await runEach(session, values, (row, { value, unusual, isAnomaly, contributions }) => {
    scores[row] = value
    models[row * (1 + labels)] = value
    if (labels > 0) models[row * 2 + 1] = isAnomaly ? 1 : 0
    // As the float32 that it leaves as: the other side compares that one.
    if (Math.fround(value) >= explainFrom) explained.push({ row, unusual, amounts: contributions() })
  })
  const inputs = new Float32Array(explained.length * cells)
  const amounts = new Float32Array(explained.length * cells)
  for (const [i, each] of explained.entries()) {
    const input = rowOf(values, each.row)
    inputs.set(input, i * cells)
    amounts.set(isOccluded(form) ? await occlude(session, input, each.unusual) : each.amounts, i * cells)
  }
  return { scores, models, explained: inputs, contributions: amounts }
}

await serve(async () => {
  const session = await open()
  return {
    width: cells,
    explainFrom,
    score: values => score(session, values),
    release: () => session.release(),
  }
})
