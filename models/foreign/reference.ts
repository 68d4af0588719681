import type { Observation, TrainedModel } from '../detector.ts'
import { type Histogram, histogramOf, middleOf } from '../evaluation/histogram.ts'
import { FEATURE_COUNT, featureNames, featureRows } from '../features/features.ts'
import { isUsual } from '../features/usual.ts'
import { createOnnxDetector } from '../onnx/onnx-detector.ts'
import { scoresOf } from '../scores.ts'
import { seenIn } from '../trainers/seen.ts'

/**
 * The model with the usual value of each of its columns: the middle of the feature's distribution, where its manifest names
 * none. Of a model of windows it stays unknown: it would have to be run once more for every column of every threat.
 */
export const withUsual = (model: TrainedModel, features: readonly Histogram[]): TrainedModel => {
  const { foreign } = model.manifest
  if (foreign === undefined || foreign.usual !== undefined || foreign.layout !== 'row') return model
  const usual = foreign.columns.map(column =>
    middleOf(features[featureNames.indexOf(column)] ?? { edges: [], shares: [] }),
  )
  return { ...model, manifest: { ...model.manifest, foreign: { ...foreign, usual } } }
}

/**
 * The model with what drift is measured against: how the features of these events are distributed, and its scores of them.
 * What is known for an attack is left out, as it is when a model is trained. Throws NS_MODEL_REFUSED.
 */
export const withReference = async (
  model: TrainedModel,
  observations: readonly Observation[],
): Promise<TrainedModel> => {
  const usual = observations.filter(isUsual)
  const { expected, features } = seenIn({
    values: featureRows(usual),
    rows: usual.length,
    features: FEATURE_COUNT,
  })
  const complete = withUsual(model, features)
  const detector = await createOnnxDetector({ ...complete, explainFrom: Number.POSITIVE_INFINITY })
  try {
    const scores = Float32Array.from(await scoresOf(detector, usual)).sort()
    const { manifest } = complete
    const foreign = manifest.foreign && {
      ...manifest.foreign,
      expected: manifest.foreign.expected ?? columnsOf(expected, manifest.foreign.columns),
    }
    const training = { features, scores: histogramOf(scores) }
    return { ...complete, manifest: { ...manifest, foreign, training, rows: usual.length } }
  } finally {
    await detector.close()
  }
}

/** A range of all features as one of some of them. */
const columnsOf = (
  { low, high }: { readonly low: readonly number[]; readonly high: readonly number[] },
  columns: readonly string[],
) => {
  const of = (values: readonly number[]) => columns.map(column => values[featureNames.indexOf(column)] ?? 0)
  return { low: of(low), high: of(high) }
}
