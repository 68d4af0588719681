import { SentinelError } from '../../runtime/errors.ts'
import type { Analysis, Detector, TrainedModel } from '../detector.ts'
import { FEATURE_COUNT, featureRows } from '../features/features.ts'
import { assertBytes, assertFeatures, severityOf } from '../manifest.ts'
import { trainForestModel } from '../trainers/train.ts'
import { INPUT, OUTPUT } from './forest-graph.ts'
import { createSession, type Session, type SessionOptions } from './session.ts'

/** What the detector is made of: a model, and how its session is opened where that differs from the usual. */
export interface OnnxDetectorDeps extends TrainedModel {
  readonly session?: Pick<SessionOptions, 'batchRows' | 'worker'>
}

const isScore = (score: number | undefined): score is number =>
  score !== undefined && score >= 0 && score <= 1

/** Rows that no event makes a model trip over: everything absent, all zero, large values. */
const PROBES = [-1, 0, 50]

const probe = async (session: Session, version: string): Promise<void> => {
  const rows = new Float32Array(PROBES.length * FEATURE_COUNT)
  for (const [i, value] of PROBES.entries()) rows.fill(value, i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)
  let reason: string | undefined
  try {
    const bad = (await session.run(rows)).find(score => !isScore(score))
    if (bad !== undefined) reason = `it scores a probe row ${bad}, not 0 to 1`
  } catch (cause) {
    throw new SentinelError(
      'NS_MODEL_REFUSED',
      `model ${version} cannot score a probe row: ${String(cause)}`,
      {
        cause,
      },
    )
  }
  if (reason !== undefined) throw new SentinelError('NS_MODEL_REFUSED', `model ${version}: ${reason}`)
}

/**
 * Serves a model by onnxruntime in a worker thread. The same observation gets the same score to the bit whatever else is
 * in the call: rows are independent in the graph, and the runtime uses one thread.
 *
 * Rejects with NS_MODEL_REFUSED and the reason: other features than this code computes, a file that is not the
 * manifest's, an ONNX file that does not load or has no `score` of `features`, a probe row without a score of 0 to 1.
 */
export const createOnnxDetector = async ({
  onnx,
  manifest,
  session: how,
}: OnnxDetectorDeps): Promise<Detector> => {
  assertFeatures(manifest)
  assertBytes(manifest, onnx)
  const session = await createSession({ ...how, onnx, input: INPUT, output: OUTPUT, features: FEATURE_COUNT })
  try {
    await probe(session, manifest.version)
  } catch (error) {
    await session.close()
    throw error
  }

  const analysisOf = (score: number): Analysis => ({
    score,
    severity: severityOf(score, manifest),
    modelScores: { isolationForest: score },
    contributions: [],
  })

  return {
    manifest,
    analyze: async observations => {
      if (observations.length === 0) return []
      const scores = await session.run(featureRows(observations))
      return observations.map(({ event }, i) => {
        const score = scores[i]
        if (!isScore(score))
          throw new SentinelError(
            'NS_SCORING_FAILED',
            `model ${manifest.version} scores event ${event.id} ${score}, not 0 to 1`,
          )
        return analysisOf(score)
      })
    },
    train: async (events, options) => trainForestModel(events, options),
    close: () => session.close(),
  }
}
