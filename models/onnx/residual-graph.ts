import type { Part } from './graph.ts'

/** Names of what a model gives that judges by what it cannot account for. */
export interface ResidualOutputs {
  /** Rows × 1: the sum of the sizes. */
  readonly score: string
  /** Rows × features: by how much each size is above its usual one. */
  readonly excess: string
  /** Rows × 1: the sum of that. */
  readonly total: string
}

/** From residuals, rows × features, to the score and its parts. `name` begins the names of its constants. */
export const residualPart = (
  name: string,
  usual: Float32Array,
  input: string,
  { score, excess, total }: ResidualOutputs,
): Part => ({
  nodes: [
    { op: 'Abs', inputs: [input], outputs: [`${input}_sizes`] },
    // A reduction would add up the columns of a row by where the row lies in memory.
    { op: 'MatMul', inputs: [`${input}_sizes`, `${name}_ones`], outputs: [score] },
    { op: 'Sub', inputs: [`${input}_sizes`, `${name}_usual`], outputs: [`${input}_above`] },
    { op: 'Relu', inputs: [`${input}_above`], outputs: [excess] },
    { op: 'MatMul', inputs: [excess, `${name}_ones`], outputs: [total] },
  ],
  constants: [
    { name: `${name}_usual`, shape: [usual.length], values: usual },
    { name: `${name}_ones`, shape: [usual.length, 1], values: new Float32Array(usual.length).fill(1) },
  ],
})
