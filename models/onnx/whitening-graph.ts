import type { Whitening } from '../trainers/whitening.ts'
import type { Part } from './graph.ts'
import { normaliserPart } from './normaliser-graph.ts'
import { type ResidualOutputs, residualPart } from './residual-graph.ts'

/**
 * A whitening, rows × features in. Multiplications of matrices take another path for other numbers of rows: the same row
 * gives the same bits as long as each run has the same number of them.
 */
export const whiteningPart = (
  { normaliser, matrix, usual }: Whitening,
  input: string,
  outputs: ResidualOutputs,
): Part => {
  const features = usual.length
  const first = normaliserPart('', normaliser, input, 'normalised')
  const last = residualPart('whitening', usual, 'whitened', outputs)
  return {
    nodes: [
      ...first.nodes,
      { op: 'MatMul', inputs: ['normalised', 'whitening_matrix'], outputs: ['whitened'] },
      ...last.nodes,
    ],
    constants: [
      ...first.constants,
      { name: 'whitening_matrix', shape: [features, features], values: matrix },
      ...last.constants,
    ],
  }
}
