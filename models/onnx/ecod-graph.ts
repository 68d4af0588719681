import type { Ecod } from '../trainers/ecod.ts'
import type { Part } from './graph.ts'
import { stepTree, treeEnsemble } from './trees.ts'

/** Names of what ECOD gives. */
export interface EcodOutputs {
  /** Rows × 1: the sum of the terms. */
  readonly score: string
  /** Rows × features: by how much each value is more surprising than usual. */
  readonly excess: string
  /** Rows × 1: the sum of that. */
  readonly total: string
}

/**
 * ECOD, rows × features in. A node holds a tree for each feature, whose leaf adds its term to the score; a second one, whose
 * leaves add to the column of their feature and to the total, is needed for what is explained alone, and several times as
 * dear. A reduction over the columns afterwards would add them up in another order for other rows, and the last bit with it.
 */
export const ecodPart = ({ tables }: Ecod, input: string, { score, excess, total }: EcodOutputs): Part => ({
  nodes: [
    treeEnsemble({
      trees: tables.map(({ edges, terms }, feature) =>
        stepTree(feature, edges, segment => [{ target: 0, weight: terms[segment] ?? 0 }]),
      ),
      input,
      output: score,
      targets: 1,
      aggregate: 'SUM',
    }),
    treeEnsemble({
      trees: tables.map((table, feature) =>
        stepTree(feature, table.edges, segment => [
          { target: 0, weight: table.excess[segment] ?? 0 },
          { target: feature + 1, weight: table.excess[segment] ?? 0 },
        ]),
      ),
      input,
      output: 'ecod_excess_terms',
      targets: tables.length + 1,
      aggregate: 'SUM',
    }),
    {
      op: 'Split',
      inputs: ['ecod_excess_terms', 'ecod_split'],
      outputs: [total, excess],
      attributes: [{ name: 'axis', int: 1 }],
    },
  ],
  constants: [{ name: 'ecod_split', shape: [2], values: BigInt64Array.of(1n, BigInt(tables.length)) }],
})
