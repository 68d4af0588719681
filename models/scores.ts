import type { Detector, Observation } from './detector.ts'

/** Observations that are given to a model at a time. */
const LOT = 256

/** What a model scores observations, in order. Throws NS_SCORING_FAILED. */
export const scoresOf = async (
  detector: Pick<Detector, 'analyze'>,
  observations: readonly Observation[],
): Promise<number[]> => {
  const scores: number[] = []
  for (let from = 0; from < observations.length; from += LOT)
    for (const { score } of await detector.analyze(observations.slice(from, from + LOT))) scores.push(score)
  return scores
}
