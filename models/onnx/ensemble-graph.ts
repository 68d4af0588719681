import type { Ensemble } from '../trainers/ensemble.ts'
import { autoencoderPart } from './autoencoder-graph.ts'
import { calibrationPart, scorePart } from './calibration-graph.ts'
import { ecodPart } from './ecod-graph.ts'
import { forestPart } from './forest-graph.ts'
import { encodeModel, type Graph, type Node, type Part } from './graph.ts'
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

/** Names in the graph of what a model gives that can say which features its score comes from. */
const outputsOf = (name: string) => ({ score: name, total: `${name}_total`, excess: `${name}_excess` })

/** Sets the models' own scores side by side, calibrates them, and takes the most surprised model's nats. */
const judgePart = (ensemble: Ensemble, names: readonly string[]): Part => {
  const each = calibrationPart(ensemble.calibrations, { name: 'each', input: 'own', output: 'nats' })
  const largest = [
    { name: 'axes', ints: [1] },
    { name: 'keepdims', int: 1 },
  ]
  return {
    nodes: [
      { op: 'Concat', inputs: names, outputs: ['own'], attributes: [columns] },
      ...each.nodes,
      { op: 'ReduceMax', inputs: ['nats'], outputs: ['largest'], attributes: largest },
    ],
    constants: each.constants,
  }
}

/** Adds two or more up one by one: element by element, so that no row depends on where it lies in memory. */
const addUp = ([first = '', ...others]: readonly string[], output: string): Node[] => {
  let sum = first
  return others.map((name, i) => {
    const next = i === others.length - 1 ? output : `${name}_sum`
    const node = { op: 'Add', inputs: [sum, name], outputs: [next] }
    sum = next
    return node
  })
}

/**
 * Hands the nats of each model that can explain itself, all but the first, out to the features, by their parts in its own
 * score.
 */
const contributionsPart = (names: readonly string[]): Part => {
  const [, ...explained] = names
  return {
    nodes: [
      { op: 'Split', inputs: ['nats'], outputs: names.map(name => `${name}_nats`), attributes: [columns] },
      ...explained.flatMap(name => {
        const { total, excess } = outputsOf(name)
        return [
          { op: 'Add', inputs: [total, 'tiny'], outputs: [`${name}_whole`] },
          { op: 'Div', inputs: [`${name}_nats`, `${name}_whole`], outputs: [`${name}_rate`] },
          { op: 'Mul', inputs: [excess, `${name}_rate`], outputs: [`${name}_given`] },
        ]
      }),
      ...addUp(
        explained.map(name => `${name}_given`),
        OUTPUTS.contributions,
      ),
    ],
    constants: [{ name: 'tiny', shape: [1], values: Float32Array.of(TINY) }],
  }
}

/** The graph of an ensemble: its models, each calibrated, the most surprised one of them, calibrated again. */
export const ensembleGraph = (ensemble: Ensemble, metadata: Readonly<Record<string, string>> = {}): Graph => {
  const { forest, ecod, whitening, autoencoder } = ensemble
  const names = ['forest', 'ecod', 'whitening', ...(autoencoder === undefined ? [] : ['autoencoder'])]
  const parts = [
    forestPart(forest, INPUT, 'forest'),
    ecodPart(ecod, INPUT, outputsOf('ecod')),
    whiteningPart(whitening, INPUT, outputsOf('whitening')),
    ...(autoencoder === undefined ? [] : [autoencoderPart(autoencoder, INPUT, outputsOf('autoencoder'))]),
    judgePart(ensemble, names),
    scorePart('models', 'nats', OUTPUTS.models),
    calibrationPart([ensemble.combined], { name: 'all', input: 'largest', output: 'combined' }),
    scorePart('score', 'combined', OUTPUTS.score),
    contributionsPart(names),
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
