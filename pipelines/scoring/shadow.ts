import { randomUUID } from 'node:crypto'
import type { Analysis, Detector, ModelManifest, Observation } from '../../models/detector.ts'
import { scoreEdgesOf } from '../../models/evaluation/guard.ts'
import { createTally, stabilityIndex, type Tally } from '../../models/evaluation/histogram.ts'
import { FEATURE_COUNT, featureNames, featureRows } from '../../models/features/features.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { isSentinelError, messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { ModelRegistry, RegistryView } from '../models/registry.ts'
import type { Observed, ObservedStore } from './observed.ts'

/** Looks on while events are scored. */
export interface Shadow {
  /**
   * Sees events on their way through the champion, and its analyses, which may fail. Returns at once, never throws, and
   * changes nothing.
   */
  see(lot: readonly Observation[], analyses: Promise<readonly Analysis[]>, champion: Detector): void
  close(): Promise<void>
}

interface ShadowDeps {
  readonly registry: Pick<ModelRegistry, 'follow' | 'read'>
  readonly store: ObservedStore
  readonly log: Log
  readonly metrics: Metrics
  /** Least time between two lots that are looked at, in ms; 50 when not given. */
  readonly pauseMs?: number
}

const PAUSE_MS = 50
const WRITE_MS = 1_000
/** Pairs of scores that are kept, the latest. */
const PAIRS = 1_000

/** What is counted of one model. */
interface Counted {
  readonly manifest: ModelManifest
  readonly scores: Tally
  alerts: number
}

const countedOf = (manifest: ModelManifest): Counted => ({
  manifest,
  scores: createTally({ edges: scoreEdgesOf(manifest.training) }),
  alerts: 0,
})

const count = (counted: Counted, analyses: readonly Analysis[]): void => {
  for (const { score } of analyses) {
    counted.scores.add(score)
    if (score >= counted.manifest.threshold) counted.alerts++
  }
}

/** What has been seen of a pair of models. */
const createSeen = (champion: ModelManifest, challenger: ModelManifest | undefined) => {
  const first = countedOf(champion)
  const second = challenger && countedOf(challenger)
  const features = champion.training?.features.map(createTally) ?? []
  const pairs: [number, number][] = []
  let [events, problem]: [number, string | null] = [0, null]
  return {
    champion: champion.version,
    challenger: challenger?.version ?? null,
    fails: (reason: string) => {
      problem ??= reason
    },
    add: (rows: Float32Array, own: readonly Analysis[], others: readonly Analysis[] | undefined) => {
      events += own.length
      count(first, own)
      for (const [feature, tally] of features.entries())
        for (let at = feature; at < rows.length; at += FEATURE_COUNT) tally.add(rows[at] ?? 0)
      if (second === undefined || others === undefined) return
      count(second, others)
      for (const [i, { score }] of own.entries()) pairs.push([score, others[i]?.score ?? 0])
      if (pairs.length > PAIRS) pairs.splice(0, pairs.length - PAIRS)
    },
    observed: (): Observed => ({
      champion: champion.version,
      challenger: challenger?.version ?? null,
      events,
      championAlerts: first.alerts,
      challengerAlerts: second?.alerts ?? 0,
      championScores: [...first.scores.counts],
      challengerScores: [...(second?.scores.counts ?? [])],
      pairs,
      problem,
    }),
    /** Stability indices of the scores and of each feature. */
    drift: () => ({
      scores: champion.training && stabilityIndex(champion.training.scores, first.scores.counts),
      features: features.map(({ counts }, i) =>
        stabilityIndex(champion.training?.features[i] ?? { edges: [], shares: [] }, counts),
      ),
    }),
  }
}

/** Follows the challenger of the registry and holds it open. One that is refused is none. */
const followChallenger = async ({ registry, log }: ShadowDeps) => {
  let open: { readonly version: string; readonly detector: Detector } | undefined
  let settling: Promise<void> = Promise.resolve()
  const settle = async (view: RegistryView) => {
    const version = view.pointer('challenger')?.version
    if (version === open?.version) return
    const old = open
    open = undefined
    await old?.detector.close()
    if (version === undefined) return
    try {
      const model = await registry.read(version, view)
      open = {
        version,
        detector: await createOnnxDetector({ ...model, explainFrom: Number.POSITIVE_INFINITY }),
      }
      log.info({ version }, 'a challenger scores beside the model in force')
    } catch (error) {
      log.error({ version, problem: messageOf(error) }, 'the challenger cannot be tried')
    }
  }
  const changed = (view: RegistryView) => {
    settling = settling.then(() => settle(view))
  }
  const followed = await registry.follow(changed, log)
  changed(followed.view)
  return {
    detector: () => open?.detector,
    close: async () => {
      await followed.close()
      await settling
      await open?.detector.close()
    },
  }
}

/**
 * Starts looking on: a lot of events now and then, never two at a time, goes through the challenger as well, off the path
 * of what is written. What both said of it is counted and written down for whoever decides, and shown as metrics.
 *
 * Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const startShadow = async (deps: ShadowDeps): Promise<Shadow> => {
  const { store, log, metrics, pauseMs = PAUSE_MS } = deps
  const challenger = await followChallenger(deps)
  const scorer = randomUUID()
  let seen: ReturnType<typeof createSeen> | undefined
  let looking: Promise<void> | undefined
  let [next, changed, isAway] = [0, false, false]

  const look = async (
    lot: readonly Observation[],
    analyses: Promise<readonly Analysis[]>,
    manifest: ModelManifest,
  ) => {
    const own = await analyses
    const other = challenger.detector()
    if (seen?.champion !== manifest.version || seen.challenger !== (other?.manifest.version ?? null))
      seen = createSeen(manifest, other?.manifest)
    const current = seen
    try {
      current.add(featureRows(lot), own, await other?.analyze(lot))
    } catch (error) {
      // One that was replaced meanwhile is closed, and that is no fault of its.
      if (other === challenger.detector()) current.fails(messageOf(error))
    }
    changed = true
  }

  const write = async () => {
    if (!changed || seen === undefined) return
    changed = false
    try {
      await store.write(scorer, seen.observed())
      isAway = false
    } catch (error) {
      if (!isAway) log.warn({ problem: messageOf(error) }, 'what is seen of models cannot be written down')
      isAway = true
    }
  }
  let writing: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    writing = writing.then(write)
  }, WRITE_MS)
  timer.unref()

  const stopShowing = metrics.onScrape(() => {
    if (seen === undefined) return
    const { scores, features } = seen.drift()
    metrics.scoreDrift.reset()
    if (scores !== undefined) metrics.scoreDrift.set({ version: seen.champion }, scores)
    for (const [i, drift] of features.entries())
      metrics.featureDrift.set({ feature: featureNames[i] ?? '' }, drift)
  })

  return {
    see: (lot, analyses, champion) => {
      const started = performance.now()
      const { version } = champion.manifest
      analyses.then(
        () => {
          metrics.inferenceSeconds.observe((performance.now() - started) / 1000)
          metrics.rowsScored.inc({ version }, lot.length)
        },
        (error: unknown) => {
          if (isSentinelError(error, 'NS_SCORING_FAILED')) metrics.scoresMissing.inc({ version })
        },
      )
      if (looking !== undefined || started < next) return
      next = started + pauseMs
      looking = look(lot, analyses, champion.manifest)
        // The champion's own failure is the stage's to tell.
        .catch((error: unknown) => log.debug({ problem: messageOf(error) }, 'a lot was not looked at'))
        .finally(() => {
          looking = undefined
        })
    },
    close: async () => {
      clearInterval(timer)
      stopShowing()
      await looking
      await writing
      await write()
      await challenger.close()
    },
  }
}
