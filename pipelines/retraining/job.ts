import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { SoloJob } from '../../connectors/solo-queue.ts'
import type { ModelManifest } from '../../models/detector.ts'
import { type Comparison, passGates } from '../../models/evaluation/gates.ts'
import { guardChampion, scoreEdgesOf } from '../../models/evaluation/guard.ts'
import { stabilityIndex } from '../../models/evaluation/histogram.ts'
import type { SectionValues } from '../../runtime/config.ts'
import type { Log } from '../../runtime/log.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { ObservedStore } from '../scoring/observed.ts'
import { compareLive, type Judged } from './compare.ts'
import type { retrainingConfig } from './config.ts'

const precision = z.strictObject({ truePositives: z.int(), falsePositives: z.int() })

const jobSchema = z.strictObject({
  /** Why: by hand, by the clock, or because of drift. */
  trigger: z.string(),
  /** Set once the challenger is in the registry: it is not trained again when the job is taken up anew. */
  trained: z
    .strictObject({
      version: z.string(),
      champion: z.string(),
      budget: z.number(),
      /** When it began to be tried, in ms since 1970. */
      since: z.int(),
      judged: z.strictObject({ verdicts: precision, champion: precision, challenger: precision }),
    })
    .optional(),
  /** Set once it is champion. */
  promoted: z
    .strictObject({ at: z.int(), expected: z.number(), scores: z.array(z.int()), reason: z.string() })
    .optional(),
})

/** What a retraining is at, as the queue keeps it. */
export type RetrainingData = z.output<typeof jobSchema>

/** What came of a retraining. */
export interface RetrainingResult {
  readonly outcome: 'promoted' | 'rejected' | 'rolled-back'
  /** The new version; null when none was made. */
  readonly version: string | null
  readonly reason: string
}

/** A challenger in the registry, and what held-out time says of it. */
export interface Made {
  readonly version: string
  readonly champion: string
  readonly budget: number
  readonly judged: Judged
  /** Why it is not worth trying; undefined when it is. */
  readonly refusal: string | undefined
}

/** What a retraining works with. */
export interface RetrainingDeps {
  readonly config: SectionValues<typeof retrainingConfig>
  readonly registry: Pick<ModelRegistry, 'list' | 'read' | 'point' | 'rollback' | 'withdraw'>
  readonly store: Pick<ObservedStore, 'read'>
  /** Reads the window, trains, evaluates and publishes; undefined with the reason when there is too little to learn from. */
  readonly make: (
    trigger: string,
    progress: (phase: string, done: number) => void,
    signal: AbortSignal,
  ) => Promise<Made | { readonly tooLittle: string }>
  /** Version of the model in force. */
  readonly inForce: () => Promise<string>
  readonly log: Log
  readonly now?: () => number
  /** How often is looked, in ms. */
  readonly pollMs?: number
}

type Trained = NonNullable<RetrainingData['trained']>
type Promoted = NonNullable<RetrainingData['promoted']>

const POLL_MS = 1_000

const rate = (alerts: number, rows: number): number => (rows === 0 ? 0 : alerts / rows)

/** How far scores of live events are from those that the same model gave as a challenger; 0 where either is unknown. */
const driftOf = (
  { training }: ModelManifest,
  before: readonly number[],
  after: readonly number[],
): number => {
  const all = before.reduce((sum, count) => sum + count, 0)
  if (all === 0) return 0
  const shares = before.map(count => count / all)
  return stabilityIndex({ edges: scoreEdgesOf(training), shares }, after)
}

/**
 * One retraining, from the window to the end of the guard. What is done is saved with the job, so that a worker that takes
 * it up after another has died goes on: a challenger is trained once, a promotion made once.
 *
 * Throws what its parts throw, and the signal's reason when it aborts.
 */
export const retrainOnce = async (
  job: SoloJob<unknown>,
  signal: AbortSignal,
  deps: RetrainingDeps,
): Promise<RetrainingResult> => {
  const { config, registry, store, log, now = Date.now, pollMs = POLL_MS } = deps
  const data = jobSchema.parse(job.data)
  const progress = (phase: string, done: number) => job.progress({ phase, done: Math.min(1, done) })

  const reject = async (version: string | null, reason: string): Promise<RetrainingResult> => {
    const pointer = (await registry.list()).pointer('challenger')
    if (version !== null && pointer?.version === version) await registry.withdraw()
    log.info({ version, reason }, 'a challenger is rejected')
    return { outcome: 'rejected', version, reason }
  }

  /** Waits until scorers have seen enough of both, or long enough. */
  const tryLive = async ({ version, champion, since, budget, judged }: Trained) => {
    for (;;) {
      signal.throwIfAborted()
      const observed = await store.read(champion, version)
      const events = observed?.events ?? 0
      const waited = now() - since
      progress('shadow', Math.max(events / config.shadowEvents, waited / config.shadowMs))
      const isOver = events >= config.shadowEvents || waited >= config.shadowMs
      if (isOver || typeof observed?.problem === 'string') {
        const comparison = compareLive(observed, budget, judged)
        return { problem: observed?.problem, comparison, scores: observed?.challengerScores ?? [] }
      }
      await sleep(pollMs, undefined, { signal })
    }
  }

  const decide = async (
    trained: Trained,
  ): Promise<RetrainingResult | { comparison: Comparison; scores: number[]; reason: string }> => {
    const { version, champion } = trained
    const { problem, comparison, scores } = await tryLive(trained)
    if (typeof problem === 'string') return reject(version, `it failed on live events: ${problem}`)
    const inForce = await deps.inForce()
    if (inForce !== champion && inForce !== version) {
      return reject(version, `it was tried beside ${champion}, and ${inForce} is in force now`)
    }
    const { promote, reason } = passGates(comparison)
    return promote
      ? { comparison, scores, reason }
      : reject(version, `on ${comparison.rows} live events: ${reason}`)
  }

  /** Looks after a new champion; rolls it back when it leaves its bounds. */
  const guard = async (version: string, promoted: Promoted): Promise<RetrainingResult> => {
    const { manifest } = await registry.read(version)
    for (;;) {
      signal.throwIfAborted()
      if ((await deps.inForce()) !== version) {
        return { outcome: 'promoted', version, reason: `${promoted.reason}; it is in force no more` }
      }
      const observed = await store.read(version, null)
      if (observed !== undefined) {
        const drift = driftOf(manifest, promoted.scores, observed.championScores)
        const watched = { events: observed.events, alerts: observed.championAlerts, scoreDrift: drift }
        const decision = guardChampion(watched, promoted.expected)
        if (!decision.keep) {
          await registry.rollback(`the guard: ${decision.reason}`)
          log.error({ version, reason: decision.reason }, 'a champion is rolled back')
          return { outcome: 'rolled-back', version, reason: decision.reason }
        }
      }
      const watchedMs = now() - promoted.at
      progress('guard', config.guardMs === 0 ? 1 : watchedMs / config.guardMs)
      if (watchedMs >= config.guardMs) return { outcome: 'promoted', version, reason: promoted.reason }
      await sleep(pollMs, undefined, { signal })
    }
  }

  let { trained, promoted } = data
  if (trained === undefined) {
    const made = await deps.make(data.trigger, progress, signal)
    if ('tooLittle' in made) return reject(null, made.tooLittle)
    const { refusal, ...rest } = made
    if (refusal !== undefined) return reject(made.version, `on held-out events: ${refusal}`)
    trained = { ...rest, since: now() }
    await registry.point('challenger', made.version, `trained because of: ${data.trigger}`)
    await job.save({ ...data, trained })
  }
  if (promoted === undefined) {
    const decided = await decide(trained)
    if ('outcome' in decided) return decided
    const { comparison, scores, reason } = decided
    const expected = Math.max(rate(comparison.challenger.alerts, comparison.rows), 1 / trained.budget)
    promoted = { at: now(), expected, scores, reason }
    await registry.point('champion', trained.version, reason)
    await job.save({ ...data, trained, promoted })
    log.info({ version: trained.version, reason }, 'a challenger is promoted')
  }
  return guard(trained.version, promoted)
}
