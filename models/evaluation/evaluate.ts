import { SentinelError } from '../../runtime/errors.ts'
import { encodeEnsemble, INPUT, OUTPUTS } from '../onnx/ensemble-graph.ts'
import { createSession } from '../onnx/session.ts'
import { trainEnsemble } from '../trainers/ensemble.ts'
import { modelNames } from '../trainers/members.ts'
import { type Ranking, rankingOf } from './ranking.ts'
import { fitTable, type Table, type TableOptions } from './table.ts'

/** A table with labels. */
export interface LabelledTable extends Table {
  /** Of each row: 1 for an anomaly, else 0. */
  readonly anomalous: Uint8Array
}

/** What is evaluated, and on what. */
export interface EvaluationDeps extends TableOptions {
  readonly train: LabelledTable
  readonly test: LabelledTable
  /** True to train on all rows, whatever their labels; else on those that are no anomaly. */
  readonly contaminated: boolean
  /** True for a fourth model, an autoencoder. */
  readonly autoencoder?: boolean
  readonly seed: number
}

/** What came out. */
export interface Evaluation extends Ranking {
  /** The same of each model by itself. */
  readonly models: Readonly<Record<string, Ranking>>
  readonly rows: { readonly train: number; readonly test: number; readonly anomalies: number }
  readonly features: number
}

/** What the default ensemble, trained on one table, says of the rows of another. */
export interface TableScores {
  /** Calibrated, one a row. */
  readonly scores: Float32Array
  /** The same of each model by itself: rows × models, in the order of the names. */
  readonly models: Float32Array
  readonly names: readonly string[]
  /** Rows trained on. */
  readonly trained: number
  readonly features: number
}

/**
 * Trains the default ensemble on a table and scores another one through the exported ONNX file, as events are scored. One
 * configuration for all tables.
 *
 * Throws NS_USAGE when the test table lacks a column, NS_MODEL_REFUSED when there are too few rows to train on.
 */
export const scoreTable = async (deps: EvaluationDeps): Promise<TableScores> => {
  const { train, test, contaminated, autoencoder = false, seed } = deps
  const rows = train.rows.filter((_, i) => contaminated || train.anomalous[i] === 0)
  const encoder = fitTable({ columns: train.columns, rows }, deps)
  const data = encoder.encode({ columns: train.columns, rows })
  const ensemble = trainEnsemble(data, { seed, contaminated, autoencoder })
  const names = modelNames(ensemble)
  const session = await createSession({
    onnx: encodeEnsemble(ensemble),
    input: INPUT,
    outputs: OUTPUTS,
    features: encoder.features.length,
    models: names.length,
    explainFrom: Number.POSITIVE_INFINITY,
  })
  try {
    const { scores, models } = await session.run(encoder.encode(test).values)
    if (scores.some(Number.isNaN)) throw new SentinelError('NS_SCORING_FAILED', 'a row has no score')
    return { scores, models, names, trained: data.rows, features: data.features }
  } finally {
    await session.close()
  }
}

/** Scores a table as {@link scoreTable} does, and tells how well anomalies rank above the rest. Throws what that throws. */
export const evaluate = async (deps: EvaluationDeps): Promise<Evaluation> => {
  const { test } = deps
  const { scores, models, names, trained, features } = await scoreTable(deps)
  const own = names.map((name, i) => {
    const column = Float32Array.from(scores, (_, row) => models[row * names.length + i] ?? 0)
    return [name, rankingOf(column, test.anomalous)] as const
  })
  return {
    ...rankingOf(scores, test.anomalous),
    models: Object.fromEntries(own),
    rows: {
      train: trained,
      test: test.rows.length,
      anomalies: test.anomalous.reduce((sum, each) => sum + each, 0),
    },
    features,
  }
}
