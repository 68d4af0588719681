import type { SoloQueue } from '../../connectors/solo-queue.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { stabilityIndex } from '../../models/evaluation/histogram.ts'
import type { ObservedStore } from '../scoring/observed.ts'

/** What drift is looked for with. */
export interface DriftDeps {
  readonly queue: Pick<SoloQueue<{ readonly trigger: string }, unknown>, 'add' | 'isBusy'>
  readonly store: Pick<ObservedStore, 'read'>
  /** The model in force. */
  readonly champion: () => Promise<TrainedModel>
  /** Stability index of its scores from which on they have drifted. */
  readonly most: number
  readonly now?: () => number
}

/** Events by which drift is told. */
const DRIFT_EVENTS = 5_000
const DAY_MS = 24 * 3_600_000

/**
 * Adds a retraining when the scores of the model in force have left the distribution of its training: one a day (UTC) over
 * all processes, because what was tried today and did not help will not help an hour later, and none while one is being
 * done. Throws NS_SERVICE_UNREACHABLE.
 */
export const addOnDrift = async (deps: DriftDeps): Promise<void> => {
  const { queue, store, champion, most, now = Date.now } = deps
  const { manifest } = await champion()
  const observed = await store.read(manifest.version, null)
  if (manifest.training === undefined || observed === undefined || observed.events < DRIFT_EVENTS) return
  const drift = stabilityIndex(manifest.training.scores, observed.championScores)
  if (drift < most || (await queue.isBusy())) return
  const trigger = `drift: the stability index of the scores of ${manifest.version} is ${drift.toFixed(2)}`
  await queue.add({ trigger }, `drift-${Math.floor(now() / DAY_MS)}`)
}
