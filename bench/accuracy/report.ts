import type { BudgetKept } from './budget.ts'
import { OURS, type Result } from './compare.ts'
import type { ForestRatio } from './forests.ts'

/** The results on one set. */
export interface SetResults {
  readonly name: string
  readonly what: string
  readonly results: readonly Result[]
}

const line = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const ruleOf = (columns: number): string => line(...Array.from({ length: columns }, () => '---'))

const figure = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? '–' : value.toFixed(3).replace(/^0/, '')

const cell = (result: Result | undefined): string =>
  result?.auroc === undefined ? '–' : `${figure(result.auroc)} / ${figure(result.auprc)}`

const isOurs = ({ detector }: Result): boolean => detector.startsWith(OURS)

const bestOf = (results: readonly Result[]): Result | undefined =>
  results.filter(each => !isOurs(each)).toSorted((a, b) => (b.auroc ?? 0) - (a.auroc ?? 0))[0]

/** Differences under this are none, in a figure of three digits. */
const LEVEL = 0.0015

const verdictOf = ({ results }: SetResults): string => {
  const [own, best] = [results.find(each => each.detector === OURS), bestOf(results)]
  const ahead = (own?.auroc ?? 0) - (best?.auroc ?? 0)
  if (Math.abs(ahead) < LEVEL) return `level (${best?.detector})`
  return `${ahead > 0 ? 'ahead' : 'behind'} by ${figure(Math.abs(ahead))} (${best?.detector})`
}

/** One row a detector, one column a set: AUROC / AUPRC. The last row sets the default models beside the best peer. */
export const accuracyTable = (sets: readonly SetResults[]): string => {
  const detectors = [...new Set(sets.flatMap(set => set.results.map(result => result.detector)))]
  const rows = detectors.map(detector => {
    const cells = sets.map(set => cell(set.results.find(result => result.detector === detector)))
    return detector === OURS
      ? line(`**${detector}**`, ...cells.map(each => `**${each}**`))
      : line(detector, ...cells)
  })
  return [
    ...sets.map(({ name, what }) => `- **${name}**: ${what}.`),
    '',
    line('AUROC / AUPRC', ...sets.map(({ name }) => name)),
    ruleOf(sets.length + 1),
    ...rows,
    line(`${OURS} to the best peer, AUROC`, ...sets.map(verdictOf)),
  ].join('\n')
}

/** One row a budget, one column a seed. */
export const budgetTable = (runs: readonly (readonly BudgetKept[])[]): string => {
  const [first = []] = runs
  return [
    line('one false alert in', ...runs.map((_, i) => `seed ${i + 1}`)),
    ruleOf(runs.length + 1),
    ...first.map(({ budget }, i) =>
      line(String(budget), ...runs.map(run => `${(run[i]?.times ?? Number.NaN).toFixed(2)} ×`)),
    ),
  ].join('\n')
}

/** One row an exporter. */
export const forestTable = ({ ours, skl2onnx }: ForestRatio): string => {
  const row = (what: string, cost: ForestRatio['ours'], nodes: number) =>
    line(
      what,
      String(nodes),
      `${cost.usPerRow.toFixed(2)} µs`,
      `${cost.loadMs.toFixed(0)} ms`,
      `${Math.round(cost.bytes / 1000)} kB`,
      cost.difference.toExponential(0),
    )
  return [
    line(
      '100 trees',
      'nodes',
      'CPU a row, 64 rows a run',
      'load',
      'file',
      'largest difference from scikit-learn',
    ),
    ruleOf(6),
    row('one node', ours, 3),
    row('skl2onnx', skl2onnx, skl2onnx.nodes),
    line(
      'ratio',
      '',
      `${(skl2onnx.usPerRow / ours.usPerRow).toFixed(1)}`,
      `${(skl2onnx.loadMs / ours.loadMs).toFixed(0)}`,
      '',
      '',
    ),
  ].join('\n')
}
