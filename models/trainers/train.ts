import type { Observation, TrainedModel } from '../detector.ts'
import { histogramOf } from '../evaluation/histogram.ts'
import { FEATURE_COUNT, featureHash, featureNames, featureRows } from '../features/features.ts'
import { isUsual } from '../features/usual.ts'
import { sha256 } from '../manifest.ts'
import { encodeEnsemble, OUTPUTS } from '../onnx/ensemble-graph.ts'
import { scoreOfBudget } from './calibration.ts'
import { type EnsembleOptions, scoreEnsemble, trainEnsemble } from './ensemble.ts'
import type { Matrix } from './matrix.ts'
import { modelNames } from './members.ts'
import { seenIn } from './seen.ts'

/** What a new model is called, where it stands in the order of models, and how it is trained. */
export interface TrainOptions extends EnsembleOptions {
  readonly version: string
  readonly sequence: number
}

/** Budgets of false alerts: one in so many usual events scores at or above each cut-off. */
const BUDGETS = { threshold: 200, medium: 500, high: 2_000, critical: 20_000 } as const

/** What the trainer's float64 and the runtime's float32 may differ by, and twice that to either side of a cut-off. */
const GAP = 4e-5

/**
 * The cut-off for a budget: the middle of the gap between the training scores around it, rounded to 6 digits, so that
 * neither the runtime's float32 nor the machine's last bit decides on which side a score falls; where scores lie dense,
 * the budget's own score.
 */
export const cutOff = (scores: Float64Array, events: number): number => {
  const exact = scoreOfBudget(events)
  let below = 0
  let above = 1
  for (const score of scores) {
    if (score < exact) below = Math.max(below, score)
    else above = Math.min(above, score)
  }
  const isGap = above - below > GAP && above < 1 && below > 0
  return Math.round((isGap ? (below + above) / 2 : exact) * 1e6) / 1e6
}

/**
 * Trains the default ensemble on observations of usual traffic and writes it as an ONNX file with its manifest; what is
 * known for an attack is left out (see {@link isUsual}). Same observations and seed in, same bytes out: the only functions
 * beyond IEEE arithmetic are V8's own ports of exp, log and pow, which are the same code on every platform, and their
 * results are rounded to float32.
 *
 * Throws NS_MODEL_REFUSED for fewer than four observations that are usual.
 */
export const trainModel = (observations: readonly Observation[], options: TrainOptions): TrainedModel => {
  const usual = observations.filter(isUsual)
  return trainOnRows({ values: featureRows(usual), rows: usual.length, features: FEATURE_COUNT }, options)
}

/** The same on rows of features, in the order of {@link featureNames}. */
export const trainOnRows = (data: Matrix, options: TrainOptions): TrainedModel => {
  const { version, sequence, seed, hands, onProgress } = options
  const ensemble = trainEnsemble(data, options)
  onProgress?.({ phase: 'export', done: 0.85 })
  const { scores } = scoreEnsemble(ensemble, data, hands)
  const { expected, features } = seenIn(data)
  const onnx = encodeEnsemble(ensemble, { version, featureHash })
  return {
    onnx,
    manifest: {
      version,
      sequence,
      featureHash,
      features: featureNames,
      layout: 'row',
      outputs: OUTPUTS,
      models: modelNames(ensemble),
      calibration: { rows: ensemble.calibrationRows, budget: BUDGETS.threshold },
      expected,
      training: { features, scores: histogramOf(Float32Array.from(scores).sort()) },
      threshold: cutOff(scores, BUDGETS.threshold),
      severities: {
        medium: cutOff(scores, BUDGETS.medium),
        high: cutOff(scores, BUDGETS.high),
        critical: cutOff(scores, BUDGETS.critical),
      },
      seed,
      rows: data.rows,
      sha256: sha256(onnx),
    },
  }
}
