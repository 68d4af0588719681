import type { Event } from '../../schemas/generated.ts'
import type { TrainedModel } from '../detector.ts'
import { FEATURE_COUNT, featureHash, featureNames, featureRows } from '../features/features.ts'
import { observe } from '../features/observe.ts'
import { sha256 } from '../manifest.ts'
import { encodeForest } from '../onnx/forest-graph.ts'
import { scoreIsolationForest, trainIsolationForest } from './isolation-forest.ts'

/** What a new model is called, where it stands in the order of models, and what its randomness starts from. */
export interface TrainOptions {
  readonly version: string
  readonly sequence: number
  readonly seed: number
}

/** Shares of the training events that score at or above each cut-off. */
const SHARES = { threshold: 0.05, medium: 0.025, high: 0.01, critical: 0.0025 } as const

/** Twice what the trainer's float64 and the runtime's float32 may differ by: a cut-off keeps this far from any score. */
const GAP = 2e-5

/**
 * A cut-off that at most this share of the scores reaches: the middle of a gap between two neighbouring scores, rounded
 * to 6 digits, so that neither the runtime's float32 nor the machine's last bit decides on which side a score falls.
 */
export const cutOff = (scores: Float64Array, share: number): number => {
  const sorted = scores.toSorted()
  for (let i = Math.max(1, Math.ceil(sorted.length * (1 - share))); i < sorted.length; i++) {
    const below = sorted[i - 1] ?? 0
    const above = sorted[i] ?? 1
    if (above - below > GAP) return Math.round(((below + above) / 2) * 1e6) / 1e6
  }
  return 1
}

/**
 * Trains an isolation forest on events, given in time order per entity, and writes it as an ONNX file with its manifest.
 * Same events and seed in, same bytes out: the only functions beyond IEEE arithmetic are V8's own ports of exp, log and
 * pow, which are the same code on every platform, and their results are rounded to float32.
 *
 * Throws NS_MODEL_REFUSED for fewer than two events.
 */
export const trainForestModel = (events: readonly Event[], options: TrainOptions): TrainedModel => {
  const data = { values: featureRows(observe(events)), rows: events.length, features: FEATURE_COUNT }
  const forest = trainIsolationForest(data, { seed: options.seed })
  const scores = scoreIsolationForest(forest, data)
  const onnx = encodeForest(forest, { version: options.version, featureHash })
  return {
    onnx,
    manifest: {
      version: options.version,
      sequence: options.sequence,
      featureHash,
      features: featureNames,
      threshold: cutOff(scores, SHARES.threshold),
      severities: {
        medium: cutOff(scores, SHARES.medium),
        high: cutOff(scores, SHARES.high),
        critical: cutOff(scores, SHARES.critical),
      },
      seed: options.seed,
      rows: data.rows,
      sha256: sha256(onnx),
    },
  }
}
