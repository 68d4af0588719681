/** How well scores rank anomalies above the rest. */
export interface Ranking {
  /** Chance that an anomaly scores above a row that is none, equal scores counting half: the area under the ROC curve. */
  readonly auroc: number
  /** Average precision: precision at each score, weighted by the recall that it adds. */
  readonly auprc: number
}

/** Scores of rows from high to low: how many rows and how many anomalies have each. */
const steps = function* (scores: ArrayLike<number>, anomalous: ArrayLike<number>) {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i)
  const at = (i: number) => scores[order[i] ?? 0] ?? 0
  order.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))
  for (let from = 0; from < order.length; ) {
    let to = from
    let positives = 0
    while (to < order.length && at(to) === at(from)) positives += anomalous[order[to++] ?? 0] === 1 ? 1 : 0
    yield { rows: to - from, positives }
    from = to
  }
}

/** Ranks rows by score; `anomalous` is 1 for an anomaly, else 0. Both figures are NaN where either kind is missing. */
export const rankingOf = (scores: ArrayLike<number>, anomalous: ArrayLike<number>): Ranking => {
  let all = 0
  for (let i = 0; i < anomalous.length; i++) all += anomalous[i] === 1 ? 1 : 0
  let [found, wrong, below, precision] = [0, 0, 0, 0]
  for (const { rows, positives } of steps(scores, anomalous)) {
    const negatives = rows - positives
    below += positives * (anomalous.length - all - wrong - negatives / 2)
    found += positives
    wrong += negatives
    precision += positives * (found / (found + wrong))
  }
  return { auroc: below / all / wrong, auprc: wrong === 0 ? Number.NaN : precision / all }
}
