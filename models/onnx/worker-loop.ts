import { parentPort } from 'node:worker_threads'
import { messageOf, SentinelError } from '../../runtime/errors.ts'

/** Options of a session in a worker, which has its own thread: the runtime makes no more. */
export const ONE_THREAD = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  logSeverityLevel: 3,
} as const

/** What a model says of rows. */
export interface Scored {
  /** One a row. */
  readonly scores: Float32Array<ArrayBuffer>
  /** Rows × models. */
  readonly models: Float32Array<ArrayBuffer>
  /** Those rows, in order, that score high enough, and what each of their values contributes: that many × values of a row. */
  readonly explained: Float32Array<ArrayBuffer>
  readonly contributions: Float32Array<ArrayBuffer>
}

/** A message to the worker. */
export type Request =
  | { readonly type: 'run'; readonly id: number; readonly values: Float32Array<ArrayBuffer> }
  | { readonly type: 'close' }

/** A message from the worker. */
export type Reply =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'scored'; readonly id: number; readonly scored: Scored }
  | { readonly type: 'failed'; readonly id: number; readonly reason: string }

/** A model in this thread. */
export interface OpenModel {
  /** Values of a row. */
  readonly width: number
  /** Rows that score at or above this are explained. */
  readonly explainFrom: number
  /** Scores rows, whatever their number; what it says of one does not depend on the others. */
  score(values: Float32Array<ArrayBuffer>): Promise<Scored>
  release(): Promise<void>
}

type Run = Extract<Request, { readonly type: 'run' }>

/** Rows up to which waiting requests are scored as one: a run takes as long for one row as for all that it has room for. */
const JOINED_ROWS = 512

/** Takes the first of the waiting requests, and those behind it that fit beside it. */
const takeJoined = (waiting: Run[], width: number): Run[] => {
  let [count, room] = [0, JOINED_ROWS * width]
  for (const { values } of waiting) {
    room -= values.length
    if (count > 0 && room < 0) break
    count++
  }
  return waiting.splice(0, count)
}

const join = (runs: readonly Run[]): Float32Array<ArrayBuffer> => {
  const [only] = runs
  if (only !== undefined && runs.length === 1) return only.values
  const joined = new Float32Array(runs.reduce((sum, { values }) => sum + values.length, 0))
  let at = 0
  for (const { values } of runs) {
    joined.set(values, at)
    at += values.length
  }
  return joined
}

type Answer = Extract<Reply, { readonly type: 'scored' }>

/** What was said of the rows of each request. */
const divide = (runs: readonly Run[], whole: Scored, { width, explainFrom }: OpenModel): Answer[] => {
  const [only] = runs
  if (only !== undefined && runs.length === 1) return [{ type: 'scored', id: only.id, scored: whole }]
  const models = whole.models.length / whole.scores.length
  let [row, explained] = [0, 0]
  return runs.map(({ id, values }) => {
    const [from, firstExplained] = [row, explained]
    row += values.length / width
    const scores = whole.scores.slice(from, row)
    explained += scores.filter(score => score >= explainFrom).length
    const scored = {
      scores,
      models: whole.models.slice(from * models, row * models),
      explained: whole.explained.slice(firstExplained * width, explained * width),
      contributions: whole.contributions.slice(firstExplained * width, explained * width),
    }
    return { type: 'scored', id, scored }
  })
}

/**
 * Opens a model and answers requests in their order until it is closed; says so when it cannot be opened. What waits while
 * the model is at work it then takes in one go: batches of several partitions are small when there is no backlog.
 */
export const serve = async (open: () => Promise<OpenModel>): Promise<void> => {
  const port = parentPort
  if (port === null) throw new SentinelError('NS_INTERNAL', 'a model is served in a worker thread only')
  const reply = (message: Reply, transfer: readonly ArrayBuffer[] = []) =>
    port.postMessage(message, [...transfer])
  let model: OpenModel
  try {
    model = await open()
  } catch (error) {
    reply({ type: 'refused', reason: messageOf(error) })
    return
  }
  const { width } = model
  const waiting: Run[] = []
  const answer = async (runs: readonly Run[]) => {
    try {
      const whole = await model.score(join(runs))
      for (const each of divide(runs, whole, model)) {
        const buffers = Object.values(each.scored).map((values: Float32Array<ArrayBuffer>) => values.buffer)
        reply(each, buffers)
      }
    } catch (error) {
      for (const { id } of runs) reply({ type: 'failed', id, reason: messageOf(error) })
    }
  }
  const answerWaiting = async () => {
    while (waiting.length > 0) await answer(takeJoined(waiting, width))
  }
  const close = async () => {
    await model.release()
    port.close()
  }
  // One after the other: run() yields between batches, and a release must not overtake a run.
  let queue = Promise.resolve()
  port.on('message', (request: Request) => {
    if (request.type === 'close') queue = queue.then(close)
    else if (request.values.length % width > 0) {
      const reason = `${request.values.length} values are no rows of ${width}`
      reply({ type: 'failed', id: request.id, reason })
    } else {
      waiting.push(request)
      queue = queue.then(answerWaiting)
    }
  })
  reply({ type: 'ready' })
}
