import { type Attribute, ML_DOMAIN, type Node } from './graph.ts'

/** What a leaf adds to one of the outputs of its ensemble. */
export interface Weight {
  readonly target: number
  readonly weight: number
}

/** A tree as arrays over its nodes; node 0 is the root. */
export interface Tree {
  /** Input column that a node splits on; -1 for a leaf. */
  readonly feature: ArrayLike<number>
  /** A row goes left when its value is at or below this, a float32. */
  readonly threshold: ArrayLike<number>
  readonly left: ArrayLike<number>
  readonly right: ArrayLike<number>
  /** What the leaf with this number adds. */
  readonly weights: (node: number) => readonly Weight[]
}

/** A tree over the segments of a step function of one column, as shallow as can be. */
export const stepTree = (
  column: number,
  edges: Float32Array,
  weightsOf: (segment: number) => readonly Weight[],
): Tree => {
  const feature: number[] = []
  const threshold: number[] = []
  const left: number[] = []
  const right: number[] = []
  const segments: number[] = []
  const grow = (from: number, to: number): number => {
    const node = feature.length
    const middle = (from + to) >> 1
    const isLeaf = from === to
    feature.push(isLeaf ? -1 : column)
    threshold.push(isLeaf ? 0 : (edges[middle] ?? 0))
    left.push(0)
    right.push(0)
    segments.push(from)
    if (!isLeaf) {
      left[node] = grow(from, middle)
      right[node] = grow(middle + 1, to)
    }
    return node
  }
  grow(0, edges.length)
  return { feature, threshold, left, right, weights: node => weightsOf(segments[node] ?? 0) }
}

/** How an ensemble is put together. */
export interface TreeEnsemble {
  readonly trees: readonly Tree[]
  readonly input: string
  /** rows × targets. */
  readonly output: string
  readonly targets: number
  readonly aggregate: 'AVERAGE' | 'SUM'
}

const numbers = (trees: readonly Tree[], of: (tree: Tree, id: number) => ArrayLike<number>): number[] =>
  trees.flatMap((tree, id) => Array.from(of(tree, id)))

const modeOf = (feature: number): string => (feature < 0 ? 'LEAF' : 'BRANCH_LEQ')

/**
 * One TreeEnsembleRegressor for all trees (ONNX operator ai.onnx.ml.TreeEnsembleRegressor-3). The runtime adds up the
 * trees of a row in their order, in float32, whatever other rows there are: the same row gives the same bits.
 */
export const treeEnsemble = ({ trees, input, output, targets, aggregate }: TreeEnsemble): Node => {
  const leaves = trees.flatMap((tree, treeId) =>
    Array.from(tree.feature).flatMap((feature, nodeId) =>
      feature < 0 ? tree.weights(nodeId).map(weight => ({ treeId, nodeId, ...weight })) : [],
    ),
  )
  const attributes: Attribute[] = [
    { name: 'n_targets', int: targets },
    { name: 'aggregate_function', text: aggregate },
    { name: 'post_transform', text: 'NONE' },
    { name: 'nodes_treeids', ints: numbers(trees, (tree, id) => Array.from(tree.feature, () => id)) },
    { name: 'nodes_nodeids', ints: numbers(trees, tree => Array.from(tree.feature, (_, node) => node)) },
    {
      name: 'nodes_featureids',
      ints: numbers(trees, tree => Array.from(tree.feature, each => Math.max(0, each))),
    },
    { name: 'nodes_modes', texts: trees.flatMap(tree => Array.from(tree.feature, modeOf)) },
    { name: 'nodes_values', floats: Float32Array.from(numbers(trees, tree => tree.threshold)) },
    { name: 'nodes_truenodeids', ints: numbers(trees, tree => tree.left) },
    { name: 'nodes_falsenodeids', ints: numbers(trees, tree => tree.right) },
    { name: 'target_treeids', ints: leaves.map(leaf => leaf.treeId) },
    { name: 'target_nodeids', ints: leaves.map(leaf => leaf.nodeId) },
    { name: 'target_ids', ints: leaves.map(leaf => leaf.target) },
    { name: 'target_weights', floats: Float32Array.from(leaves, leaf => leaf.weight) },
  ]
  return { op: 'TreeEnsembleRegressor', domain: ML_DOMAIN, inputs: [input], outputs: [output], attributes }
}
