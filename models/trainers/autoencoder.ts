import type { Matrix } from './matrix.ts'
import { fitNormaliser, type Normaliser, normalise } from './normaliser.ts'
import { createRandom, drawNumbers, type Random } from './random.ts'
import { aboveUsual, type Residuals, sumByRow, usualSizes } from './residuals.ts'

/** One layer: a row of `inputs` values times `weights` (inputs × outputs, row by row), plus `biases`. */
export interface Layer {
  readonly inputs: number
  readonly outputs: number
  readonly weights: Float32Array
  readonly biases: Float32Array
}

/**
 * A network that has to say a row again after it went through a quarter of its width (Hinton, Salakhutdinov: Reducing the
 * Dimensionality of Data with Neural Networks, Science 2006). What it cannot say again is unusual, feature by feature. Each
 * layer but the last is followed by a rectifier. As in the whitening, the sum of the sizes of the errors is the score.
 */
export interface Autoencoder {
  readonly normaliser: Normaliser
  readonly layers: readonly Layer[]
  /** Mean size of the error of each feature in training. */
  readonly usual: Float32Array
}

/** How an autoencoder is made. */
export interface AutoencoderOptions {
  /** Of the first weights and of the order of the rows. */
  readonly seed: number
  /** Most passes over the rows. */
  readonly epochs?: number
}

const EPOCHS = 20

/** Rows that are learnt from in all, each pass counted: what bounds the time that a training takes. */
const MAX_STEPS = 200_000

const BATCH_ROWS = 32

/** Adam's own settings (Kingma, Ba: Adam: A Method for Stochastic Optimization, ICLR 2015). */
const RATE = 1e-3
const FIRST_DECAY = 0.9
const SECOND_DECAY = 0.999
const EPSILON = 1e-8

/** Parameters of one layer, weights before biases, with what Adam remembers of their slopes. */
interface Learner {
  readonly inputs: number
  readonly outputs: number
  readonly values: Float64Array
  readonly slopes: Float64Array
  readonly first: Float64Array
  readonly second: Float64Array
}

const createLearner = (inputs: number, outputs: number, random: Random): Learner => {
  const weights = inputs * outputs
  const parameters = () => new Float64Array(weights + outputs)
  const values = parameters()
  // Uniform with the variance that keeps the sizes of values from layer to layer (He et al., ICCV 2015).
  const reach = Math.sqrt(6 / inputs)
  for (let i = 0; i < weights; i++) values[i] = (2 * random.next() - 1) * reach
  return { inputs, outputs, values, slopes: parameters(), first: parameters(), second: parameters() }
}

/** `out` becomes the layer's answer to `row`; cut at 0 where a rectifier follows. */
const forward = (
  { inputs, outputs }: Pick<Layer, 'inputs' | 'outputs'>,
  weights: ArrayLike<number>,
  biases: ArrayLike<number>,
  row: ArrayLike<number>,
  out: Float64Array,
  isRectified: boolean,
): void => {
  for (let q = 0; q < outputs; q++) out[q] = biases[q] ?? 0
  for (let p = 0; p < inputs; p++) {
    const value = row[p] ?? 0
    if (value === 0) continue
    const at = p * outputs
    for (let q = 0; q < outputs; q++) out[q] = (out[q] ?? 0) + value * (weights[at + q] ?? 0)
  }
  if (!isRectified) return
  for (let q = 0; q < outputs; q++) if ((out[q] ?? 0) < 0) out[q] = 0
}

/** Adds the slopes of one row, and passes on how the error hangs on the layer's input. */
const backward = (
  { inputs, outputs, values, slopes }: Learner,
  row: ArrayLike<number>,
  error: Float64Array,
  passed: Float64Array | undefined,
): void => {
  const biases = inputs * outputs
  for (let q = 0; q < outputs; q++) slopes[biases + q] = (slopes[biases + q] ?? 0) + (error[q] ?? 0)
  for (let p = 0; p < inputs; p++) {
    const value = row[p] ?? 0
    // At 0 the rectifier before this layer lets nothing through, and no weight has a part in the error.
    if (value === 0) {
      if (passed !== undefined) passed[p] = 0
      continue
    }
    const at = p * outputs
    let sum = 0
    for (let q = 0; q < outputs; q++) {
      const each = error[q] ?? 0
      slopes[at + q] = (slopes[at + q] ?? 0) + value * each
      sum += each * (values[at + q] ?? 0)
    }
    if (passed !== undefined) passed[p] = sum
  }
}

/** One step of Adam down the mean slope of the rows; `step` counts from 1. */
const descend = ({ values, slopes, first, second }: Learner, rows: number, step: number): void => {
  const rate = (RATE * Math.sqrt(1 - SECOND_DECAY ** step)) / (1 - FIRST_DECAY ** step)
  for (let i = 0; i < values.length; i++) {
    const slope = (slopes[i] ?? 0) / rows
    const mean = FIRST_DECAY * (first[i] ?? 0) + (1 - FIRST_DECAY) * slope
    const square = SECOND_DECAY * (second[i] ?? 0) + (1 - SECOND_DECAY) * slope * slope
    first[i] = mean
    second[i] = square
    values[i] = (values[i] ?? 0) - (rate * mean) / (Math.sqrt(square) + EPSILON)
    slopes[i] = 0
  }
}

/** Widths of what stands between the layers, the row's own first and last. */
const widthsOf = (features: number): number[] => {
  const [half, quarter] = [Math.ceil(features / 2), Math.ceil(features / 4)]
  return [features, half, quarter, half, features]
}

const learn = (
  { values, rows, features }: Matrix,
  { seed, epochs = EPOCHS }: AutoencoderOptions,
): Layer[] => {
  const random = createRandom(seed)
  const widths = widthsOf(features)
  const learners = widths.slice(1).map((outputs, i) => createLearner(widths[i] ?? 0, outputs, random))
  const answers = learners.map(({ outputs }) => new Float64Array(outputs))
  const errors = learners.map(({ outputs }) => new Float64Array(outputs))
  const last = learners.length - 1
  const passes = Math.max(1, Math.min(epochs, Math.floor(MAX_STEPS / rows)))
  let step = 0

  const study = (row: Float32Array) => {
    const before = (i: number): ArrayLike<number> => (i === 0 ? row : (answers[i - 1] ?? []))
    for (const [i, learner] of learners.entries()) {
      const biases = learner.values.subarray(learner.inputs * learner.outputs)
      forward(learner, learner.values, biases, before(i), answers[i] ?? new Float64Array(), i < last)
    }
    const [answer, error] = [answers[last], errors[last]]
    if (answer === undefined || error === undefined) return
    for (let q = 0; q < features; q++) error[q] = (answer[q] ?? 0) - (row[q] ?? 0)
    for (let i = last; i >= 0; i--) {
      const learner = learners[i]
      const own = errors[i]
      if (learner !== undefined && own !== undefined) backward(learner, before(i), own, errors[i - 1])
    }
  }

  for (let pass = 0; pass < passes; pass++) {
    const order = drawNumbers(rows, rows, random)
    for (let from = 0; from < rows; from += BATCH_ROWS) {
      const batch = order.subarray(from, from + BATCH_ROWS)
      for (const row of batch) study(values.subarray(row * features, (row + 1) * features))
      step += 1
      for (const learner of learners) descend(learner, batch.length, step)
    }
  }
  return learners.map(({ inputs, outputs, values: all }) => ({
    inputs,
    outputs,
    weights: Float32Array.from(all.subarray(0, inputs * outputs)),
    biases: Float32Array.from(all.subarray(inputs * outputs)),
  }))
}

/** The size of the error of each feature of each row: rows × features. */
const sizes = ({ normaliser, layers }: Omit<Autoencoder, 'usual'>, data: Matrix): Residuals => {
  const { rows, features } = data
  const { values } = normalise(normaliser, data)
  const out = new Float64Array(rows * features)
  const answers = layers.map(({ outputs }) => new Float64Array(outputs))
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * features, (row + 1) * features)
    let input: ArrayLike<number> = own
    for (const [i, layer] of layers.entries()) {
      const answer = answers[i] ?? new Float64Array()
      forward(layer, layer.weights, layer.biases, input, answer, i < layers.length - 1)
      input = answer
    }
    for (let q = 0; q < features; q++) out[row * features + q] = Math.abs((input[q] ?? 0) - (own[q] ?? 0))
  }
  return out
}

/** Trains the network. Deterministic to the byte in rows, their order and the seed. */
export const trainAutoencoder = (data: Matrix, options: AutoencoderOptions): Autoencoder => {
  const normaliser = fitNormaliser(data)
  const fitted = { normaliser, layers: learn(normalise(normaliser, data), options) }
  return { ...fitted, usual: usualSizes(sizes(fitted, data), data.features) }
}

/** Scores of rows, 0 or more: the sum of the sizes of the errors; higher is more unusual. */
export const scoreAutoencoder = (autoencoder: Autoencoder, data: Matrix): Float64Array =>
  sumByRow(sizes(autoencoder, data), data.features)

/** By how much the error of each feature is above its usual one, 0 where it is not: rows × features. */
export const explainAutoencoder = (autoencoder: Autoencoder, data: Matrix): Float64Array =>
  aboveUsual(sizes(autoencoder, data), autoencoder.usual)
