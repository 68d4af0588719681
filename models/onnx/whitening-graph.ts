import { LIMIT, type Normaliser } from '../trainers/normaliser.ts'
import type { Whitening } from '../trainers/whitening.ts'
import type { Part } from './graph.ts'

/** Rows × features in, the same in deviations from the mean out. */
const normaliserPart = ({ means, scales }: Normaliser, input: string, output: string): Part => ({
  nodes: [
    { op: 'Sub', inputs: [input, 'means'], outputs: ['distances'] },
    { op: 'Mul', inputs: ['distances', 'scales'], outputs: ['deviations'] },
    { op: 'Clip', inputs: ['deviations', 'lowest', 'highest'], outputs: [output] },
  ],
  constants: [
    { name: 'means', shape: [means.length], values: means },
    { name: 'scales', shape: [scales.length], values: scales },
    { name: 'lowest', shape: [], values: Float32Array.of(-LIMIT) },
    { name: 'highest', shape: [], values: Float32Array.of(LIMIT) },
  ],
})

/** Names of what a whitening gives. */
export interface WhiteningOutputs {
  /** Rows × 1: the sum of the sizes. */
  readonly score: string
  /** Rows × features: by how much each size is above its usual one. */
  readonly excess: string
  /** Rows × 1: the sum of that. */
  readonly total: string
}

/**
 * A whitening, rows × features in. Multiplications of matrices take another path for other numbers of rows: the same row
 * gives the same bits as long as each run has the same number of them.
 */
export const whiteningPart = (
  { normaliser, matrix, usual }: Whitening,
  input: string,
  { score, excess, total }: WhiteningOutputs,
): Part => {
  const features = usual.length
  const first = normaliserPart(normaliser, input, 'normalised')
  return {
    nodes: [
      ...first.nodes,
      { op: 'MatMul', inputs: ['normalised', 'whitening_matrix'], outputs: ['whitened'] },
      { op: 'Abs', inputs: ['whitened'], outputs: ['whitened_sizes'] },
      // A reduction would add up the columns of a row by where the row lies in memory.
      { op: 'MatMul', inputs: ['whitened_sizes', 'whitening_ones'], outputs: [score] },
      { op: 'Sub', inputs: ['whitened_sizes', 'whitening_usual'], outputs: ['whitened_above'] },
      { op: 'Relu', inputs: ['whitened_above'], outputs: [excess] },
      { op: 'MatMul', inputs: [excess, 'whitening_ones'], outputs: [total] },
    ],
    constants: [
      ...first.constants,
      { name: 'whitening_matrix', shape: [features, features], values: matrix },
      { name: 'whitening_usual', shape: [features], values: usual },
      { name: 'whitening_ones', shape: [features, 1], values: new Float32Array(features).fill(1) },
    ],
  }
}
