import { SentinelError } from '../runtime/errors.ts'
import type { Contribution } from '../schemas/generated.ts'
import type { Detector, ModelManifest, Observation } from './detector.ts'
import { contributionsOf } from './explain.ts'
import { FEATURE_COUNT, featureHash, featureNames, featureRows } from './features/features.ts'
import { observe } from './features/observe.ts'
import { severityOf } from './manifest.ts'
import { OUTPUTS } from './onnx/ensemble-graph.ts'
import { trainModel } from './trainers/train.ts'

/** What may be chosen of a detector in memory. */
export interface MemoryDetectorOptions {
  readonly manifest?: Partial<ModelManifest>
  /** Replaces the score of the feature row. */
  readonly score?: (observation: Observation) => number
}

/** A score that any difference in the row changes: its mean absolute value, brought between 0 and 1. */
const rowScore = (observation: Observation): number => {
  let sum = 0
  for (const value of featureRows([observation])) sum += Math.abs(value)
  const mean = sum / FEATURE_COUNT
  return mean / (1 + mean)
}

/** Each feature's part of that mean. */
const explain = (observation: Observation, manifest: ModelManifest): Contribution[] => {
  const row = featureRows([observation])
  return contributionsOf(manifest, row, row.map(Math.abs))
}

/** A detector without a runtime or a thread, for tests of whatever stands on one. */
export const createMemoryDetector = ({
  manifest: chosen = {},
  score = rowScore,
}: MemoryDetectorOptions = {}): Detector => {
  const manifest: ModelManifest = {
    version: 'memory-1',
    sequence: 1,
    featureHash,
    features: featureNames,
    layout: 'row',
    outputs: OUTPUTS,
    models: ['memory'],
    calibration: { rows: 0, budget: 1 },
    expected: { low: [], high: [] },
    threshold: 0.5,
    severities: { medium: 0.6, high: 0.7, critical: 0.8 },
    seed: 0,
    rows: 0,
    sha256: '0'.repeat(64),
    ...chosen,
  }
  let closed = false
  return {
    manifest,
    analyze: async observations => {
      if (closed) throw new SentinelError('NS_SCORING_FAILED', 'the model is closed')
      return observations.map(observation => {
        const value = score(observation)
        if (!(value >= 0 && value <= 1))
          throw new SentinelError(
            'NS_SCORING_FAILED',
            `event ${observation.event.id} scores ${value}, not 0 to 1`,
          )
        return {
          score: value,
          severity: severityOf(value, manifest),
          modelScores: { memory: value },
          contributions: value < manifest.threshold ? [] : explain(observation, manifest),
        }
      })
    },
    train: async (events, options) => trainModel(observe(events), options),
    close: async () => {
      closed = true
    },
  }
}
