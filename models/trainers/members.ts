import { type Autoencoder, scoreAutoencoder, trainAutoencoder } from './autoencoder.ts'
import { type Ecod, type EcodTable, ecodTables, scoreEcod } from './ecod.ts'
import { type IsolationForest, scoreIsolationForest, trainIsolationForest } from './isolation-forest.ts'
import type { Matrix } from './matrix.ts'
import { scoreWhitening, trainWhitening, type Whitening } from './whitening.ts'

/** The models of an ensemble, before they are calibrated. */
export interface Members {
  readonly forest: IsolationForest
  readonly ecod: Ecod
  readonly whitening: Whitening
  /** Only where it is asked for: it costs as much as all others. */
  readonly autoencoder?: Autoencoder
}

/** Names of the models that are always there, in the order of their scores. */
const ALWAYS = ['isolationForest', 'ecod', 'whitening'] as const

/** Names of the models, in the order of their scores. */
export const modelNames = ({ autoencoder }: Members): readonly string[] =>
  autoencoder === undefined ? ALWAYS : [...ALWAYS, 'autoencoder']

/** Which models are fitted, and from what. */
export interface FitOptions {
  readonly seed: number
  /** Whether an autoencoder is one of them. */
  readonly autoencoder: boolean
}

/**
 * Does the work of a training that takes time. It returns when all is done: whoever trains has a thread of his own. The
 * result is the same to the byte however many hands there are.
 */
export interface Hands {
  fit(data: Matrix, options: FitOptions): Members
  /** The own scores of each model, models × rows. */
  score(members: Members, data: Matrix): Float64Array[]
}

/** A part of the work that no other part needs. */
export type Task =
  | { readonly work: 'forest'; readonly data: Matrix; readonly seed: number }
  | { readonly work: 'whitening'; readonly data: Matrix }
  | { readonly work: 'autoencoder'; readonly data: Matrix; readonly seed: number }
  | { readonly work: 'ecod'; readonly data: Matrix; readonly from: number; readonly to: number }
  | { readonly work: 'score'; readonly data: Matrix; readonly members: Members }

/** What came of a {@link Task}. */
export type Done =
  | { readonly work: 'forest'; readonly forest: IsolationForest }
  | { readonly work: 'whitening'; readonly whitening: Whitening }
  | { readonly work: 'autoencoder'; readonly autoencoder: Autoencoder }
  | { readonly work: 'ecod'; readonly tables: readonly EcodTable[] }
  | { readonly work: 'score'; readonly scores: readonly Float64Array[] }

/** Does one part, in this thread. */
export const perform = (task: Task): Done => {
  const { data } = task
  switch (task.work) {
    case 'forest':
      return { work: 'forest', forest: trainIsolationForest(data, { seed: task.seed }) }
    case 'whitening':
      return { work: 'whitening', whitening: trainWhitening(data) }
    case 'autoencoder':
      return { work: 'autoencoder', autoencoder: trainAutoencoder(data, { seed: task.seed }) }
    case 'ecod':
      return { work: 'ecod', tables: ecodTables(data, task) }
    case 'score': {
      const { forest, ecod, whitening, autoencoder } = task.members
      const scores = [
        scoreIsolationForest(forest, data),
        scoreEcod(ecod, data),
        scoreWhitening(whitening, data),
        ...(autoencoder === undefined ? [] : [scoreAutoencoder(autoencoder, data)]),
      ]
      return { work: 'score', scores }
    }
  }
}

/** Bounds of `parts` ranges, as even as they can be, that together are 0 up to `length`; none is empty. */
const ranges = (length: number, parts: number): { from: number; to: number }[] =>
  Array.from({ length: parts }, (_, i) => ({
    from: Math.floor((length * i) / parts),
    to: Math.floor((length * (i + 1)) / parts),
  })).filter(({ from, to }) => to > from)

const joined = (parts: readonly Float64Array[]): Float64Array => {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/**
 * Cuts the work into tasks and has them done. A forest is one: it grows on a few hundred rows a tree, from one source of
 * randomness. ECOD is cut by features, and scoring, in which most of the time goes, by rows.
 */
export const createHands = (doAll: (tasks: readonly Task[]) => readonly Done[], parts: number): Hands => ({
  fit: (data, { seed, autoencoder: isWanted }) => {
    const done = doAll([
      ...(isWanted ? [{ work: 'autoencoder', data, seed } as const] : []),
      { work: 'whitening', data },
      { work: 'forest', data, seed },
      ...ranges(data.features, parts).map(range => ({ work: 'ecod', data, ...range }) as const),
    ])
    const forest = done.flatMap(each => (each.work === 'forest' ? [each.forest] : []))[0]
    const whitening = done.flatMap(each => (each.work === 'whitening' ? [each.whitening] : []))[0]
    const autoencoder = done.flatMap(each => (each.work === 'autoencoder' ? [each.autoencoder] : []))[0]
    const tables = done.flatMap(each => (each.work === 'ecod' ? each.tables : []))
    if (forest === undefined || whitening === undefined) throw new TypeError('a part of the work is missing')
    return { forest, whitening, ecod: { tables }, ...(autoencoder === undefined ? {} : { autoencoder }) }
  },
  score: (members, { values, rows, features }) => {
    const done = doAll(
      ranges(rows, parts).map(({ from, to }) => ({
        work: 'score',
        members,
        data: { values: values.slice(from * features, to * features), rows: to - from, features },
      })),
    )
    const scores = done.map(each => (each.work === 'score' ? each.scores : []))
    return modelNames(members).map((_, model) =>
      joined(scores.map(each => each[model] ?? new Float64Array())),
    )
  },
})

/** All of it in this thread. */
export const oneHand: Hands = createHands(tasks => tasks.map(perform), 1)
