import type { Autoencoder } from '../trainers/autoencoder.ts'
import type { Part } from './graph.ts'
import { normaliserPart } from './normaliser-graph.ts'
import { type ResidualOutputs, residualPart } from './residual-graph.ts'

/** An autoencoder, rows × features in: its layers, and what they could not say again. */
export const autoencoderPart = (
  { normaliser, layers, usual }: Autoencoder,
  input: string,
  outputs: ResidualOutputs,
): Part => {
  const normalised = 'autoencoder_in'
  const first = normaliserPart('autoencoder_', normaliser, input, normalised)
  const inner = layers.map(({ inputs, outputs: width, weights, biases }, i): Part => {
    const name = `autoencoder_${i}`
    const before = i === 0 ? normalised : `autoencoder_${i - 1}_out`
    const isLast = i === layers.length - 1
    return {
      nodes: [
        { op: 'MatMul', inputs: [before, `${name}_weights`], outputs: [`${name}_product`] },
        {
          op: 'Add',
          inputs: [`${name}_product`, `${name}_biases`],
          outputs: [isLast ? `${name}_out` : `${name}_sum`],
        },
        ...(isLast ? [] : [{ op: 'Relu', inputs: [`${name}_sum`], outputs: [`${name}_out`] }]),
      ],
      constants: [
        { name: `${name}_weights`, shape: [inputs, width], values: weights },
        { name: `${name}_biases`, shape: [width], values: biases },
      ],
    }
  })
  const said = `autoencoder_${layers.length - 1}_out`
  const parts = [
    first,
    ...inner,
    { nodes: [{ op: 'Sub', inputs: [said, normalised], outputs: ['autoencoder_errors'] }], constants: [] },
    residualPart('autoencoder', usual, 'autoencoder_errors', outputs),
  ]
  return { nodes: parts.flatMap(part => part.nodes), constants: parts.flatMap(part => part.constants) }
}
