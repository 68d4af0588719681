import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { FEATURE_COUNT, featureRows } from '../../models/features/features.ts'
import { observe } from '../../models/features/observe.ts'
import { forestPart } from '../../models/onnx/forest-graph.ts'
import { encodeModel } from '../../models/onnx/graph.ts'
import { floorFloat32 } from '../../models/trainers/float32.ts'
import { captureEvents } from '../../pipelines/retraining/baseline.ts'
import { runPython } from './python.ts'

const ROWS = 64
const ROUNDS = 30
const LOADS = 5
const SESSION = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' } as const

/** What forest.py prints. */
interface Grown {
  readonly trees: readonly Readonly<
    Record<'feature' | 'threshold' | 'left' | 'right' | 'pathLength', readonly number[]>
  >[]
  readonly normalizer: number
  readonly nodes: number
  readonly scores: readonly number[]
}

/** One forest, as two exporters write it. */
interface Cost {
  /** µs of CPU a row, the median of rounds, at 64 rows a run. */
  readonly usPerRow: number
  readonly loadMs: number
  readonly bytes: number
  /** Largest difference from scikit-learn's own scores. */
  readonly difference: number
}

/** The same forest of scikit-learn's, exported by skl2onnx and as one node. */
export interface ForestRatio {
  readonly ours: Cost
  readonly skl2onnx: Cost & { readonly nodes: number }
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

const oneNode = ({ trees, normalizer }: Grown): Uint8Array =>
  encodeModel({
    ...forestPart(
      {
        trees: trees.map(tree => ({
          feature: Int32Array.from(tree.feature),
          threshold: Float32Array.from(tree.threshold, floorFloat32),
          left: Int32Array.from(tree.left),
          right: Int32Array.from(tree.right),
          pathLength: Float32Array.from(tree.pathLength),
        })),
        features: FEATURE_COUNT,
        normalizer,
      },
      'X',
      'score',
    ),
    name: 'forest',
    inputs: [{ name: 'X', shape: ['rows', FEATURE_COUNT] }],
    outputs: [{ name: 'score', shape: ['rows', 1] }],
  })

const costOf = async (
  onnx: Uint8Array,
  output: string,
  sign: number,
  { values, scores }: { readonly values: Float32Array; readonly scores: readonly number[] },
): Promise<Cost> => {
  const loads: number[] = []
  for (let load = 0; load < LOADS; load++) {
    const started = performance.now()
    const opened = await InferenceSession.create(onnx, SESSION)
    loads.push(performance.now() - started)
    await opened.release()
  }
  const loadMs = loads.toSorted((a, b) => a - b)[LOADS >> 1] ?? 0
  const session = await InferenceSession.create(onnx, SESSION)
  const batches = Math.min(20, Math.floor(values.length / ROWS / FEATURE_COUNT))
  const scored = async (batch: number): Promise<number[]> => {
    const rows = values.subarray(batch * ROWS * FEATURE_COUNT, (batch + 1) * ROWS * FEATURE_COUNT)
    const results = await session.run({ X: new Tensor('float32', rows, [ROWS, FEATURE_COUNT]) }, [output])
    return Array.from(results[output]?.data as Float32Array, score => sign * score)
  }
  const difference = Math.max(...(await scored(0)).map((score, row) => Math.abs(score - (scores[row] ?? 0))))
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const from = cpu()
    for (let batch = 0; batch < batches; batch++) await scored(batch)
    rounds.push((cpu() - from) / batches / ROWS)
  }
  await session.release()
  const usPerRow = rounds.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0
  return { usPerRow, loadMs, bytes: onnx.length, difference }
}

/**
 * Grows 100 trees by scikit-learn on the bundled events and serves them by onnxruntime twice: as skl2onnx exports them, and
 * as the one node that our own forests are.
 */
export const compareForests = async (): Promise<ForestRatio> => {
  const observations = observe(await captureEvents())
  const values = featureRows(observations)
  const folder = mkdtempSync(join(tmpdir(), 'netsentinel-forest-'))
  try {
    writeFileSync(join(folder, 'train.f32'), values)
    writeFileSync(join(folder, 'shape.json'), JSON.stringify({ features: FEATURE_COUNT }))
    for await (const grown of runPython<Grown>('forest.py', folder)) {
      const rows = { values, scores: grown.scores }
      const theirs = new Uint8Array(readFileSync(join(folder, 'sklearn.onnx')))
      return {
        ours: await costOf(oneNode(grown), 'score', 1, rows),
        skl2onnx: { ...(await costOf(theirs, 'score_samples', -1, rows)), nodes: grown.nodes },
      }
    }
    throw new TypeError('forest.py printed nothing')
  } finally {
    rmSync(folder, { recursive: true })
  }
}
