/**
 * How often the gates and the guard decide as they should, by chance alone: `node bench/gates.ts`. Alerts are drawn, with
 * a seed, of models whose true share of alerts is known; everything else passes.
 */
import { type Comparison, passGates } from '../models/evaluation/gates.ts'
import { guardChampion } from '../models/evaluation/guard.ts'
import { createRandom } from '../models/trainers/random.ts'

const RUNS = 500
const BUDGET = 200
const TIMES = [0, 0.2, 1, 5, 10, 20, 50]
const random = createRandom(1)

/** Alerts among so many rows, of which each is one with this chance: the gaps between them are drawn. */
const drawn = (rows: number, chance: number): number => {
  if (chance === 0) return 0
  let alerts = -1
  for (let at = 0; at <= rows; alerts++)
    at += 1 + Math.floor(Math.log(1 - random.next()) / Math.log(1 - chance))
  return alerts
}

const none = { truePositives: 0, falsePositives: 0 }

const comparison = (rows: number, before: number, after: number): Comparison => ({
  rows,
  budget: BUDGET,
  champion: { ...none, alerts: drawn(rows, before / BUDGET) },
  challenger: { ...none, alerts: drawn(rows, after / BUDGET) },
  agreement: { rank: 1, top: 1 },
  verdicts: none,
})

const share = (decide: () => boolean): string => {
  let passed = 0
  for (let i = 0; i < RUNS; i++) passed += decide() ? 1 : 0
  return `${((100 * passed) / RUNS).toFixed(1)} %`
}

const print = (title: string, line: (rows: number, times: number) => string) => {
  process.stdout.write(`\n${title}\n| rows | ${TIMES.map(times => `${times}×`).join(' | ')} |\n`)
  process.stdout.write(`|---|${TIMES.map(() => '---').join('|')}|\n`)
  for (const rows of [500, 2_000, 5_000])
    process.stdout.write(`| ${rows} | ${TIMES.map(times => line(rows, times)).join(' | ')} |\n`)
}

print('challenger that reports so many times its budget, champion at the budget: promoted', (rows, times) =>
  share(() => passGates(comparison(rows, 1, times)).promote),
)
print('the same, champion at ten times the budget', (rows, times) =>
  share(() => passGates(comparison(rows, 10, times)).promote),
)
print(
  'champion that reports so many times what was expected of it (the budget): kept by the guard',
  (rows, times) =>
    share(
      () =>
        guardChampion({ events: rows, alerts: drawn(rows, times / BUDGET), scoreDrift: 0 }, 1 / BUDGET).keep,
    ),
)
