import { type BacklogResult, scoringOf, workThrough } from './backlog.ts'
import type { Bed } from './bed.ts'
import { feedEvents, openCanaryLines } from './feed.ts'
import { cpuSecondsOf, note, startStage } from './processes.ts'

/** Scoring by itself, and beside a process that trains one model after the other. */
export interface RetrainingResult {
  readonly alone: BacklogResult
  readonly beside: BacklogResult
  /** CPU that the training took while it scored, in cores. */
  readonly cores: number
}

/** A job each second, so that one follows the other: never two at a time. It decides soon, and is not guarded. */
const JOBS = {
  RETRAIN_CRON: '* * * * * *',
  RETRAIN_SHADOW_EVENTS: '500',
  RETRAIN_SHADOW_MS: '1000',
  RETRAIN_GUARD_MS: '0',
}

/** Scores a backlog twice, the second time while models are trained on it. */
export const scoringWhileRetraining = async (
  bed: Bed,
  events: number,
  threshold: number,
): Promise<RetrainingResult> => {
  const prepare = async () => {
    const pipeline = await bed.pipeline({ env: { SCORING_THRESHOLD: String(threshold), ...JOBS } })
    await feedEvents(pipeline, openCanaryLines({ events }))
    return pipeline
  }
  note('scoring alone …')
  const quiet = await prepare()
  const alone = await workThrough(scoringOf(quiet, events, bed.brokerPid))
  await bed.drop(quiet)

  note('scoring beside retraining …')
  const busy = await prepare()
  const trainer = startStage('retrain', busy.env)
  try {
    const before = { cpu: cpuSecondsOf(trainer.pid), at: performance.now() }
    const beside = await workThrough(scoringOf(busy, events, bed.brokerPid))
    const seconds = (performance.now() - before.at) / 1000
    if (trainer.ended()) throw new Error(`retrain ended: ${trainer.log().slice(-500)}`)
    return { alone, beside, cores: (cpuSecondsOf(trainer.pid) - before.cpu) / seconds }
  } finally {
    await trainer.stop()
  }
}
