import { createHash } from 'node:crypto'
import type { Observation } from '../detector.ts'
import { BEHAVIOUR_FEATURES } from './behaviour-features.ts'
import { contactOf } from './contacts.ts'
import { EVENT_FEATURES } from './event-features.ts'
import type { Feature, View } from './feature.ts'
import { actionKind, serviceKind } from './kinds.ts'
import { DAY_HALF_LIFE_MS, decay, FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS } from './state.ts'
import { textStats } from './text.ts'

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

const NO_CONTACTS = [] as const

/**
 * Writes the row of one observation into `out`, from index `at` on: {@link FEATURE_COUNT} float32 values, all finite
 * for any event that the schema allows. Depends on nothing but the observation.
 */
export const writeFeatures = ({ event, before }: Observation, out: Float32Array, at: number): void => {
  const gapMs = before === null ? null : Math.max(0, event.time - before.lastTime)
  const view: View = {
    event,
    before,
    gapMs,
    fast: decay(gapMs ?? 0, FAST_HALF_LIFE_MS),
    slow: decay(gapMs ?? 0, SLOW_HALF_LIFE_MS),
    day: decay(gapMs ?? 0, DAY_HALF_LIFE_MS),
    contact: contactOf(before?.contacts ?? NO_CONTACTS, event),
    action: actionKind(event.action) ?? null,
    service: event.service === null ? null : serviceKind(event.service),
    user: textStats(event.user),
    command: textStats(event.command),
    url: textStats(event.url),
    query: textStats(event.query),
    file: textStats(event.fileName),
  }
  let index = at
  for (const feature of FEATURES) out[index++] = feature.of(view)
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
