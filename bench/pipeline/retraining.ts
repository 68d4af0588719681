import { setTimeout as sleep } from 'node:timers/promises'
import { redisConfig } from '../../connectors/redis.ts'
import { openRetrainingQueue } from '../../pipelines/retraining/retraining.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { topicsConfig } from '../../schemas/topics.ts'
import { type BacklogResult, scoringOf, workThrough } from './backlog.ts'
import type { Bed, Pipeline } from './bed.ts'
import { feedEvents, openCanaryLines } from './feed.ts'
import { cpuSecondsOf, note, startStage } from './processes.ts'

/** Scoring by itself, and beside a process that trains one model after the other. */
export interface RetrainingResult {
  readonly alone: BacklogResult
  readonly beside: BacklogResult
  /** CPU that the training took while it scored, in cores. */
  readonly cores: number
  /**
   * The first retraining, from its start until its model was ready to be tried: reading the whole backlog, rebuilding states,
   * training on 25,000 of its events, evaluating and publishing.
   */
  readonly jobSeconds: number
  /** Share of that time in which the scorer was at work. */
  readonly jobBeside: number
}

const POLL_MS = 100

/** A job each second, so that one follows the other: never two at a time. It decides soon, and is not guarded. */
const JOBS = {
  RETRAIN_CRON: '* * * * * *',
  RETRAIN_SHADOW_EVENTS: '500',
  RETRAIN_SHADOW_MS: '1000',
  RETRAIN_GUARD_MS: '0',
}

/** Waits until the first retraining has made a model; when it began and when that was, in ms since 1970. */
const firstJob = async (pipeline: Pipeline) => {
  const config = loadConfig({ redis: redisConfig, topics: topicsConfig }, pipeline.env)
  const queue = await openRetrainingQueue({ config, log: silentLog() })
  try {
    for (;;) {
      const first = (await queue.list()).at(-1)
      // One that is rejected on held-out events is at its end when its model is there.
      const to = first?.data.trained?.since ?? first?.ended
      if (first?.outcome && 'failed' in first.outcome) throw new Error(first.outcome.failed)
      if (typeof first?.started === 'number' && typeof to === 'number') return { from: first.started, to }
      await sleep(POLL_MS)
    }
  } finally {
    await queue.close()
  }
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
    const [seconds, scored] = [(performance.now() - before.at) / 1000, Date.now()]
    if (trainer.ended()) throw new Error(`retrain ended: ${trainer.log().slice(-500)}`)
    const cores = (cpuSecondsOf(trainer.pid) - before.cpu) / seconds
    const { from, to } = await firstJob(busy)
    const jobBeside = Math.min(1, Math.max(0, (scored - from) / (to - from)))
    return { alone, beside, cores, jobSeconds: (to - from) / 1000, jobBeside }
  } finally {
    await trainer.stop()
  }
}
