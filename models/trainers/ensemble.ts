import { SentinelError } from '../../runtime/errors.ts'
import { explainAutoencoder } from './autoencoder.ts'
import { type Calibration, calibrate, fitCalibration, scoreOfNats } from './calibration.ts'
import { explainEcod } from './ecod.ts'
import { type Matrix, takeRows } from './matrix.ts'
import { type Hands, type Members, oneHand } from './members.ts'
import { createRandom, drawNumbers } from './random.ts'
import { explainWhitening } from './whitening.ts'

/** Models that judge a row together. */
export interface Ensemble extends Members {
  /** Values in a row. */
  readonly features: number
  /** From each model's own score to nats, in the order of their names. */
  readonly calibrations: readonly Calibration[]
  /** From the most surprised model's nats to those of the ensemble. */
  readonly combined: Calibration
  /** Rows that the calibrations were learnt from. */
  readonly calibrationRows: number
}

/** What an ensemble says of rows. */
export interface EnsembleScores {
  /** Calibrated, 0 to below 1, one a row. */
  readonly scores: Float64Array
  /** The same of each model by itself: rows × models. */
  readonly models: Float64Array
  /** What each feature has to do with it, in nats: rows × features. */
  readonly contributions: Float64Array
}

/** Share of the rows that no model is fitted on and that the calibrations are learnt from. */
const CALIBRATION_SHARE = 0.3

/** Nats of each model: models × rows. */
const natsOf = (calibrations: readonly Calibration[], own: readonly Float64Array[]): Float64Array[] =>
  calibrations.map((calibration, model) =>
    Float64Array.from(own[model] ?? [], score => calibrate(calibration, score)),
  )

/** The nats of the model that is most surprised by each row. */
const largest = (nats: readonly Float64Array[]): Float64Array =>
  Float64Array.from(nats[0] ?? [], (_, row) => Math.max(...nats.map(each => each[row] ?? 0)))

/** How an ensemble is trained. */
export interface EnsembleOptions {
  readonly seed: number
  /**
   * True when the rows may hold anomalies: the most unusual twentieth of those that the models are fitted on is found by a first
   * fit and left out of the final one. Calibration keeps its rows, so that a budget is still one of all events.
   */
  readonly contaminated?: boolean
  /** True for a fourth model, an autoencoder. */
  readonly autoencoder?: boolean
  /** Who fits and scores; this thread alone when not given. The result is the same to the byte. */
  readonly hands?: Hands
  readonly onProgress?: (progress: TrainingProgress) => void
}

/** How far a training has come. */
export interface TrainingProgress {
  readonly phase: 'fit' | 'trim' | 'refit' | 'calibrate' | 'export'
  /** 0 to 1, of all phases. */
  readonly done: number
}

/** Share of the rows that is left out of the final fit where they may hold anomalies. */
const TRIMMED_SHARE = 0.05

/** Learns from the held rows what the scores of the models, and of the most surprised one, stand for. */
const calibrateOn = (
  members: Members,
  held: Matrix,
  hands: Hands,
): Pick<Ensemble, 'calibrations' | 'combined' | 'calibrationRows'> => {
  const own = hands.score(members, held)
  const calibrations = own.map(fitCalibration)
  const combined = fitCalibration(largest(natsOf(calibrations, own)))
  return { calibrations, combined, calibrationRows: held.rows }
}

/** The rows without the twentieth that the models find most unusual. */
const trim = (members: Members, data: Matrix, held: Matrix, hands: Hands): Matrix => {
  const { calibrations } = calibrateOn(members, held, hands)
  const nats = largest(natsOf(calibrations, hands.score(members, data)))
  const limit = nats.toSorted()[Math.floor(data.rows * (1 - TRIMMED_SHARE))] ?? Number.POSITIVE_INFINITY
  const kept = Array.from(nats.keys()).filter(row => (nats[row] ?? 0) < limit)
  return takeRows(data, kept)
}

/**
 * Fits the models on most rows and calibrates them on the rest, drawn by the seed. Deterministic to the byte in rows,
 * their order and the seed. Throws NS_MODEL_REFUSED for fewer than four rows.
 */
export const trainEnsemble = (data: Matrix, options: EnsembleOptions): Ensemble => {
  const {
    seed,
    contaminated = false,
    autoencoder = false,
    hands = oneHand,
    onProgress = () => undefined,
  } = options
  if (data.rows < 4)
    throw new SentinelError('NS_MODEL_REFUSED', `a model needs 4 rows or more, not ${data.rows}`)
  const order = drawNumbers(data.rows, data.rows, createRandom(seed))
  const calibrationRows = Math.ceil(data.rows * CALIBRATION_SHARE)
  const held = takeRows(data, order.subarray(0, calibrationRows))
  const fitted = takeRows(data, order.subarray(calibrationRows))
  onProgress({ phase: 'fit', done: 0 })
  let members = hands.fit(fitted, { seed, autoencoder })
  if (contaminated) {
    onProgress({ phase: 'trim', done: 0.3 })
    const usual = trim(members, fitted, held, hands)
    onProgress({ phase: 'refit', done: 0.5 })
    members = hands.fit(usual, { seed, autoencoder })
  }
  onProgress({ phase: 'calibrate', done: 0.75 })
  return { ...members, ...calibrateOn(members, held, hands), features: data.features }
}

const NONE = new Float64Array()

/**
 * The nats of the models that can explain themselves, handed out to the features by their parts in each model's own score.
 * A forest cannot: it contributes to the score alone.
 */
const contributionsOf = (
  { ecod, whitening, autoencoder }: Members,
  [, ecodNats = NONE, whiteningNats = NONE, autoencoderNats = NONE]: readonly Float64Array[],
  data: Matrix,
): Float64Array => {
  const { rows, features } = data
  const contributions = new Float64Array(rows * features)
  const handOut = (nats: Float64Array, parts: ArrayLike<number>) => {
    for (let row = 0; row < rows; row++) {
      let whole = 0
      for (let i = row * features; i < (row + 1) * features; i++) whole += parts[i] ?? 0
      if (whole === 0) continue
      for (let i = row * features; i < (row + 1) * features; i++)
        contributions[i] = (contributions[i] ?? 0) + ((nats[row] ?? 0) * (parts[i] ?? 0)) / whole
    }
  }
  handOut(ecodNats, explainEcod(ecod, data))
  handOut(whiteningNats, explainWhitening(whitening, data))
  if (autoencoder !== undefined) handOut(autoencoderNats, explainAutoencoder(autoencoder, data))
  return contributions
}

/** Scores rows as the exported graph does, in float64: what training and its tests go by. */
export const scoreEnsemble = (ensemble: Ensemble, data: Matrix, hands: Hands = oneHand): EnsembleScores => {
  const nats = natsOf(ensemble.calibrations, hands.score(ensemble, data))
  const models = new Float64Array(data.rows * nats.length)
  for (const [model, each] of nats.entries()) {
    for (const [row, value] of each.entries()) models[row * nats.length + model] = scoreOfNats(value)
  }
  return {
    scores: largest(nats).map(value => scoreOfNats(calibrate(ensemble.combined, value))),
    models,
    contributions: contributionsOf(ensemble, nats, data),
  }
}
