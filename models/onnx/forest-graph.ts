import type { IsolationForest } from '../trainers/isolation-forest.ts'
import type { Part } from './graph.ts'
import { treeEnsemble } from './trees.ts'

/**
 * An isolation forest, rows × features in, rows × 1 out: one node for all trees, whose average is the expected path length
 * E, then 2^(-E / c).
 */
export const forestPart = (forest: IsolationForest, input: string, output: string): Part => ({
  nodes: [
    treeEnsemble({
      trees: forest.trees.map(tree => ({
        ...tree,
        weights: node => [{ target: 0, weight: tree.pathLength[node] ?? 0 }],
      })),
      input,
      output: 'forest_path_length',
      targets: 1,
      aggregate: 'AVERAGE',
    }),
    { op: 'Mul', inputs: ['forest_path_length', 'forest_scale'], outputs: ['forest_exponent'] },
    { op: 'Pow', inputs: ['forest_base', 'forest_exponent'], outputs: [output] },
  ],
  constants: [
    { name: 'forest_scale', shape: [1], values: Float32Array.of(-1 / forest.normalizer) },
    { name: 'forest_base', shape: [1], values: Float32Array.of(2) },
  ],
})
