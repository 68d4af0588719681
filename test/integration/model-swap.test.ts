import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { observe } from '../../models/features/observe.ts'
import { sha256 } from '../../models/manifest.ts'
import { encodeModel as encodeGraph } from '../../models/onnx/graph.ts'
import type { ModelKeys } from '../../models/registry/keys.ts'
import { pointAt } from '../../models/registry/pointers.ts'
import { encodePointer, keyOf } from '../../models/registry/records.ts'
import { trainModel } from '../../models/trainers/train.ts'
import { assertServable } from '../../pipelines/models/open.ts'
import { type ModelRegistry, openModelRegistry } from '../../pipelines/models/registry.ts'
import { startScoring } from '../../pipelines/scoring/command.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { makeEvent } from '../support/events.ts'
import { makeModelKeys, NO_ORIGIN } from '../support/models.ts'
import { scanEvents } from '../support/scoring.ts'
import { runCli, until } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { makeWorld, runsOf, scored, versionsOf } from '../support/swaps.ts'

const BASELINE = loadBaseline()
const SHIPPED = BASELINE.manifest.version

/** Another model, which scores the same events otherwise. */
const train = (version: string): TrainedModel =>
  trainModel(observe(scanEvents(400, 20).map(makeEvent)), { version, sequence: 1, seed: 7 })

describe('a champion that changes while events flow', () => {
  it('scores from one point of each partition on, by command, over a kill, and back', async () => {
    const { system, dataDir, env, produce, produced } = await makeWorld()
    const cli = async (...args: string[]) => {
      const started = runCli(args, env)
      const { code } = await started.exited
      return { code, out: started.stdout().trim(), err: started.stderr() }
    }
    const file = (name: string, content: string | Uint8Array) => {
      writeFileSync(join(dataDir, name), content)
      return join(dataDir, name)
    }
    /** Produces until the latest threats of both partitions are by this version. */
    const flowUntil = (version: string) =>
      until(
        async () => {
          await produce(40)
          await scored(system)
          const versions = await versionsOf(system)
          return versions.every(each => each.at(-1) === version)
        },
        { what: `threats by ${version}`, timeoutMs: 60_000 },
      )

    const first = runCli(['score'], env)
    await flowUntil(SHIPPED)
    const { manifest, onnx } = train('trained-1')
    const path = file('trained.onnx', onnx)
    const meta = file('trained.json', JSON.stringify(manifest))
    expect(await cli('models', 'import', path, '--manifest', meta)).toMatchObject({
      code: 0,
      out: 'trained-1',
    })
    expect(await cli('models', 'promote', 'trained-1', '--reason', 'knows us')).toMatchObject({ code: 0 })
    await flowUntil('trained-1')
    first.kill('SIGKILL')
    await produce(40)
    runCli(['score'], env)
    await flowUntil('trained-1')
    const rolledBack = await cli('models', 'rollback')
    expect(rolledBack).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${SHIPPED} is champion again`),
    })
    await flowUntil(SHIPPED)

    const versions = await versionsOf(system)
    expect(versions.map(runsOf)).toEqual([0, 1].map(() => [SHIPPED, 'trained-1', SHIPPED]))
    expect(versions.flat()).toHaveLength(produced())

    const again = await cli('score', '--into', 'again')
    expect(JSON.parse(again.out)).toMatchObject({ models: [SHIPPED, 'trained-1'], threats: produced() })
    expect(await cli('diff', 'threats', 'again')).toMatchObject({ code: 0 })
    const other = await cli('score', '--into', 'other', '--model', 'trained-1')
    expect(JSON.parse(other.out)).toMatchObject({ models: ['trained-1'] })
    expect(await cli('diff', 'threats', 'other')).toMatchObject({ code: 1 })

    const listed = await cli('models', 'list')
    expect(listed.out).toMatch(new RegExp(`^${SHIPPED} +champion`, 'm'))
    expect(listed.out).toMatch(/^trained-1 +held/m)
    const shown = await cli('models', 'show', SHIPPED)
    expect(shown.out).toContain('champion since')
    expect(await cli('models', 'show', 'none')).toMatchObject({ code: 2 })
    const out = join(dataDir, 'out.onnx')
    expect(await cli('models', 'export', 'trained-1', '--out', out)).toMatchObject({ code: 0 })
    const back = await cli('models', 'import', out, '--manifest', `${out}.manifest.json`)
    expect(back).toMatchObject({ code: 0, out: 'trained-1' })
  }, 240_000)
})

/** A graph that gives the outputs of ours, and no number. */
const notANumber = (): TrainedModel => {
  const { manifest } = BASELINE
  const features = manifest.features.length
  const width = { score: 1, models: manifest.models.length, contributions: features }
  const names = Object.keys(width) as (keyof typeof width)[]
  const onnx = encodeGraph({
    name: 'nan',
    nodes: names.map(name => ({ op: 'MatMul', inputs: ['features', `${name}_nan`], outputs: [name] })),
    constants: names.map(name => ({
      name: `${name}_nan`,
      shape: [features, width[name]],
      values: new Float32Array(features * width[name]).fill(Number.NaN),
    })),
    inputs: [{ name: 'features', shape: ['rows', features] }],
    outputs: names.map(name => ({ name, shape: ['rows', width[name]] })),
  })
  return { onnx, manifest: { ...manifest, version: 'nan', sha256: sha256(onnx) } }
}

const named = (version: string, changed: Partial<TrainedModel['manifest']> = {}): TrainedModel => ({
  onnx: BASELINE.onnx,
  manifest: { ...BASELINE.manifest, version, ...changed },
})

/** Puts a version in force that nobody looked at. */
const forcePointer = async (
  system: Parameters<typeof versionsOf>[0],
  registry: ModelRegistry,
  keys: ModelKeys,
  version: string,
) => {
  const current = (await registry.list()).pointer('champion')
  const step = { role: 'champion' as const, version, at: Date.now(), reason: 'forced', floor: 1 }
  const value = encodePointer(pointAt(current, step), keys)
  await system.producer.send(system.topics.models.name, [{ key: keyOf.pointer('champion'), value }])
}

describe('a champion that cannot be served', () => {
  it('is refused with the reason, and the one before it goes on', async () => {
    const { system, config, keys, registry, produce } = await makeWorld()
    const { kafka, topics } = system
    const metrics = createMetrics()
    const service = await startScoring({ config, log: silentLog(), metrics })
    cleanUp(() => service.close())
    const foreign = openModelRegistry({
      kafka,
      topic: topics.models.name,
      keys: makeModelKeys(),
      shipped: BASELINE,
    })
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    const outputs = { score: 'missing', models: 'models', contributions: 'contributions' }

    await registry.publish(named('good'), NO_ORIGIN)
    await registry.point('champion', 'good', '')
    await registry.publish(named('other-features', { featureHash: 'f'.repeat(64) }), NO_ORIGIN)
    await registry.publish(named('broken'), NO_ORIGIN)
    const bytes = Buffer.from(BASELINE.onnx.slice(0, 1000))
    await producer.send(topics.models.name, [{ key: keyOf.chunk('broken', 0), value: bytes }])
    await foreign.publish(named('unsigned'), NO_ORIGIN)
    await registry.publish(named('no-output', { outputs }), NO_ORIGIN)
    await registry.publish(notANumber(), NO_ORIGIN)

    const bad = ['other-features', 'broken', 'unsigned', 'no-output', 'nan', 'not-there']
    for (const version of bad) {
      await forcePointer(system, registry, keys, version)
      await until(async () =>
        (await metrics.registry.metrics()).includes(`models_refused_total{version="${version}"} 1`),
      )
    }
    await produce(40)
    await scored(system)
    expect((await versionsOf(system)).map(runsOf)).toEqual([['good'], ['good']])

    // A scorer that starts now meets the refused ones first.
    await service.close()
    const next = await startScoring({ config, log: silentLog(), metrics: createMetrics() })
    cleanUp(() => next.close())
    await produce(40)
    await scored(system)
    expect((await versionsOf(system)).map(runsOf)).toEqual([['good'], ['good']])

    const view = await registry.list()
    expect(view.model('other-features')?.problem).toContain('trained on other features')
    expect(view.model('unsigned')?.problem).toContain('not one of those that are believed')
    await expect(registry.read('broken')).rejects.toThrow('SHA-256')
    await expect(assertServable(await registry.read('no-output'))).rejects.toThrow('no output missing')
    await expect(assertServable(await registry.read('nan'))).rejects.toThrow('NaN, not 0 to 1')
    await expect(registry.point('champion', 'unsigned', '')).rejects.toMatchObject({
      code: 'NS_MODEL_REFUSED',
    })
  }, 120_000)

  it('is not replaced by an older one where it has scored a partition', async () => {
    const { system, config, registry, produce } = await makeWorld()
    await registry.publish(train('trained-1'), NO_ORIGIN)
    await registry.point('champion', 'trained-1', '')
    const first = await startScoring({ config, log: silentLog(), metrics: createMetrics() })
    cleanUp(() => first.close())
    await produce(40)
    await scored(system)
    await first.close()
    await produce(40)

    // This one does not believe the signature, so all that it could serve is the model that ships.
    const publicKeys = [makeModelKeys().publicKey ?? '']
    const stranger = { ...config, models: { ...config.models, publicKeys } }
    const second = await startScoring({ config: stranger, log: silentLog(), metrics: createMetrics() })
    cleanUp(() => second.close())
    await expect(second.failed).rejects.toMatchObject({ code: 'NS_MODEL_OLDER' })
    await second.close()
    expect((await versionsOf(system)).flat()).toHaveLength(40)

    const third = await startScoring({ config, log: silentLog(), metrics: createMetrics() })
    cleanUp(() => third.close())
    await scored(system)
    expect((await versionsOf(system)).map(runsOf)).toEqual([['trained-1'], ['trained-1']])
  }, 120_000)
})
