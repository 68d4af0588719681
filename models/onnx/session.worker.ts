import { parentPort, workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { messageOf, SentinelError } from '../../runtime/errors.ts'

/** What the worker is started with. */
export interface WorkerOptions {
  readonly onnx: Uint8Array
  /** Name of the input, rows × `features` float32. */
  readonly input: string
  /** Name of the output, one float32 a row. */
  readonly output: string
  readonly features: number
  /** Rows that are given to the runtime at a time. */
  readonly batchRows: number
}

/** A message to the worker. */
export type Request =
  | { readonly type: 'run'; readonly id: number; readonly values: Float32Array<ArrayBuffer> }
  | { readonly type: 'close' }

/** A message from the worker. */
export type Reply =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'scores'; readonly id: number; readonly scores: Float32Array<ArrayBuffer> }
  | { readonly type: 'failed'; readonly id: number; readonly reason: string }

const options = workerData as WorkerOptions
const port = parentPort
if (port === null) throw new SentinelError('NS_INTERNAL', 'session.worker.ts runs in a worker thread only')

const open = async (): Promise<InferenceSession> => {
  const session = await InferenceSession.create(options.onnx, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  })
  const missing =
    (!session.inputNames.includes(options.input) && `input ${options.input}`) ||
    (!session.outputNames.includes(options.output) && `output ${options.output}`)
  if (missing) throw new SentinelError('NS_MODEL_REFUSED', `the model has no ${missing}`)
  return session
}

const score = async (session: InferenceSession, values: Float32Array): Promise<Float32Array<ArrayBuffer>> => {
  const { features, batchRows, input, output } = options
  const rows = values.length / features
  const scores = new Float32Array(rows)
  for (let from = 0; from < rows; from += batchRows) {
    const count = Math.min(batchRows, rows - from)
    const batch = values.subarray(from * features, (from + count) * features)
    const result = (
      await session.run({ [input]: new Tensor('float32', batch, [count, features]) }, [output])
    )[output]
    if (!(result?.data instanceof Float32Array) || result.data.length !== count)
      throw new SentinelError('NS_SCORING_FAILED', `${output} is not one float32 a row`)
    scores.set(result.data, from)
  }
  return scores
}

const reply = (message: Reply, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, [...transfer])

const serve = (session: InferenceSession) => {
  const answer = async (request: Request) => {
    if (request.type === 'close') {
      await session.release()
      port.close()
      return
    }
    try {
      const scores = await score(session, request.values)
      reply({ type: 'scores', id: request.id, scores }, [scores.buffer])
    } catch (error) {
      reply({ type: 'failed', id: request.id, reason: messageOf(error) })
    }
  }
  // One request after the other: run() yields between batches, and a release must not overtake a run.
  let queue = Promise.resolve()
  port.on('message', (request: Request) => {
    queue = queue.then(() => answer(request))
  })
  reply({ type: 'ready' })
}

try {
  serve(await open())
} catch (error) {
  reply({ type: 'refused', reason: messageOf(error) })
}
