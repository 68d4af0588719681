import type { Histogram } from './histogram.ts'

/** What is seen of a champion at work. */
export interface Watched {
  /** Events that it scored. */
  readonly events: number
  /** Of them, those at or above its threshold. */
  readonly alerts: number
  /** Stability index of its scores against those that it gave as a challenger. */
  readonly scoreDrift: number
}

/** What the guard lets pass. */
export interface GuardBounds {
  /** Fewest events that say anything. */
  readonly events: number
  /** Most times the share of alerts, over what was seen of it as a challenger. */
  readonly alertRise: number
  /** Largest stability index of the scores. */
  readonly scoreDrift: number
}

/** The bounds that the project has. */
const GUARD_BOUNDS: GuardBounds = { events: 500, alertRise: 5, scoreDrift: 1 }

/** Whether a champion stays, and why not. */
export type GuardDecision =
  | { readonly keep: true; readonly seen: boolean }
  | { readonly keep: false; readonly reason: string }

/**
 * Judges a champion after its promotion: its alerts may not become many times those that it would have made as a
 * challenger (`expected`, share of events), its scores may not leave the distribution that they had then. Few events decide
 * nothing: `seen` is false then.
 */
export const guardChampion = (
  { events, alerts, scoreDrift }: Watched,
  expected: number,
  bounds: GuardBounds = GUARD_BOUNDS,
): GuardDecision => {
  if (events < bounds.events) return { keep: true, seen: false }
  const usual = expected * events
  const allowed = bounds.alertRise * (usual + 2 * Math.sqrt(usual) + 2)
  if (alerts > allowed) {
    const share = ((100 * alerts) / events).toFixed(2)
    return {
      keep: false,
      reason: `it reports ${share} % of ${events} events, where ${(100 * expected).toFixed(2)} % was to be expected`,
    }
  }
  if (scoreDrift > bounds.scoreDrift) {
    return {
      keep: false,
      reason: `its scores are distributed otherwise than when it was tried: a stability index of ${scoreDrift.toFixed(2)}, ${bounds.scoreDrift} is let pass`,
    }
  }
  return { keep: true, seen: true }
}

/** Tenths of a score, for a model of which no distribution is known. */
const TENTHS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]

/** Where the scores of a model are cut to be counted: as those of its training, where they are known. */
export const scoreEdgesOf = (training: { readonly scores: Histogram } | undefined): readonly number[] =>
  training?.scores.edges ?? TENTHS
