import type { IsolationForest, IsolationTree } from '../trainers/isolation-forest.ts'
import { type Attribute, encodeModel, type Graph, ML_DOMAIN } from './graph.ts'

/** Name of the input: rows × features, float32. */
export const INPUT = 'features'

/** Name of the output: rows × 1, float32, 0 to 1. */
export const OUTPUT = 'score'

const concat = <T>(
  trees: readonly IsolationTree[],
  of: (tree: IsolationTree, index: number) => Iterable<T>,
): T[] => trees.flatMap((tree, index) => [...of(tree, index)])

const isLeaf = (feature: number) => feature < 0

/** The attributes of one TreeEnsembleRegressor that holds all trees (ONNX operator ai.onnx.ml.TreeEnsembleRegressor-3). */
const ensembleAttributes = (trees: readonly IsolationTree[]): Attribute[] => {
  const leaves = trees.flatMap((tree, treeId) =>
    [...tree.feature].flatMap((feature, nodeId) =>
      isLeaf(feature) ? [{ treeId, nodeId, weight: tree.pathLength[nodeId] ?? 0 }] : [],
    ),
  )
  const nodeIds = concat(trees, tree => tree.feature.keys())
  return [
    { name: 'n_targets', int: 1 },
    { name: 'aggregate_function', text: 'AVERAGE' },
    { name: 'post_transform', text: 'NONE' },
    { name: 'nodes_treeids', ints: concat(trees, (tree, id) => tree.feature.map(() => id)) },
    { name: 'nodes_nodeids', ints: nodeIds },
    { name: 'nodes_featureids', ints: concat(trees, tree => tree.feature.map(each => Math.max(0, each))) },
    {
      name: 'nodes_modes',
      texts: concat(trees, tree => [...tree.feature].map(each => (isLeaf(each) ? 'LEAF' : 'BRANCH_LEQ'))),
    },
    { name: 'nodes_values', floats: Float32Array.from(concat(trees, tree => tree.threshold)) },
    { name: 'nodes_truenodeids', ints: concat(trees, tree => tree.left) },
    { name: 'nodes_falsenodeids', ints: concat(trees, tree => tree.right) },
    { name: 'target_treeids', ints: leaves.map(leaf => leaf.treeId) },
    { name: 'target_nodeids', ints: leaves.map(leaf => leaf.nodeId) },
    { name: 'target_ids', ints: leaves.map(() => 0) },
    { name: 'target_weights', floats: Float32Array.from(leaves, leaf => leaf.weight) },
  ]
}

/** The graph of a forest: one node for all trees, whose average is the expected path length E, then 2^(-E / c). */
export const forestGraph = (
  forest: IsolationForest,
  metadata: Readonly<Record<string, string>> = {},
): Graph => ({
  name: 'isolation-forest',
  nodes: [
    {
      op: 'TreeEnsembleRegressor',
      domain: ML_DOMAIN,
      inputs: [INPUT],
      outputs: ['path_length'],
      attributes: ensembleAttributes(forest.trees),
    },
    { op: 'Mul', inputs: ['path_length', 'exponent_scale'], outputs: ['exponent'] },
    { op: 'Pow', inputs: ['base', 'exponent'], outputs: [OUTPUT] },
  ],
  constants: [
    { name: 'exponent_scale', shape: [1], values: Float32Array.of(-1 / forest.normalizer) },
    { name: 'base', shape: [1], values: Float32Array.of(2) },
  ],
  inputs: [{ name: INPUT, shape: ['rows', forest.features] }],
  outputs: [{ name: OUTPUT, shape: ['rows', 1] }],
  metadata,
})

/** The ONNX file of a forest. */
export const encodeForest = (
  forest: IsolationForest,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => encodeModel(forestGraph(forest, metadata))
