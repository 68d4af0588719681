import { SentinelError } from '../../runtime/errors.ts'
import { floorFloat32 } from './float32.ts'
import type { Matrix } from './matrix.ts'
import { createRandom, drawNumbers, type Random } from './random.ts'

/** A tree as arrays over its nodes; node 0 is the root and children come after their parent. */
export interface IsolationTree {
  /** Feature a node splits on; -1 for a leaf. */
  readonly feature: Int32Array
  /** A row goes left when its value is at or below this, a float32. */
  readonly threshold: Float32Array
  readonly left: Int32Array
  readonly right: Int32Array
  /** Of a leaf: its depth plus c(rows that ended in it), the path length it stands for. */
  readonly pathLength: Float32Array
}

/** An isolation forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008). */
export interface IsolationForest {
  readonly trees: readonly IsolationTree[]
  /** Values in a row. */
  readonly features: number
  /** c(rows a tree was grown on): the path length that makes a score of 0.5. */
  readonly normalizer: number
}

/**
 * Size of a forest. The paper has 100 trees; its scores have settled long before, and 64 of them rank as well in the tables
 * that were tried, for two thirds of the time.
 */
export interface ForestOptions {
  readonly seed: number
  readonly trees?: number
  /** Rows that a tree is grown on, drawn without replacement. */
  readonly sample?: number
}

/**
 * Average path length of an unsuccessful search in a binary search tree of `n` rows: c(n) of the paper, with
 * H(i) ≈ ln(i) + 0.5772156649 as scikit-learn has it.
 */
export const averagePathLength = (n: number): number =>
  n <= 1 ? 0 : n === 2 ? 1 : 2 * (Math.log(n - 1) + 0.5772156649) - (2 * (n - 1)) / n

interface Builder {
  readonly feature: number[]
  readonly threshold: number[]
  readonly left: number[]
  readonly right: number[]
  readonly pathLength: number[]
}

const growTree = (data: Matrix, sample: Int32Array, heightLimit: number, random: Random): IsolationTree => {
  const { values, features } = data
  const nodes: Builder = { feature: [], threshold: [], left: [], right: [], pathLength: [] }
  const candidates = Int32Array.from({ length: features }, (_, i) => i)

  /** A feature that varies among sample[from, to), each of them equally likely, and a split of its range. */
  const chooseSplit = (from: number, to: number): { feature: number; threshold: number } | undefined => {
    for (let left = features; left > 0; left--) {
      const at = random.below(left)
      const feature = candidates[at] ?? 0
      let min = Number.POSITIVE_INFINITY
      let max = Number.NEGATIVE_INFINITY
      for (let i = from; i < to; i++) {
        const value = values[(sample[i] ?? 0) * features + feature] ?? 0
        if (value < min) min = value
        if (value > max) max = value
      }
      if (min < max) return { feature, threshold: splitBetween(min, max, random) }
      // Constant here: moved behind the ones that are still to be drawn.
      candidates[at] = candidates[left - 1] ?? 0
      candidates[left - 1] = feature
    }
    return undefined
  }

  const partition = (from: number, to: number, feature: number, threshold: number): number => {
    let middle = from
    for (let i = from; i < to; i++) {
      const row = sample[i] ?? 0
      if ((values[row * features + feature] ?? 0) <= threshold) {
        sample[i] = sample[middle] ?? 0
        sample[middle++] = row
      }
    }
    return middle
  }

  const grow = (from: number, to: number, depth: number): number => {
    const node = nodes.feature.length
    const split = to - from > 1 && depth < heightLimit ? chooseSplit(from, to) : undefined
    nodes.feature.push(split?.feature ?? -1)
    nodes.threshold.push(split?.threshold ?? 0)
    nodes.left.push(0)
    nodes.right.push(0)
    nodes.pathLength.push(split === undefined ? depth + averagePathLength(to - from) : 0)
    if (split !== undefined) {
      const middle = partition(from, to, split.feature, split.threshold)
      nodes.left[node] = grow(from, middle, depth + 1)
      nodes.right[node] = grow(middle, to, depth + 1)
    }
    return node
  }

  grow(0, sample.length, 0)
  return {
    feature: Int32Array.from(nodes.feature),
    threshold: Float32Array.from(nodes.threshold),
    left: Int32Array.from(nodes.left),
    right: Int32Array.from(nodes.right),
    pathLength: Float32Array.from(nodes.pathLength),
  }
}

/** A threshold in [min, max): both sides get a row. */
const splitBetween = (min: number, max: number, random: Random): number => {
  const threshold = floorFloat32(min + (max - min) * random.next())
  return threshold < max ? threshold : min
}

/**
 * Grows a forest. Deterministic to the byte in rows, their order and the seed. Throws NS_MODEL_REFUSED for fewer than
 * two rows, of which no path length can be normalised.
 */
export const trainIsolationForest = (
  data: Matrix,
  { seed, trees = 64, sample = 256 }: ForestOptions,
): IsolationForest => {
  if (data.rows < 2)
    throw new SentinelError('NS_MODEL_REFUSED', `a forest needs 2 rows or more, not ${data.rows}`)
  const size = Math.min(sample, data.rows)
  const heightLimit = Math.ceil(Math.log2(size))
  const random = createRandom(seed)
  const grown: IsolationTree[] = []
  for (let i = 0; i < trees; i++) {
    grown.push(growTree(data, drawNumbers(data.rows, size, random), heightLimit, random))
  }
  return { trees: grown, features: data.features, normalizer: averagePathLength(size) }
}

const pathOf = (tree: IsolationTree, values: Float32Array, at: number): number => {
  let node = 0
  let feature = tree.feature[0] ?? -1
  while (feature >= 0) {
    const goesLeft = (values[at + feature] ?? 0) <= (tree.threshold[node] ?? 0)
    node = (goesLeft ? tree.left[node] : tree.right[node]) ?? 0
    feature = tree.feature[node] ?? -1
  }
  return tree.pathLength[node] ?? 0
}

/** Scores of rows, 2^(-E(path length) / c): 0 to 1, about 0.5 for the usual, higher is more unusual. */
export const scoreIsolationForest = (forest: IsolationForest, data: Matrix): Float64Array => {
  const scores = new Float64Array(data.rows)
  for (let row = 0; row < data.rows; row++) {
    let sum = 0
    for (const tree of forest.trees) sum += pathOf(tree, data.values, row * data.features)
    scores[row] = 2 ** (-sum / forest.trees.length / forest.normalizer)
  }
  return scores
}
