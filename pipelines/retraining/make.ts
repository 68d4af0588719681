import { randomBytes } from 'node:crypto'
import type { TrainedModel } from '../../models/detector.ts'
import { type Precision, passGates, precisionOf } from '../../models/evaluation/gates.ts'
import { FEATURE_COUNT, featureRows } from '../../models/features/features.ts'
import { isUsual } from '../../models/features/usual.ts'
import { recentFormOf } from '../../models/foreign/form.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { trainInThreads } from '../../models/trainers/train-in-threads.ts'
import type { SectionValues } from '../../runtime/config.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Verdict } from '../../schemas/generated.ts'
import type { ModelRegistry } from '../models/registry.ts'
import { compareOn, judge } from './compare.ts'
import type { retrainingConfig } from './config.ts'
import type { Made } from './job.ts'
import { FEWEST, readWindow, type WindowDeps } from './read-window.ts'
import { figuresOf, type ReportParts, reportOf } from './report.ts'
import type { Verdicts } from './verdicts.ts'
import type { Sampled } from './window-events.ts'

/** What a challenger is made with. */
export interface MakeDeps extends Omit<WindowDeps, 'recent'> {
  readonly config: SectionValues<typeof retrainingConfig>
  readonly registry: Pick<ModelRegistry, 'publish'>
  /** The model in force. */
  readonly champion: () => Promise<TrainedModel>
  readonly readVerdicts: () => Promise<Verdicts>
  readonly metrics: Metrics
}

/** Share of the sample, the latest, that nothing is learnt from. */
const HELD_OUT = 0.2

/** What is known for an attack, or was confirmed to be one, is nothing to learn from. */
const learnable = (sample: readonly Sampled[], verdicts: ReadonlyMap<string, Verdict>): Sampled[] =>
  sample.filter(
    ({ observation }) => isUsual(observation) && verdicts.get(observation.event.id) !== 'true_positive',
  )

const versionAt = (ms: number): string => {
  const stamp = new Date(ms).toISOString().replaceAll(/[-:]|\.\d+Z$/g, '')
  return `retrained-${stamp}-${randomBytes(2).toString('hex')}`
}

/** Shows what analysts found of the threats of each version. */
export const showPrecision = (metrics: Metrics, byVersion: ReadonlyMap<string, Precision>): void => {
  for (const [version, precision] of byVersion) {
    const share = precisionOf(precision)
    if (share !== undefined) metrics.modelPrecision.set({ version }, share)
  }
}

/**
 * Makes a challenger: reads the window of `events`, rebuilds the states of entities, learns from an even sample of all but
 * its last fifth, tries the model and the champion on that, and on what analysts found, and publishes it with a report.
 *
 * Throws what reading, training and publishing throw, and the signal's reason when it aborts.
 */
export const makeChallenger = async (
  deps: MakeDeps,
  trigger: string,
  progress: (phase: string, done: number) => void,
  signal: AbortSignal,
): Promise<Made | { readonly tooLittle: string }> => {
  const { config, registry, metrics } = deps
  progress('read', 0)
  const verdicts = await deps.readVerdicts()
  showPrecision(metrics, verdicts.byVersion)
  const champion = await deps.champion()
  const window = await readWindow(
    { ...deps, recent: recentFormOf(champion.manifest.foreign) },
    new Set(verdicts.events.keys()),
    events => progress(`read ${events} events`, 0),
    signal,
  )
  const { sample, wanted, events, from, to } = window
  if (sample.length < FEWEST) {
    return {
      tooLittle: `there are ${sample.length} events in the window: fewer than ${FEWEST} teach nothing`,
    }
  }
  const split = Math.floor(sample.length * (1 - HELD_OUT))
  const learnt = learnable(sample.slice(0, split), verdicts.events)
  const model = await trainInThreads(
    {
      values: featureRows(learnt.map(({ observation }) => observation)),
      rows: learnt.length,
      features: FEATURE_COUNT,
    },
    {
      version: versionAt(to),
      sequence: champion.manifest.sequence + 1,
      seed: to,
      contaminated: true,
      autoencoder: config.autoencoder,
      threads: config.threads,
      signal,
      onProgress: ({ phase, done }) => progress(`train: ${phase}`, done),
    },
  )
  progress('evaluate', 0)
  const explainFrom = Number.POSITIVE_INFINITY
  const before = await createOnnxDetector({ ...champion, explainFrom })
  try {
    const challenger = await createOnnxDetector({ ...model, explainFrom })
    try {
      const pair = { champion: before, challenger }
      const judged = await judge({ ...pair, wanted, verdicts: verdicts.events })
      const comparison = await compareOn({ ...pair, held: sample.slice(split), judged })
      const decision = passGates(comparison)
      const parts: ReportParts = {
        trigger,
        challenger: model,
        champion: champion.manifest.version,
        window: { from, to },
        events,
        learnt: learnt.length,
        comparison,
        decision,
        byVersion: verdicts.byVersion,
      }
      progress('publish', 0)
      await registry.publish(model, {
        parent: champion.manifest.version,
        window: { from, to },
        metrics: figuresOf(parts),
        report: reportOf(parts),
      })
      return {
        version: model.manifest.version,
        champion: champion.manifest.version,
        budget: comparison.budget,
        judged,
        refusal: decision.promote ? undefined : decision.reason,
      }
    } finally {
      await challenger.close()
    }
  } finally {
    await before.close()
  }
}
