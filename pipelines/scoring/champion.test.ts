import { describe, expect, it } from '@jest/globals'
import type { TrainedModel } from '../../models/detector.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import type { OnnxDetectorDeps } from '../../models/onnx/onnx-detector.ts'
import { createLedger } from '../../models/registry/ledger.ts'
import { pointAt } from '../../models/registry/pointers.ts'
import { chunksOf, encodeModel, encodePointer, keyOf } from '../../models/registry/records.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { makeModel, makeModelKeys, NO_ORIGIN } from '../../test/support/models.ts'
import { until } from '../../test/support/until.ts'
import type { FollowedRegistry, ModelRegistry, RegistryView } from '../models/registry.ts'
import { type Champion, serveChampion } from './champion.ts'

/** A registry in memory, and what happens to the models that a champion opens. */
const createWorld = () => {
  const keys = makeModelKeys()
  const ledger = createLedger(keys)
  const models = new Map<string, TrainedModel>()
  let offset = 0
  let changed: (view: RegistryView) => void = () => undefined
  const append = (key: string, value: Buffer) => {
    ledger.take([{ key: Buffer.from(key), value, offset: offset++ }])
    changed(ledger)
  }
  const publish = (version: string) => {
    const model = makeModel(version)
    models.set(version, model)
    for (const [i, chunk] of chunksOf(model.onnx).entries()) append(keyOf.chunk(version, i), chunk)
    const record = {
      ...NO_ORIGIN,
      manifest: model.manifest,
      size: 1,
      chunks: 1,
      published: Date.now() - 60_000,
    }
    append(keyOf.manifest(version), encodeModel(record, keys))
  }
  const promote = (version: string) => {
    const step = { role: 'champion' as const, version, at: 1, reason: '', floor: 1 }
    append(keyOf.pointer('champion'), encodePointer(pointAt(ledger.pointer('champion'), step), keys))
  }
  const registry: Pick<ModelRegistry, 'follow' | 'read'> = {
    read: async version => {
      const [model, record] = [models.get(version), ledger.model(version)?.record]
      if (model === undefined || record === undefined)
        throw new SentinelError('NS_USAGE', `no model ${version}`)
      return { ...model, record }
    },
    follow: async onChange => {
      changed = onChange
      const followed: FollowedRegistry = {
        name: 'models',
        view: ledger,
        caughtUp: async () => undefined,
        check: async () => [],
        failed: new Promise<never>(() => undefined),
        close: async () => undefined,
      }
      return followed
    },
  }
  const closed: string[] = []
  const broken = new Map<string, SentinelError>()
  const slow = new Map<string, Promise<void>>()
  const opening: string[] = []
  const metrics = createMetrics()
  const open = async ({ manifest }: OnnxDetectorDeps) => {
    opening.push(manifest.version)
    await slow.get(manifest.version)
    const error = broken.get(manifest.version)
    if (error !== undefined) throw error
    const detector = createMemoryDetector({ manifest })
    const close = async () => {
      closed.push(manifest.version)
      await detector.close()
    }
    return { ...detector, close }
  }
  const serve = () =>
    serveChampion({ registry, shipped: makeModel('shipped'), log: silentLog(), metrics, open })
  return { publish, promote, serve, closed, broken, slow, opening, metrics }
}

const atWork = (champion: Champion) =>
  champion.use({ partition: 0, offset: 0 }, async ({ detector, sequence }) => [
    detector.manifest.version,
    sequence,
  ])

const refuse = (reason: string) => new SentinelError('NS_MODEL_REFUSED', reason)

describe('the champion at work', () => {
  it('is the model that ships until there is one, and then each later one', async () => {
    const { serve, publish, promote, closed } = createWorld()
    const champion = await serve()
    expect(await atWork(champion)).toEqual(['shipped', 1])
    publish('a')
    promote('a')
    await until(async () => (await atWork(champion))[0] === 'a')
    publish('b')
    promote('b')
    await until(async () => (await atWork(champion))[0] === 'b')
    expect(await atWork(champion)).toEqual(['b', 3])
    expect(closed).toEqual(['shipped', 'a'])
    await champion.close()
    expect(closed).toEqual(['shipped', 'a', 'b'])
  })

  it('stays open for the batches that began with it', async () => {
    const { serve, publish, promote, closed } = createWorld()
    const champion = await serve()
    const batch = Promise.withResolvers<void>()
    const using = champion.use({ partition: 0, offset: 0 }, async ({ detector }) => {
      await batch.promise
      return detector.analyze([])
    })
    publish('a')
    promote('a')
    await until(async () => (await atWork(champion))[0] === 'a')
    expect(closed).toEqual([])
    batch.resolve()
    expect(await using).toEqual([])
    expect(closed).toEqual(['shipped'])
    await champion.close()
  })

  it('is opened beside the one at work, which goes on meanwhile, and the latest one wins', async () => {
    const { serve, publish, promote, slow, opening, closed } = createWorld()
    const champion = await serve()
    const opened = Promise.withResolvers<void>()
    slow.set('a', opened.promise)
    publish('a')
    promote('a')
    await until(async () => opening.includes('a'))
    publish('b')
    promote('b')
    for (let batch = 0; batch < 5; batch++) expect(await atWork(champion)).toEqual(['shipped', 1])
    opened.resolve()
    await until(async () => (await atWork(champion))[0] === 'b')
    await champion.close()
    expect(closed).toEqual(['shipped', 'a', 'b'])
  })

  it('that is refused leaves the one before it in force, with the reason, also after a restart', async () => {
    const { serve, publish, promote, broken, metrics } = createWorld()
    const first = await serve()
    publish('a')
    promote('a')
    await until(async () => (await atWork(first))[0] === 'a')
    broken.set('b', refuse('it scores NaN'))
    publish('b')
    promote('b')
    await until(async () =>
      (await metrics.registry.metrics()).includes('models_refused_total{version="b"} 1'),
    )
    expect(await atWork(first)).toEqual(['a', 2])
    await first.reach({ version: 'a', sequence: 2, since: 0 })
    const reached = first.reach({ version: 'b', sequence: 3, since: 0 })
    await expect(reached).rejects.toMatchObject({ code: 'NS_MODEL_OLDER' })
    await expect(reached).rejects.toThrow('refused here: it scores NaN')
    await first.close()
    const second = await serve()
    expect(await atWork(second)).toEqual(['a', 2])
    publish('c')
    promote('c')
    await until(async () => (await atWork(second))[0] === 'c')
    await second.close()
  })

  it('is tried again while what it needs is away', async () => {
    const { serve, publish, promote, broken } = createWorld()
    const champion = await serve()
    broken.set('a', new SentinelError('NS_SERVICE_UNREACHABLE', 'away'))
    publish('a')
    promote('a')
    expect((await atWork(champion))[0]).toBe('shipped')
    broken.clear()
    await until(async () => (await atWork(champion))[0] === 'a')
    await champion.close()
  })

  it('is waited for by a partition that was scored with it elsewhere', async () => {
    const { serve, publish, promote } = createWorld()
    const champion = await serve()
    publish('a')
    promote('a')
    await champion.reach({ version: 'a', sequence: 2, since: 0 })
    expect(await atWork(champion)).toEqual(['a', 2])
    const other = champion.reach({ version: 'z', sequence: 2, since: 0 })
    await expect(other).rejects.toMatchObject({ code: 'NS_MODEL_REFUSED' })
    await champion.close()
  })

  it('shows its version and age', async () => {
    const { serve, publish, promote, metrics } = createWorld()
    publish('a')
    promote('a')
    const champion = await serve()
    const text = await metrics.registry.metrics()
    expect(text).toContain('netsentinel_model_info{version="a",role="champion"} 1')
    expect(Number(/champion_age_seconds\{version="a"\} (\S+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(60)
    await champion.close()
  })
})
