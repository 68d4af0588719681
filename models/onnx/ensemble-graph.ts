import type { Ensemble } from '../trainers/ensemble.ts'
import { calibrationPart, scorePart } from './calibration-graph.ts'
import { ecodPart } from './ecod-graph.ts'
import { forestPart } from './forest-graph.ts'
import { encodeModel, type Graph, type Part } from './graph.ts'
import { whiteningPart } from './whitening-graph.ts'

/** Name of the input: rows × features, float32. */
export const INPUT = 'features'

/** Names of the outputs, all float32. */
export const OUTPUTS = {
  /** Rows × 1: the calibrated score, 0 to 1. */
  score: 'score',
  /** Rows × models: the calibrated score of each model by itself. */
  models: 'models',
  /** Rows × features: what each feature has to do with the score, in nats above the usual, 0 or more. */
  contributions: 'contributions',
} as const

/** Added to a sum before something is divided by it, which is 0 where nothing is unusual. */
const TINY = 1e-6

const columns = { name: 'axis', int: 1 }

/** Sets the models' own scores side by side, calibrates them, and takes the most surprised model's nats. */
const judgePart = (ensemble: Ensemble): Part => {
  const each = calibrationPart(ensemble.calibrations, { name: 'each', input: 'own', output: 'nats' })
  const largest = [
    { name: 'axes', ints: [1] },
    { name: 'keepdims', int: 1 },
  ]
  return {
    nodes: [
      { op: 'Concat', inputs: ['forest', 'ecod', 'whitening'], outputs: ['own'], attributes: [columns] },
      ...each.nodes,
      { op: 'ReduceMax', inputs: ['nats'], outputs: ['largest'], attributes: largest },
    ],
    constants: each.constants,
  }
}

/** Hands the nats of each model that can explain itself out to the features, by their parts in its own score. */
const contributionsPart: Part = {
  nodes: [
    {
      op: 'Split',
      inputs: ['nats'],
      outputs: ['forest_nats', 'ecod_nats', 'whitening_nats'],
      attributes: [columns],
    },
    ...[
      ['ecod', 'ecod_total', 'ecod_excess'] as const,
      ['whitening', 'whitening_total', 'whitening_excess'] as const,
    ].flatMap(([name, total, parts]) => [
      { op: 'Add', inputs: [total, 'tiny'], outputs: [`${name}_whole`] },
      { op: 'Div', inputs: [`${name}_nats`, `${name}_whole`], outputs: [`${name}_rate`] },
      { op: 'Mul', inputs: [parts, `${name}_rate`], outputs: [`${name}_given`] },
    ]),
    { op: 'Add', inputs: ['ecod_given', 'whitening_given'], outputs: [OUTPUTS.contributions] },
  ],
  constants: [{ name: 'tiny', shape: [1], values: Float32Array.of(TINY) }],
}

/** The graph of an ensemble: its models, each calibrated, the most surprised one of them, calibrated again. */
export const ensembleGraph = (ensemble: Ensemble, metadata: Readonly<Record<string, string>> = {}): Graph => {
  const parts = [
    forestPart(ensemble.forest, INPUT, 'forest'),
    ecodPart(ensemble.ecod, INPUT, { score: 'ecod', total: 'ecod_total', excess: 'ecod_excess' }),
    whiteningPart(ensemble.whitening, INPUT, {
      score: 'whitening',
      total: 'whitening_total',
      excess: 'whitening_excess',
    }),
    judgePart(ensemble),
    scorePart('models', 'nats', OUTPUTS.models),
    calibrationPart([ensemble.combined], { name: 'all', input: 'largest', output: 'combined' }),
    scorePart('score', 'combined', OUTPUTS.score),
    contributionsPart,
  ]
  return {
    name: 'ensemble',
    nodes: parts.flatMap(part => part.nodes),
    constants: parts.flatMap(part => part.constants),
    inputs: [{ name: INPUT, shape: ['rows', ensemble.features] }],
    outputs: [
      { name: OUTPUTS.score, shape: ['rows', 1] },
      { name: OUTPUTS.models, shape: ['rows', ensemble.calibrations.length] },
      { name: OUTPUTS.contributions, shape: ['rows', ensemble.features] },
    ],
    metadata,
  }
}

/** The ONNX file of an ensemble. */
export const encodeEnsemble = (
  ensemble: Ensemble,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => encodeModel(ensembleGraph(ensemble, metadata))
