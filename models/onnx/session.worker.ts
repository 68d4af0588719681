import { workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { SentinelError } from '../../runtime/errors.ts'
import { keepOutputs } from './prune.ts'
import { ONE_THREAD, type Scored, serve } from './worker-loop.ts'

/** What the worker is started with. */
export interface WorkerOptions {
  readonly onnx: Uint8Array
  /** Name of the input, rows × `features` float32. */
  readonly input: string
  /** Names of the outputs, float32: rows × 1, rows × `models`, rows × `features`. */
  readonly outputs: { readonly score: string; readonly models: string; readonly contributions: string }
  readonly features: number
  readonly models: number
  /** Rows that score at or above this get their contributions. */
  readonly explainFrom: number
  /** Rows of every run: a multiplication of matrices gives a row other bits when there are more or fewer beside it. */
  readonly batchRows: number
}

/** Rows of every run that explains: of a request a few rows score high enough. */
const EXPLAINED_ROWS = 16

const options = workerData as WorkerOptions
const { features, models: width, input, outputs, explainFrom } = options

/** A part of the model at work: what gives some of its outputs, so many rows at a time. */
interface Part {
  readonly session: InferenceSession
  readonly names: readonly string[]
  readonly rows: number
  readonly padding: Float32Array
}

const openPart = async (names: readonly string[], rows: number): Promise<Part> => {
  const session = await InferenceSession.create(keepOutputs(options.onnx, names), ONE_THREAD)
  if (!session.inputNames.includes(input))
    throw new SentinelError('NS_MODEL_REFUSED', `the model has no input ${input}`)
  return { session, names, rows, padding: new Float32Array(rows * features) }
}

/** The rows from one on: as they lie there, or, where some are missing at the end, with zeros for them. */
const batchAt = (values: Float32Array, from: number, { rows, padding }: Part): Float32Array => {
  const batch = values.subarray(from * features, (from + rows) * features)
  if (batch.length === padding.length) return batch
  padding.fill(0)
  padding.set(batch)
  return padding
}

/** Runs a part over the rows from one on, and gives its outputs. */
const runAt = async (
  part: Part,
  values: Float32Array,
  from: number,
): Promise<InferenceSession.ReturnType> => {
  const batch = new Tensor('float32', batchAt(values, from, part), [part.rows, features])
  return part.session.run({ [input]: batch }, part.names)
}

/** The values of an output, of which each of the rows has so many. */
const valuesOf = (
  results: InferenceSession.ReturnType,
  name: string,
  each: { readonly rows: number; readonly width: number },
): Float32Array => {
  const data = results[name]?.data
  if (!(data instanceof Float32Array) || data.length !== each.rows * each.width)
    throw new SentinelError('NS_SCORING_FAILED', `${name} is not ${each.width} float32 values a row`)
  return data
}

/** Those rows, one behind the other, that score high enough. */
const highRows = (values: Float32Array, scores: Float32Array): Float32Array<ArrayBuffer> => {
  const places = [...scores.keys()].filter(row => (scores[row] ?? 0) >= explainFrom)
  const high = new Float32Array(places.length * features)
  for (const [i, row] of places.entries())
    high.set(values.subarray(row * features, (row + 1) * features), i * features)
  return high
}

const explain = async (part: Part, values: Float32Array): Promise<Float32Array<ArrayBuffer>> => {
  const contributions = new Float32Array(values.length)
  for (let at = 0; at < values.length; at += part.padding.length) {
    const results = await runAt(part, values, at / features)
    const amounts = valuesOf(results, outputs.contributions, { rows: part.rows, width: features })
    contributions.set(amounts.subarray(0, values.length - at), at)
  }
  return contributions
}

const score = async (scoring: Part, explaining: Part, values: Float32Array): Promise<Scored> => {
  const rows = values.length / features
  const scores = new Float32Array(rows)
  const models = new Float32Array(rows * width)
  for (let from = 0; from < rows; from += scoring.rows) {
    const count = Math.min(scoring.rows, rows - from)
    const results = await runAt(scoring, values, from)
    const ofRows = { rows: scoring.rows }
    scores.set(valuesOf(results, outputs.score, { ...ofRows, width: 1 }).subarray(0, count), from)
    models.set(
      valuesOf(results, outputs.models, { ...ofRows, width }).subarray(0, count * width),
      from * width,
    )
  }
  const explained = highRows(values, scores)
  return { scores, models, explained, contributions: await explain(explaining, explained) }
}

await serve(async () => {
  const scoring = await openPart([outputs.score, outputs.models], options.batchRows)
  const explaining = await openPart([outputs.contributions], EXPLAINED_ROWS)
  return {
    width: features,
    explainFrom,
    score: values => score(scoring, explaining, values),
    release: async () => {
      await scoring.session.release()
      await explaining.session.release()
    },
  }
})
