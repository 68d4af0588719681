import { LIMIT, type Normaliser } from '../trainers/normaliser.ts'
import type { Pca } from '../trainers/pca.ts'
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

/**
 * Reconstruction by principal components, rows × features in; its score, rows × 1, and each feature's squared rest,
 * rows × features, out. Multiplications of matrices take another path for other numbers of rows: the same row gives the
 * same bits as long as each run has the same number of them.
 */
export const pcaPart = (
  { normaliser, residual }: Pca,
  input: string,
  score: string,
  losses: string,
): Part => {
  const features = normaliser.means.length
  const first = normaliserPart(normaliser, input, 'normalised')
  return {
    nodes: [
      ...first.nodes,
      { op: 'MatMul', inputs: ['normalised', 'pca_residual'], outputs: ['pca_rest'] },
      { op: 'Mul', inputs: ['pca_rest', 'pca_rest'], outputs: [losses] },
      // A reduction would add up the columns of a row by where the row lies in memory.
      { op: 'MatMul', inputs: [losses, 'pca_ones'], outputs: [score] },
    ],
    constants: [
      ...first.constants,
      { name: 'pca_residual', shape: [features, features], values: residual },
      { name: 'pca_ones', shape: [features, 1], values: new Float32Array(features).fill(1) },
    ],
  }
}
