import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { FEATURE_COUNT, featureRows } from '../models/features/features.ts'
import { observe } from '../models/features/observe.ts'
import { encodeEnsemble, INPUT, OUTPUTS } from '../models/onnx/ensemble-graph.ts'
import { forestPart } from '../models/onnx/forest-graph.ts'
import { encodeModel } from '../models/onnx/graph.ts'
import { createOnnxDetector } from '../models/onnx/onnx-detector.ts'
import { trainEnsemble } from '../models/trainers/ensemble.ts'
import { trainModel } from '../models/trainers/train.ts'
import { trainInThreads } from '../models/trainers/train-in-threads.ts'
import { captureEvents } from '../pipelines/retraining/baseline.ts'

const ROUNDS = 15
const BATCH_ROWS = 64
const SESSION = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' } as const

const row = (what: string, value: string) => process.stdout.write(`| ${what} | ${value} |\n`)

/** Median of the rounds after a third of them for nothing, each in µs of `clock` a row. */
const perRow = async (rows: number, clock: () => number, work: () => Promise<unknown>): Promise<number> => {
  const rounds: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const started = clock()
    await work()
    rounds.push((clock() - started) / rows)
  }
  return rounds.slice(ROUNDS / 3).toSorted((a, b) => a - b)[ROUNDS / 3] ?? 0
}

/** µs of CPU of the whole process, worker threads included: other work on the machine disturbs it less than the clock. */
const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

const observations = observe(await captureEvents())
const values = featureRows(observations)
const data = { values, rows: observations.length, features: FEATURE_COUNT }
const ensemble = trainEnsemble(data, { seed: 1 })

/** µs of CPU a row of a graph by itself, at 64 rows a run. */
const graphCost = async (onnx: Uint8Array, outputs: readonly string[]): Promise<number> => {
  const session = await InferenceSession.create(onnx, SESSION)
  const width = BATCH_ROWS * FEATURE_COUNT
  const cost = await perRow(data.rows, cpu, async () => {
    for (let from = 0; from + width <= values.length; from += width) {
      const batch = new Tensor('float32', values.subarray(from, from + width), [BATCH_ROWS, FEATURE_COUNT])
      await session.run({ [INPUT]: batch }, outputs)
    }
  })
  await session.release()
  return cost
}

const onnx = encodeEnsemble(ensemble)
const forest = encodeModel({
  ...forestPart(ensemble.forest, INPUT, 'forest'),
  name: 'forest',
  inputs: [{ name: INPUT, shape: ['rows', FEATURE_COUNT] }],
  outputs: [{ name: 'forest', shape: ['rows', 1] }],
})

const loads: number[] = []
for (let i = 0; i < ROUNDS; i++) {
  const started = performance.now()
  const session = await InferenceSession.create(onnx, SESSION)
  loads.push(performance.now() - started)
  await session.release()
}

const model = trainModel(observations, { version: 'bench', sequence: 1, seed: 1 })
const detector = await createOnnxDetector(model)
const one = await detector.analyze(observations)
const explained = one.filter(each => each.contributions.length > 0).length / one.length
const whole = await perRow(data.rows, cpu, async () => detector.analyze(observations))
await detector.close()

const us = (value: number) => `${value.toFixed(2)} µs of CPU a row`
row('machine', `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'cpu'}, Node ${process.versions.node}`)
row('forest alone, 64 rows a run', us(await graphCost(forest, ['forest'])))
row('ensemble with contributions, 64 rows a run', us(await graphCost(onnx, Object.values(OUTPUTS))))
row(`analyze, features and both threads included, ${(explained * 100).toFixed(1)} % explained`, us(whole))
row(
  'session load',
  `${(loads.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0).toFixed(1)} ms (${onnx.length} bytes)`,
)

/** Rows of the length of a window of retraining: those of the capture, over and over. */
const window = new Float32Array(25_000 * FEATURE_COUNT)
for (let at = 0; at < window.length; at += values.length)
  window.set(values.subarray(0, Math.min(values.length, window.length - at)), at)
const retrain = (threads: number) =>
  trainInThreads(
    { values: window, rows: 25_000, features: FEATURE_COUNT },
    { version: 'bench', sequence: 1, seed: 1, contaminated: true, threads },
  )
for (const threads of [1, 2]) {
  const started = performance.now()
  await retrain(threads)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  row(`retraining on 25,000 rows, trimmed, threads: ${threads}`, `${seconds} s`)
}

/** Rows a second through `analyze` until some work has ended. */
const paceUntil = async (work: Promise<unknown>): Promise<number> => {
  const scorer = await createOnnxDetector(model)
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  const started = performance.now()
  let rows = 0
  while (!isOver) {
    await scorer.analyze(observations)
    rows += observations.length
  }
  const seconds = (performance.now() - started) / 1000
  await scorer.close()
  await ended
  return rows / seconds
}

const alone = await paceUntil(sleep(3_000))
const beside = await paceUntil(retrain(1))
const kept = ((100 * beside) / alone).toFixed(0)
row(
  'rows a second while one thread retrains',
  `${beside.toFixed(0)} of ${alone.toFixed(0)} alone (${kept} %)`,
)
