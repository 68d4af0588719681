import { workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { SentinelError } from '../../runtime/errors.ts'
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

const options = workerData as WorkerOptions
const fetches = Object.values(options.outputs)

const open = async (): Promise<InferenceSession> => {
  const session = await InferenceSession.create(options.onnx, ONE_THREAD)
  const missing = [
    ...[options.input].filter(name => !session.inputNames.includes(name)).map(name => `input ${name}`),
    ...fetches.filter(name => !session.outputNames.includes(name)).map(name => `output ${name}`),
  ]
  if (missing.length > 0)
    throw new SentinelError('NS_MODEL_REFUSED', `the model has no ${missing.join(', ')}`)
  return session
}

/** The values of an output, of which each row has so many. */
const valuesOf = (results: InferenceSession.ReturnType, name: string, width: number): Float32Array => {
  const data = results[name]?.data
  if (!(data instanceof Float32Array) || data.length !== options.batchRows * width)
    throw new SentinelError('NS_SCORING_FAILED', `${name} is not ${width} float32 values a row`)
  return data
}

const padding = new Float32Array(options.batchRows * options.features)

/** The batch from a row on: as it lies there, or, where rows are missing at the end, with zeros for them. */
const batchAt = (values: Float32Array, from: number): Float32Array => {
  const batch = values.subarray(from * options.features, (from + options.batchRows) * options.features)
  if (batch.length === padding.length) return batch
  padding.fill(0)
  padding.set(batch)
  return padding
}

const score = async (session: InferenceSession, values: Float32Array): Promise<Scored> => {
  const { features, models: width, batchRows, input, outputs, explainFrom } = options
  const rows = values.length / features
  if (!Number.isInteger(rows))
    throw new SentinelError('NS_SCORING_FAILED', `${values.length} values are no rows of ${features}`)
  const scores = new Float32Array(rows)
  const models = new Float32Array(rows * width)
  const explained: Float32Array[] = []
  const amounts: Float32Array[] = []
  for (let from = 0; from < rows; from += batchRows) {
    const count = Math.min(batchRows, rows - from)
    const batch = new Tensor('float32', batchAt(values, from), [batchRows, features])
    const results = await session.run({ [input]: batch }, fetches)
    const batchScores = valuesOf(results, outputs.score, 1)
    const contributions = valuesOf(results, outputs.contributions, features)
    scores.set(batchScores.subarray(0, count), from)
    models.set(valuesOf(results, outputs.models, width).subarray(0, count * width), from * width)
    for (let row = 0; row < count; row++) {
      if ((batchScores[row] ?? 0) < explainFrom) continue
      explained.push(values.subarray((from + row) * features, (from + row + 1) * features))
      amounts.push(contributions.subarray(row * features, (row + 1) * features))
    }
  }
  return { scores, models, explained: joined(explained), contributions: joined(amounts) }
}

/** Rows, one behind the other. */
const joined = (rows: readonly Float32Array[]): Float32Array<ArrayBuffer> => {
  const all = new Float32Array(rows.length * options.features)
  for (const [i, row] of rows.entries()) all.set(row, i * options.features)
  return all
}

await serve(async () => {
  const session = await open()
  return { score: values => score(session, values), release: () => session.release() }
})
