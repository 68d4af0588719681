import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evaluate } from '../../models/evaluation/evaluate.ts'
import type { Ranking } from '../../models/evaluation/ranking.ts'
import { fitTable } from '../../models/evaluation/table.ts'
import { runPython } from './python.ts'
import type { Split } from './sets.ts'

/** How a detector did on a set. */
export interface Result extends Partial<Ranking> {
  readonly detector: string
  /** Rows that it was trained on. */
  readonly rows: number
  /** Seconds of training and scoring. */
  readonly seconds: number
  /** Why it has no figures. */
  readonly failed?: string
}

/** What the default models are called in the results. */
export const OURS = 'NetSentinel'

const SEED = 1

const ours = async (split: Split): Promise<Result[]> => {
  const started = performance.now()
  const { models, auroc, auprc, rows } = await evaluate({ ...split, seed: SEED })
  const shared = { rows: rows.train, seconds: (performance.now() - started) / 1000 }
  return [
    { detector: OURS, auroc, auprc, ...shared },
    ...Object.entries(models).map(([name, ranking]) => ({
      detector: `${OURS}: ${name}`,
      ...ranking,
      ...shared,
    })),
  ]
}

/** The peers get the rows as our own models do: the same columns as numbers, the same rows to train on. */
const peers = async ({ train, test, contaminated }: Split): Promise<Result[]> => {
  const rows = train.rows.filter((_, i) => contaminated || train.anomalous[i] === 0)
  const table = { columns: train.columns, rows }
  const encoder = fitTable(table)
  const folder = mkdtempSync(join(tmpdir(), 'netsentinel-accuracy-'))
  const results: Result[] = []
  try {
    writeFileSync(join(folder, 'train.f32'), encoder.encode(table).values)
    writeFileSync(join(folder, 'test.f32'), encoder.encode(test).values)
    writeFileSync(join(folder, 'anomalous.u8'), test.anomalous)
    writeFileSync(join(folder, 'shape.json'), JSON.stringify({ features: encoder.features.length }))
    for await (const result of runPython<Result>('peers.py', folder)) {
      process.stderr.write(`${JSON.stringify(result)}\n`)
      results.push(result)
    }
    return results
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Ranks the rows of a set with the default models and with the peers. */
export const compare = async (split: Split): Promise<readonly Result[]> => {
  const own = await ours(split)
  for (const result of own) process.stderr.write(`${JSON.stringify(result)}\n`)
  return [...own, ...(await peers(split))]
}
