import { z } from 'zod'
import type { Redis } from '../../connectors/redis.ts'

const count = z.int().min(0)
const counts = z.array(count)

const schema = z.strictObject({
  champion: z.string(),
  challenger: z.string().nullable(),
  /** Events that were scored, and those at or above each model's own threshold. */
  events: count,
  championAlerts: count,
  challengerAlerts: count,
  /** Scores by the segments that each model’s are counted in. */
  championScores: counts,
  challengerScores: counts,
  /** Scores of the same events by both, of the latest ones. */
  pairs: z.array(z.tuple([z.number(), z.number()])),
  /** Why the challenger could not score. */
  problem: z.string().nullable(),
})

/** What scorers have seen of a champion, and of a challenger beside it, on a sample of live events. */
export type Observed = z.output<typeof schema>

/** Where scorers write down what they have seen, and retraining reads it. Redis may lose it: it begins anew then. */
export interface ObservedStore {
  /** Replaces what a scorer has seen of a pair. Throws NS_SERVICE_UNREACHABLE. */
  write(scorer: string, observed: Observed): Promise<void>
  /** All scorers together; undefined when none has seen the pair. Throws NS_SERVICE_UNREACHABLE. */
  read(champion: string, challenger: string | null): Promise<Observed | undefined>
}

const KEPT_S = 24 * 3600

const WRITE = `redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) redis.call('EXPIRE', KEYS[1], ARGV[3]) return 1`
const READ = `return redis.call('HVALS', KEYS[1])`

const added = (a: readonly number[], b: readonly number[]): number[] =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0))

const together = (a: Observed, b: Observed): Observed => ({
  champion: a.champion,
  challenger: a.challenger,
  events: a.events + b.events,
  championAlerts: a.championAlerts + b.championAlerts,
  challengerAlerts: a.challengerAlerts + b.challengerAlerts,
  championScores: added(a.championScores, b.championScores),
  challengerScores: added(a.challengerScores, b.challengerScores),
  pairs: [...a.pairs, ...b.pairs],
  problem: a.problem ?? b.problem,
})

/** Keeps it in a hash of Redis for each pair of models, one field a scorer. */
export const createObservedStore = (redis: Pick<Redis, 'run'>, prefix: string): ObservedStore => {
  const keyOf = (champion: string, challenger: string | null) =>
    `${prefix}netsentinel:observed:${champion}:${challenger ?? ''}`
  return {
    write: async (scorer, observed) => {
      const key = keyOf(observed.champion, observed.challenger)
      await redis.run(WRITE, [key], [scorer, JSON.stringify(observed), KEPT_S])
    },
    read: async (champion, challenger) => {
      const found = await redis.run(READ, [keyOf(champion, challenger)], [])
      const all = z
        .array(z.string())
        .parse(found)
        .map(text => schema.parse(JSON.parse(text)))
      return all.length === 0 ? undefined : all.reduce(together)
    },
  }
}
