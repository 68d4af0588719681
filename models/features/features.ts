import { createHash } from 'node:crypto'
import type { Observation } from '../detector.ts'
import { BEHAVIOUR_FEATURES, writeBehaviourFeatures } from './behaviour-features.ts'
import { EVENT_FEATURES, writeEventFeatures } from './event-features.ts'
import type { Feature } from './feature.ts'

/** Raised by one whenever a feature is computed differently under the same name: models of before are then refused. */
export const FEATURE_VERSION = 2

/**
 * The features of one event, in the order of a row. What an event or its entity does not have is -1, never 0. Counters
 * are read as they stand just before the event, decayed to its time. No address and no clock time is a feature: a model
 * must not learn who or when, only how.
 */
const FEATURES: readonly Feature[] = [...EVENT_FEATURES, ...BEHAVIOUR_FEATURES]

/** Names of the features, in the order of a row. */
export const featureNames: readonly string[] = FEATURES.map(feature => feature.name)

/** Values in a row. */
export const FEATURE_COUNT = FEATURES.length

/** What each feature is, by its name: for the documentation and for whoever reads a contribution. */
export const featureDocs: Readonly<Record<string, string>> = Object.fromEntries(
  FEATURES.map(feature => [feature.name, feature.doc]),
)

/** SHA-256, in hex, of the version and the ordered names: a model made for other features is refused by it. */
export const featureHash: string = createHash('sha256')
  .update(JSON.stringify([FEATURE_VERSION, featureNames]))
  .digest('hex')

/**
 * Writes the row of one observation into `out`, from index `at` on: {@link FEATURE_COUNT} float32 values, all finite
 * for any event that the schema allows. Depends on nothing but the observation.
 */
export const writeFeatures = (observation: Observation, out: Float32Array, at: number): void => {
  writeBehaviourFeatures(observation, out, writeEventFeatures(observation.event, out, at))
}

/** The rows of observations, one after another: observations × {@link FEATURE_COUNT} values. */
export const featureRows = (observations: readonly Observation[]): Float32Array<ArrayBuffer> => {
  const rows = new Float32Array(observations.length * FEATURE_COUNT)
  let at = 0
  for (const observation of observations) {
    writeFeatures(observation, rows, at)
    at += FEATURE_COUNT
  }
  return rows
}
