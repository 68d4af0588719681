import type { Detector, ModelManifest } from '../../models/detector.ts'
import { agreementOf } from '../../models/evaluation/agreement.ts'
import type { Comparison, Conduct, Precision } from '../../models/evaluation/gates.ts'
import { scoresOf } from '../../models/scores.ts'
import type { Verdict } from '../../schemas/generated.ts'
import type { Observed } from '../scoring/observed.ts'
import type { Sampled } from './window-events.ts'

/** What both models say of events with a verdict. */
export interface Judged {
  readonly verdicts: Precision
  readonly champion: Precision
  readonly challenger: Precision
}

const scoredBy = (detector: Detector, sample: readonly Sampled[]): Promise<number[]> =>
  scoresOf(
    detector,
    sample.map(({ observation }) => observation),
  )

const alertsOf = (scores: readonly number[], { threshold }: ModelManifest): number =>
  scores.filter(score => score >= threshold).length

/** Of events with a verdict, those that score so high: all of them when no threshold is given. */
const foundBy = (verdicts: readonly Verdict[], scores: readonly number[], threshold = 0): Precision => {
  const reported = verdicts.filter((_, i) => (scores[i] ?? 0) >= threshold)
  const truePositives = reported.filter(verdict => verdict === 'true_positive').length
  return { truePositives, falsePositives: reported.length - truePositives }
}

/** Has both models judge the events of the window that analysts have judged. */
export const judge = async (deps: {
  readonly champion: Detector
  readonly challenger: Detector
  readonly wanted: ReadonlyMap<string, Sampled>
  readonly verdicts: ReadonlyMap<string, Verdict>
}): Promise<Judged> => {
  const { champion, challenger, wanted } = deps
  const known = [...wanted].flatMap(([id, sampled]) => {
    const verdict = deps.verdicts.get(id)
    return verdict === undefined ? [] : [{ sampled, verdict }]
  })
  const verdicts = known.map(({ verdict }) => verdict)
  const sample = known.map(({ sampled }) => sampled)
  return {
    verdicts: foundBy(verdicts, []),
    champion: foundBy(verdicts, await scoredBy(champion, sample), champion.manifest.threshold),
    challenger: foundBy(verdicts, await scoredBy(challenger, sample), challenger.manifest.threshold),
  }
}

const conduct = (alerts: number, { truePositives, falsePositives }: Precision): Conduct => ({
  alerts,
  truePositives,
  falsePositives,
})

/** Compares two models on events that the challenger was not trained on. */
export const compareOn = async (deps: {
  readonly champion: Detector
  readonly challenger: Detector
  readonly held: readonly Sampled[]
  readonly judged: Judged
}): Promise<Comparison> => {
  const { champion, challenger, held, judged } = deps
  const before = await scoredBy(champion, held)
  const after = await scoredBy(challenger, held)
  return {
    rows: held.length,
    budget: challenger.manifest.calibration.budget,
    champion: conduct(alertsOf(before, champion.manifest), judged.champion),
    challenger: conduct(alertsOf(after, challenger.manifest), judged.challenger),
    agreement: agreementOf(before, after),
    verdicts: judged.verdicts,
  }
}

/** The same of the live events that scorers have seen both on. */
export const compareLive = (observed: Observed | undefined, budget: number, judged: Judged): Comparison => {
  const pairs = observed?.pairs ?? []
  return {
    rows: observed?.events ?? 0,
    budget,
    champion: conduct(observed?.championAlerts ?? 0, judged.champion),
    challenger: conduct(observed?.challengerAlerts ?? 0, judged.challenger),
    agreement: agreementOf(
      pairs.map(([champion]) => champion),
      pairs.map(([, challenger]) => challenger),
    ),
    verdicts: judged.verdicts,
  }
}
