import { SentinelError } from '../../runtime/errors.ts'
import type { Contribution } from '../../schemas/generated.ts'
import type { Analysis, Detector, Observation, TrainedModel } from '../detector.ts'
import { contributionsOfCells } from '../explain.ts'
import { FEATURE_COUNT, featureNames, writeFeatures } from '../features/features.ts'
import { observe } from '../features/observe.ts'
import { writeWindow } from '../features/recent.ts'
import { type ForeignForm, recentFormOf, scaled, unscaled } from '../foreign/form.ts'
import { assertBytes, assertFeatures, severityOf } from '../manifest.ts'
import { trainModel } from '../trainers/train.ts'
import type { ForeignWorkerOptions } from './foreign.worker.ts'
import { openWorker, type Session } from './session.ts'
import type { Scored } from './worker-loop.ts'

/** A model that is not ours, with its form. */
export interface ForeignDetectorDeps extends TrainedModel {
  readonly form: ForeignForm
  /** Score from which an analysis has contributions. */
  readonly explainFrom: number
}

const isShare = (value: number): boolean => value >= 0 && value <= 1

/** Opens the model. Rejects with NS_MODEL_REFUSED and the reason when it does not load or is not as its form says. */
export const openForeign = ({ onnx, form, explainFrom }: ForeignDetectorDeps): Promise<Session> =>
  openWorker(new URL('./foreign.worker.ts', import.meta.url), {
    onnx,
    form,
    explainFrom,
  } satisfies ForeignWorkerOptions)

/** Rows that tell a sound model: nothing, everything, half, and values that rise. */
const probeRows = (form: ForeignForm): Float32Array<ArrayBuffer> => {
  const cells = form.events * form.columns.length
  const rows = new Float32Array(4 * cells)
  rows.fill(1, cells, 2 * cells)
  rows.fill(0.5, 2 * cells, 3 * cells)
  for (let i = 0; i < cells; i++) rows[3 * cells + i] = i / cells
  return rows
}

const probe = async (session: Session, { manifest, form }: ForeignDetectorDeps): Promise<void> => {
  const refuse = (reason: string, cause?: unknown) =>
    new SentinelError('NS_MODEL_REFUSED', `model ${manifest.version}: ${reason}`, { cause })
  const rows = probeRows(form)
  const cells = rows.length / 4
  // The same rows at other places of the batch, each with other rows before it.
  const shifted = new Float32Array(2 * rows.length)
  shifted.set(rows.subarray(cells, 2 * cells))
  shifted.set(rows, 3 * cells)
  let scored: readonly [Scored, Scored]
  try {
    scored = [await session.run(Float32Array.from(rows)), await session.run(shifted)]
  } catch (cause) {
    throw refuse(`it cannot score a probe: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
  const [plain, moved] = scored
  const bad = plain.scores.find(score => !isShare(score))
  if (bad !== undefined)
    throw refuse(
      Number.isNaN(bad)
        ? 'it scores a probe NaN'
        : `it scores a probe ${bad}, not 0 to 1: its manifest needs calibration points`,
    )
  if (plain.scores.some((score, i) => score !== moved.scores[i + 3]))
    throw refuse(
      'the same row scores other bits at another place of a batch: its manifest needs a batch of 1',
    )
}

/** What to run of observations: the cells of those that have enough events, and their numbers. */
const inputsOf = (form: ForeignForm, observations: readonly Observation[]) => {
  const cells = form.events * form.columns.length
  const recent = recentFormOf(form)
  const values = new Float32Array(observations.length * cells)
  const places: number[] = []
  const row = new Float32Array(FEATURE_COUNT)
  const columns = form.columns.map(column => featureNames.indexOf(column))
  for (const [i, observation] of observations.entries()) {
    const at = places.length * cells
    if (recent !== undefined) {
      values.fill(0, at, at + cells)
      if (writeWindow(recent, observation, values, at) < form.from) continue
    } else {
      writeFeatures(observation, row, 0)
      for (const [c, column] of columns.entries()) values[at + c] = scaled(form, c, row[column] ?? 0)
    }
    places.push(i)
  }
  return { values: values.slice(0, places.length * cells), places }
}

/**
 * Serves a model that is not ours, by onnxruntime in a worker thread: its input is made as its form says, and its outputs
 * become a score of 0 to 1, by the form's points, and contributions, by its map or its reconstruction, else by
 * occlusion. An entity with fewer events than it needs scores 0. Every run has the batch of the form, so that the same observation gets the same bits.
 *
 * Rejects with NS_MODEL_REFUSED and the reason: features or a file other than the manifest's, columns that are no features,
 * an ONNX file that does not load or has other inputs or outputs, probes that score NaN or anything but 0 to 1, or otherwise
 * at another place of a batch.
 */
export const createForeignDetector = async (deps: ForeignDetectorDeps): Promise<Detector> => {
  const { manifest, onnx, form, explainFrom } = deps
  assertFeatures(manifest)
  assertBytes(manifest, onnx)
  const unknown = form.columns.filter(column => !featureNames.includes(column))
  if (unknown.length > 0)
    throw new SentinelError(
      'NS_MODEL_REFUSED',
      `model ${manifest.version}: no feature is ${unknown.join(', ')}`,
    )
  const session = await openForeign(deps)
  try {
    await probe(session, deps)
  } catch (error) {
    await session.close()
    throw error
  }
  const { models } = manifest
  const cells = form.events * form.columns.length
  const nothing: Analysis = {
    score: 0,
    severity: severityOf(0, manifest),
    modelScores: Object.fromEntries(models.map(name => [name, 0])),
    contributions: [],
  }

  const explain = (scored: Scored, nth: number): Contribution[] =>
    contributionsOfCells(
      { columns: form.columns, expected: form.expected },
      scored.explained
        .subarray(nth * cells, (nth + 1) * cells)
        .map((value, i) => unscaled(form, i % form.columns.length, value)),
      scored.contributions.subarray(nth * cells, (nth + 1) * cells),
    )

  const analyze = async (
    values: Float32Array<ArrayBuffer>,
    places: readonly number[],
    count: number,
  ): Promise<Analysis[]> => {
    const scored = await session.run(values)
    const analyses = new Array<Analysis>(count).fill(nothing)
    let explained = 0
    for (const [row, place] of places.entries()) {
      const score = scored.scores[row] ?? Number.NaN
      if (!isShare(score))
        throw new SentinelError(
          'NS_SCORING_FAILED',
          `model ${manifest.version} scores event ${place + 1} of ${count} ${score}, not 0 to 1`,
        )
      const scores = models.map((name, i) => [name, scored.models[row * models.length + i] ?? 0])
      analyses[place] = {
        score,
        severity: severityOf(score, manifest),
        modelScores: Object.fromEntries(scores),
        contributions: score < explainFrom ? [] : explain(scored, explained++),
      }
    }
    return analyses
  }

  return {
    manifest,
    analyze: async observations => {
      if (observations.length === 0) return []
      const { values, places } = inputsOf(form, observations)
      return analyze(values, places, observations.length)
    },
    train: async (events, options) => trainModel(observe(events), options),
    close: () => session.close(),
  }
}
