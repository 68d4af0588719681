import { scoreTable } from '../../models/evaluation/evaluate.ts'
import { scoreOfBudget } from '../../models/trainers/calibration.ts'
import { usualRows } from './sets.ts'

/** What became of a budget of false alerts. */
export interface BudgetKept {
  /** One false alert in so many usual rows is allowed. */
  readonly budget: number
  /** The rate that came out, as a multiple of what the budget allows. */
  readonly times: number
}

/** Budgets that are tried. */
const BUDGETS = [100, 200, 500, 1_000]

/** Seeds of training: each sets other rows aside for calibration. */
const SEEDS = [1, 2, 3]

/** Trains on 70 % of the normal rows of KDD 99 and counts false alerts in the other 30 %, for each seed and budget. */
export const checkBudgets = async (
  folder: string,
): Promise<{ readonly rows: number; readonly runs: readonly (readonly BudgetKept[])[] }> => {
  const split = await usualRows(folder)
  const runs: BudgetKept[][] = []
  for (const seed of SEEDS) {
    const { scores } = await scoreTable({ ...split, seed })
    runs.push(
      BUDGETS.map(budget => {
        const alerts = scores.filter(score => score >= scoreOfBudget(budget)).length
        return { budget, times: (alerts / scores.length) * budget }
      }),
    )
  }
  return { rows: split.test.rows.length, runs }
}
