import { type Calibration, HALF_SCORE_NATS } from '../trainers/calibration.ts'
import type { Part } from './graph.ts'
import { stepTree, treeEnsemble } from './trees.ts'

/**
 * Calibrations of the columns of `input`, one each: rows × columns in, nats of the same shape out. A tree for each column
 * finds the segment of a score, the rest is the line within it. `name` begins the names of what is in between.
 */
export const calibrationPart = (
  calibrations: readonly Calibration[],
  { name, input, output }: { readonly name: string; readonly input: string; readonly output: string },
): Part => {
  const columns = calibrations.length
  const [starts, values, slopes] = [`${name}_start`, `${name}_value`, `${name}_slope`]
  return {
    nodes: [
      treeEnsemble({
        trees: calibrations.map((calibration, column) =>
          stepTree(column, calibration.edges, segment => [
            { target: column, weight: calibration.starts[segment] ?? 0 },
            { target: columns + column, weight: calibration.values[segment] ?? 0 },
            { target: 2 * columns + column, weight: calibration.slopes[segment] ?? 0 },
          ]),
        ),
        input,
        output: `${name}_segment`,
        targets: 3 * columns,
        aggregate: 'SUM',
      }),
      {
        op: 'Split',
        inputs: [`${name}_segment`],
        outputs: [starts, values, slopes],
        attributes: [{ name: 'axis', int: 1 }],
      },
      { op: 'Sub', inputs: [input, starts], outputs: [`${name}_within`] },
      { op: 'Mul', inputs: [`${name}_within`, slopes], outputs: [`${name}_risen`] },
      { op: 'Add', inputs: [values, `${name}_risen`], outputs: [output] },
    ],
    constants: [],
  }
}

/** Nats as scores of 0 to below 1, of any shape. `name` begins the names of what is in between. */
export const scorePart = (name: string, input: string, output: string): Part => ({
  nodes: [
    { op: 'Add', inputs: [input, `${name}_half`], outputs: [`${name}_whole`] },
    { op: 'Div', inputs: [input, `${name}_whole`], outputs: [output] },
  ],
  constants: [{ name: `${name}_half`, shape: [1], values: Float32Array.of(HALF_SCORE_NATS) }],
})
