import { describe, expect, it } from '@jest/globals'
import { createRedis, redisConfig } from '../../connectors/redis.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { registryOf } from '../../pipelines/models/open.ts'
import { retrainingConfig } from '../../pipelines/retraining/config.ts'
import { addOnDrift } from '../../pipelines/retraining/drift.ts'
import { openRetrainingQueue, startRetraining } from '../../pipelines/retraining/retraining.ts'
import { createObservedStore, type Observed } from '../../pipelines/scoring/observed.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Cli } from '../support/cli.ts'
import { promoteFirst, traffic } from '../support/retraining.ts'
import { makeScoringSystem } from '../support/scoring.ts'
import { runCli, services, until } from '../support/services.ts'
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

describe('a retraining whose process is killed', () => {
  it.each([
    { phase: 'train', at: /^train: / },
    { phase: 'shadow', at: /^shadow$/ },
  ])(
    'in the phase $phase is ended by another one, before the next is begun',
    async ({ phase, at }) => {
      const world = await makeWorld()
      const { config, deps, queue } = world
      const models = registryOf(config, deps.log)
      await promoteFirst(models)
      await world.produce(traffic(6_000))
      const start = () =>
        runCli(['retrain'], {
          TOPIC_PREFIX: config.topics.prefix,
          DATA_DIR: config.data.dir,
          RETRAIN_SHADOW_MS: '5000',
        })
      const processes = [start(), start()]
      const id = await queue.add({ trigger: 'the one that is killed' })
      const next = await queue.add({ trigger: 'the next one' })
      const begun = (process: Cli) =>
        [...process.stderr().matchAll(/"job":"(\w+)","msg":"retraining"/g)].map(match => match[1])
      await until(async () => at.test((await queue.find(id))?.progress?.phase ?? ''), {
        what: `the phase ${phase}`,
        timeoutMs: 60_000,
      })
      const [killed] = processes.filter(process => begun(process).includes(id))
      const [heir] = processes.filter(process => process !== killed)
      killed?.kill('SIGKILL')
      await killed?.exited
      expect(await queue.find(id)).toMatchObject({ state: 'active' })

      const [first, second] = await until(
        async () => {
          const jobs = await Promise.all([id, next].map(queue.find))
          return jobs.every(job => job?.outcome) && jobs
        },
        { what: 'the end of both', timeoutMs: 120_000 },
      )
      const rejected = {
        outcome: { result: { outcome: 'rejected', reason: expect.stringContaining('0 live events') } },
      }
      expect([first, second]).toMatchObject([rejected, rejected])
      expect([killed, heir].map(process => process && begun(process))).toEqual([[id], [id, next]])
      expect(second?.started).toBeGreaterThanOrEqual(first?.ended ?? Number.POSITIVE_INFINITY)
      // What was published before the kill is not trained again.
      const retrained = (await models.list())
        .models()
        .filter(({ version }) => version.startsWith('retrained-'))
      expect(retrained.length).toBe(2)
    },
    240_000,
  )
})
