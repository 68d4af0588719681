import type { Agreement } from './agreement.ts'

/** What analysts found of what a model reported, or would have. */
export interface Precision {
  /** Reported, and found to be what it was reported as. */
  readonly truePositives: number
  /** Reported, and found to be nothing. */
  readonly falsePositives: number
}

/** What a model did on rows that it was not trained on. */
export interface Conduct extends Precision {
  /** Rows at or above its threshold. */
  readonly alerts: number
}

/** A challenger beside the champion, on the same rows. */
export interface Comparison {
  readonly rows: number
  /** The challenger's threshold as a budget: at most one in so many usual rows reaches it. */
  readonly budget: number
  readonly champion: Conduct
  readonly challenger: Conduct
  readonly agreement: Agreement
  /** Rows with a verdict that it is what it was reported as, and that it is nothing. */
  readonly verdicts: Precision
}

/** One question to a challenger, and the answer in words. */
export interface Gate {
  readonly name: 'rows' | 'calibration' | 'alert-rate' | 'agreement' | 'verdicts'
  readonly passed: boolean
  readonly reason: string
}

/** What becomes of a challenger, and why. */
export interface GateDecision {
  readonly promote: boolean
  readonly gates: readonly Gate[]
  /** In one sentence. */
  readonly reason: string
}

/** What the gates let through. */
export interface GateBounds {
  /** Fewest rows that say anything. */
  readonly rows: number
  /** Most times its budget that a challenger may report: what is held out holds attacks, too. */
  readonly overBudget: number
  /** Most times that it may report more, or less, than the champion. */
  readonly alertChange: number
  /** Least rank correlation with the champion, or least share of the most unusual rows in common: one is enough. */
  readonly rank: number
  readonly top: number
  /** Fewest verdicts that decide, and by how much its share of each kind may be worse than the champion's. */
  readonly verdicts: number
  readonly worse: number
}

/** The bounds that the project has. */
const GATE_BOUNDS: GateBounds = {
  rows: 500,
  overBudget: 10,
  alertChange: 5,
  rank: 0.3,
  top: 0.3,
  verdicts: 5,
  worse: 0.05,
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

/** Few alerts differ by chance: what a count of them may well have been, about two deviations away. */
const most = (count: number): number => count + 2 * Math.sqrt(count) + 2
const least = (count: number): number => Math.max(0, count - 2 * Math.sqrt(count))

const calibration = ({ rows, budget, challenger }: Comparison, { overBudget }: GateBounds): Gate => {
  const allowed = (rows * overBudget) / budget
  const passed = least(challenger.alerts) <= allowed
  const reason = `it reports ${percent(share(challenger.alerts, rows))} of ${rows} rows; its budget is ${percent(1 / budget)}, up to ${overBudget} times that is let through`
  return { name: 'calibration', passed, reason }
}

const alertRate = ({ champion, challenger, rows }: Comparison, { alertChange }: GateBounds): Gate => {
  const [before, after] = [champion.alerts, challenger.alerts]
  const passed = least(after) <= alertChange * most(before) && least(before) <= alertChange * most(after)
  const reason = `it reports ${after} of ${rows} rows where the champion reports ${before}; up to ${alertChange} times more or less is let through`
  return { name: 'alert-rate', passed, reason }
}

const agreement = ({ agreement: { rank, top } }: Comparison, bounds: GateBounds): Gate => ({
  name: 'agreement',
  passed: rank >= bounds.rank || top >= bounds.top,
  reason: `its order of the rows has a rank correlation of ${rank.toFixed(2)} with the champion's and ${percent(top)} of the most unusual in common; ${bounds.rank} or ${percent(bounds.top)} is asked`,
})

const verdictGate = ({ verdicts, champion, challenger }: Comparison, bounds: GateBounds): Gate => {
  const { truePositives: real, falsePositives: nothing } = verdicts
  const name = 'verdicts'
  if (real + nothing < bounds.verdicts) {
    const reason = `${real + nothing} rows have a verdict of an analyst: fewer than ${bounds.verdicts} decide nothing`
    return { name, passed: true, reason }
  }
  const missed = share(champion.truePositives - challenger.truePositives, real)
  const added = share(challenger.falsePositives - champion.falsePositives, nothing)
  const reason =
    `of ${real} rows that analysts confirmed it reports ${challenger.truePositives} (the champion ${champion.truePositives}), ` +
    `of ${nothing} that they found to be nothing ${challenger.falsePositives} (the champion ${champion.falsePositives})`
  return { name, passed: missed <= bounds.worse && added <= bounds.worse, reason }
}

/**
 * Decides whether a challenger takes the champion's place. It must pass every gate, and each says why it is open or shut:
 * enough rows; not far over its budget; not far from the champion's number of alerts; an order of the rows that has
 * something in common with the champion's; no worse by analysts' verdicts, when there are enough.
 */
export const passGates = (comparison: Comparison, bounds: GateBounds = GATE_BOUNDS): GateDecision => {
  const { rows } = comparison
  const gates: Gate[] = [
    {
      name: 'rows',
      passed: rows >= bounds.rows,
      reason: `it was seen on ${rows} rows; ${bounds.rows} are asked`,
    },
    calibration(comparison, bounds),
    alertRate(comparison, bounds),
    agreement(comparison, bounds),
    verdictGate(comparison, bounds),
  ]
  const shut = gates.filter(({ passed }) => !passed)
  const promote = shut.length === 0
  const reason = promote
    ? `it passes every gate: ${gates.map(gate => gate.reason).join('; ')}`
    : shut.map(gate => `${gate.name}: ${gate.reason}`).join('; ')
  return { promote, gates, reason }
}

/** Share of what was reported and judged that was what it was reported as; undefined when nothing was judged. */
export const precisionOf = ({ truePositives, falsePositives }: Precision): number | undefined =>
  truePositives + falsePositives === 0 ? undefined : truePositives / (truePositives + falsePositives)
