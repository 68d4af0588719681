import { describe, expect, it } from '@jest/globals'
import { createRedis, redisConfig } from '../../connectors/redis.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { retrainingConfig } from '../../pipelines/retraining/config.ts'
import { addOnDrift } from '../../pipelines/retraining/drift.ts'
import { openRetrainingQueue, startRetraining } from '../../pipelines/retraining/retraining.ts'
import { createObservedStore, type Observed } from '../../pipelines/scoring/observed.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { makeScoringSystem } from '../support/scoring.ts'
import { services, until } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'

const makeWorld = async (env: Readonly<Record<string, string>> = {}) => {
  const system = await makeScoringSystem()
  const config = {
    ...system.config,
    ...loadConfig(
      { redis: redisConfig, models: modelsConfig, data: dataConfig, retraining: retrainingConfig },
      { REDIS_URL: services().redisUrl, DATA_DIR: tempDir(), ...env },
    ),
  }
  const deps = { config, log: silentLog(), metrics: createMetrics() }
  const queue = await openRetrainingQueue(deps)
  cleanUp(() => queue.close())
  return { ...system, deps, config, queue }
}

type World = Awaited<ReturnType<typeof makeWorld>>

/** What a scorer has seen of the model that ships: all of its scores in the last segment, or as in training. */
const seen = async ({ config }: World, events: number, isDrifted: boolean) => {
  const redis = await createRedis({ config: config.redis, log: silentLog() })
  cleanUp(() => redis.close())
  const store = createObservedStore(redis, config.topics.prefix)
  const { version, training } = loadBaseline().manifest
  const shares = training?.scores.shares ?? []
  const last = shares.length - 1
  const observed: Observed = {
    champion: version,
    challenger: null,
    events,
    championAlerts: 0,
    challengerAlerts: 0,
    championScores: shares.map((share, i) =>
      isDrifted ? (i === last ? events : 0) : Math.round(share * events),
    ),
    challengerScores: [],
    pairs: [],
    problem: null,
  }
  await store.write('a scorer', observed)
  return store
}

/** Jobs of the queue that are at an end, the earliest first. */
const ended = async ({ queue }: World) =>
  (await queue.list()).filter(({ outcome }) => outcome !== null).toReversed()

describe('a retraining by the clock', () => {
  it('comes again and again, and two processes never do two at once', async () => {
    const world = await makeWorld({ RETRAIN_CRON: '* * * * * *' })
    for (let i = 0; i < 2; i++) {
      const service = await startRetraining(world.deps)
      cleanUp(() => service.close())
    }
    await until(async () => (await ended(world)).length >= 3, {
      what: 'three jobs by the clock',
      timeoutMs: 50_000,
    })
    const jobs = (await ended(world)).toSorted((a, b) => (a.started ?? 0) - (b.started ?? 0))
    for (const { data, outcome } of jobs) {
      expect(data).toMatchObject({ trigger: 'the clock' })
      expect(outcome).toMatchObject({ result: { outcome: 'rejected' } })
    }
    for (const [i, { started }] of jobs.slice(1).entries())
      expect(started).toBeGreaterThanOrEqual(jobs[i]?.ended ?? Number.POSITIVE_INFINITY)
    await world.queue.schedule('', { trigger: 'the clock' })
  })
})

describe('a retraining because of drift', () => {
  it('is added once a day, when the scores have left those of training and nothing is being done', async () => {
    const world = await makeWorld()
    const { queue } = world
    const day = 24 * 3_600_000
    const look = async (events: number, isDrifted: boolean, now: number) => {
      const store = await seen(world, events, isDrifted)
      const champion = async () => loadBaseline()
      await addOnDrift({ queue, store, champion, most: 0.25, now: () => now })
    }
    const jobs = async () => (await queue.list()).length
    await look(4_999, true, day)
    await look(5_000, false, day)
    expect(await jobs()).toBe(0)
    await look(5_000, true, day)
    await look(5_000, true, 2 * day)
    // While one waits there is no other, not even the next day's.
    expect(await jobs()).toBe(1)
    const service = await startRetraining(world.deps)
    cleanUp(() => service.close())
    await until(async () => (await ended(world)).length === 1)
    await look(5_000, true, 2 * day - 1)
    expect(await jobs()).toBe(1)
    await look(5_000, true, 2 * day)
    expect(await jobs()).toBe(2)
    expect((await queue.list())[0]?.data.trigger).toMatch(/^drift: the stability index of the scores of /)
  })
})
