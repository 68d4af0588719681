import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { redisConfig } from '../../connectors/redis.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { registryOf } from '../../pipelines/models/open.ts'
import { retrainingConfig } from '../../pipelines/retraining/config.ts'
import { openRetrainingQueue, startRetraining } from '../../pipelines/retraining/retraining.ts'
import { startScoring } from '../../pipelines/scoring/command.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Threat } from '../../schemas/generated.ts'
import { promoteFirst, traffic } from '../support/retraining.ts'
import { makeScoringSystem } from '../support/scoring.ts'
import { services } from '../support/services.ts'
import { cleanUp, drained, readAll } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'

const SETTINGS = {
  RETRAIN_SHADOW_EVENTS: '500',
  RETRAIN_SHADOW_MS: '60000',
  RETRAIN_GUARD_MS: '3000',
}

/** A pipeline that scores every event as a threat, and what retrains its model. */
const makeSystem = async (env: Readonly<Record<string, string>> = {}) => {
  const system = await makeScoringSystem()
  const settings = loadConfig(
    { redis: redisConfig, models: modelsConfig, data: dataConfig, retraining: retrainingConfig },
    { REDIS_URL: services().redisUrl, DATA_DIR: tempDir(), ...SETTINGS, ...env },
  )
  const config = { ...system.config, ...settings }
  const deps = { config, log: silentLog(), metrics: createMetrics() }
  const queue = await openRetrainingQueue(deps)
  cleanUp(() => queue.close())
  return { ...system, config, deps, queue, models: registryOf(config, silentLog()) }
}

type System = Awaited<ReturnType<typeof makeSystem>>

const run = async (service: Promise<{ close(): Promise<void> }>) => {
  const running = await service
  cleanUp(() => running.close())
  return running
}

const threatsOf = async ({ kafka, topics, codecs }: System): Promise<(Threat & { partition: number })[]> => {
  const records = await readAll(kafka, topics.threats.name)
  return Promise.all(
    records.map(async ({ value, partition }) => ({
      ...(await codecs.threat.decode(value ?? Buffer.alloc(0))),
      partition,
    })),
  )
}

/** Events flow until the function that is given back is called; that resolves with how many there were. */
const flowing = (system: System) => {
  let [isFlowing, sent] = [true, 0]
  const flow = async () => {
    while (isFlowing) {
      await system.produce(traffic(100, 100 + sent))
      sent += 100
      // As fast as a test needs it, and not as fast as it goes.
      await sleep(100)
    }
    return sent
  }
  const done = flow()
  cleanUp(() => {
    isFlowing = false
    return done
  })
  return () => {
    isFlowing = false
    return done
  }
}

const NEVER = new AbortController().signal

describe('retraining', () => {
  it('tries a challenger on live events, promotes it at one point of each partition, and goes back', async () => {
    const system = await makeSystem()
    await promoteFirst(system.models)
    await run(startScoring(system.deps))
    await system.produce(traffic(3_000))
    await run(startRetraining(system.deps))
    const stop = flowing(system)
    const id = await system.queue.add({ trigger: 'a test' })
    const phases = new Set<string>()
    const onProgress = ({ phase }: { phase: string }) => void phases.add(phase)
    const outcome = await system.queue.follow(id, { onProgress, signal: NEVER })
    expect(outcome).toMatchObject({ result: { outcome: 'promoted' } })
    expect([...phases]).toEqual(expect.arrayContaining(['guard']))
    const view = await system.models.list()
    const version = view.pointer('champion')?.version ?? ''
    expect(version).toMatch(/^retrained-/)
    expect(view.pointer('challenger')).toBeUndefined()
    const { record } = await system.models.read(version)
    expect(record).toMatchObject({
      parent: 'first',
      report: expect.stringContaining('On held-out time'),
    })

    await until(async () => (await threatsOf(system)).some(({ modelVersion }) => modelVersion === version))
    await system.models.rollback('a test')
    const before = (await threatsOf(system)).length
    await until(async () => {
      const later = (await threatsOf(system)).slice(before)
      return later.some(({ modelVersion }) => modelVersion === 'first')
    })
    const sent = 3_000 + (await stop())
    await drained(`${system.config.topics.prefix}scoring`, system.topics.events.name)
    const threats = await threatsOf(system)
    expect(new Set(threats.map(({ id: each }) => each)).size).toBe(sent)
    expect(threats.length).toBe(sent)
    for (const partition of [0, 1]) {
      const versions = threats.filter(each => each.partition === partition).map(each => each.modelVersion)
      const switches = versions.filter((each, i) => each !== versions[i - 1])
      expect(switches).toEqual(['first', version, 'first'])
    }
  })

  it('says that there is too little to learn from, and keeps the reason of what failed', async () => {
    const system = await makeSystem()
    await run(startRetraining(system.deps))
    const id = await system.queue.add({ trigger: 'a test' })
    const watch = { onProgress: () => undefined, signal: NEVER }
    expect(await system.queue.follow(id, watch)).toMatchObject({
      result: { outcome: 'rejected', version: null, reason: expect.stringContaining('0 events') },
    })
    const broken = await system.queue.add({ trigger: 1 as unknown as string })
    expect(await system.queue.follow(broken, watch)).toMatchObject({
      failed: expect.stringContaining('trigger'),
    })
  })

  it('rejects a challenger that no live event was seen with, and takes its pointer away', async () => {
    const system = await makeSystem({ RETRAIN_SHADOW_MS: '2000' })
    await promoteFirst(system.models)
    await system.produce(traffic(3_000))
    await run(startRetraining(system.deps))
    const id = await system.queue.add({ trigger: 'a test' })
    const outcome = await system.queue.follow(id, { onProgress: () => undefined, signal: NEVER })
    expect(outcome).toMatchObject({
      result: { outcome: 'rejected', reason: expect.stringContaining('0 live events') },
    })
    const view = await system.models.list()
    expect(view.pointer('challenger')).toBeUndefined()
    expect(view.pointer('champion')?.version).toBe('first')
    expect(view.models().at(-1)?.record?.report).toContain('Trained because of: a test')
  })
})
