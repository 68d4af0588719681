import { SentinelError } from '../../runtime/errors.ts'
import type { Contribution } from '../../schemas/generated.ts'
import type { Analysis, Detector, TrainedModel } from '../detector.ts'
import { contributionsOf } from '../explain.ts'
import { FEATURE_COUNT, featureRows } from '../features/features.ts'
import { observe } from '../features/observe.ts'
import { assertBytes, assertFeatures, severityOf } from '../manifest.ts'
import { trainModel } from '../trainers/train.ts'
import { INPUT } from './ensemble-graph.ts'
import { createForeignDetector } from './foreign-detector.ts'
import { createSession, type Session, type SessionOptions } from './session.ts'

/** What the detector is made of: a model, and how its session is opened where that differs from the usual. */
export interface OnnxDetectorDeps extends TrainedModel {
  /** Score from which an analysis has contributions; the model's threshold when undefined. */
  readonly explainFrom?: number | undefined
  readonly session?: Pick<SessionOptions, 'batchRows' | 'worker'>
}

const NO_CONTRIBUTIONS: readonly Contribution[] = []

const isShare = (value: number): boolean => value >= 0 && value <= 1

/** Rows that no event makes a model trip over: everything absent, all zero, large values. */
const PROBES = [-1, 0, 50]

const probe = async (session: Session, version: string): Promise<void> => {
  const rows = new Float32Array(PROBES.length * FEATURE_COUNT)
  for (const [i, value] of PROBES.entries()) rows.fill(value, i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)
  let bad: number | undefined
  try {
    const { scores, models } = await session.run(rows)
    bad = [...scores, ...models].find(score => !isShare(score))
  } catch (cause) {
    const reason = `model ${version} cannot score a probe row: ${String(cause)}`
    throw new SentinelError('NS_MODEL_REFUSED', reason, { cause })
  }
  if (bad !== undefined)
    throw new SentinelError('NS_MODEL_REFUSED', `model ${version}: it scores a probe row ${bad}, not 0 to 1`)
}

/**
 * Serves a model by onnxruntime in a worker thread; one that is not ours by its form (foreign-detector.ts). The same observation gets the same analysis to the bit whatever else
 * is in the call: rows are independent in the graph, and the runtime uses one thread.
 *
 * Contributions leave the worker for those rows alone that score high enough.
 *
 * Rejects with NS_MODEL_REFUSED and the reason: other features than this code computes, a file that is not the
 * manifest's, an ONNX file that does not load or lacks an input or output, a probe row without scores of 0 to 1.
 */
export const createOnnxDetector = async ({
  onnx,
  manifest,
  explainFrom = manifest.threshold,
  session: how,
}: OnnxDetectorDeps): Promise<Detector> => {
  const { foreign: form } = manifest
  if (form !== undefined) return createForeignDetector({ onnx, manifest, form, explainFrom })
  assertFeatures(manifest)
  assertBytes(manifest, onnx)
  const { models, outputs } = manifest
  if (outputs === undefined)
    throw new SentinelError('NS_MODEL_REFUSED', `model ${manifest.version}: its manifest names no outputs`)
  const session = await createSession({
    ...how,
    onnx,
    input: INPUT,
    outputs,
    features: FEATURE_COUNT,
    models: models.length,
    explainFrom,
  })
  try {
    await probe(session, manifest.version)
  } catch (error) {
    await session.close()
    throw error
  }

  /** The analyses of rows. Of the observations nothing is kept meanwhile: many batches may be waiting. */
  const analyze = async (rows: Float32Array<ArrayBuffer>, count: number): Promise<Analysis[]> => {
    const scored = await session.run(rows)
    const analyses: Analysis[] = []
    let explained = 0
    for (let row = 0; row < count; row++) {
      const score = scored.scores[row] ?? Number.NaN
      if (!isShare(score))
        throw new SentinelError(
          'NS_SCORING_FAILED',
          `model ${manifest.version} scores event ${row + 1} of ${count} ${score}, not 0 to 1`,
        )
      const severity = severityOf(score, manifest)
      const modelScores: Record<string, number> = {}
      let at = row * models.length
      for (const name of models) modelScores[name] = scored.models[at++] ?? Number.NaN
      let contributions: readonly Contribution[] = NO_CONTRIBUTIONS
      if (score >= explainFrom) {
        const from = FEATURE_COUNT * explained++
        const values = scored.explained.subarray(from, from + FEATURE_COUNT)
        const amounts = scored.contributions.subarray(from, from + FEATURE_COUNT)
        contributions = contributionsOf(manifest, values, amounts)
      }
      analyses.push({ score, severity, modelScores, contributions })
    }
    return analyses
  }

  return {
    manifest,
    analyze: async observations =>
      observations.length === 0 ? [] : analyze(featureRows(observations), observations.length),
    train: async (events, options) => trainModel(observe(events), options),
    close: () => session.close(),
  }
}
