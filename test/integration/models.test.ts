import { describe, expect, it } from '@jest/globals'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { pointAt } from '../../models/registry/pointers.ts'
import { encodePointer, keyOf, type Pointer } from '../../models/registry/records.ts'
import { type ModelRegistry, openModelRegistry } from '../../pipelines/models/registry.ts'
import { replaceOutdated } from '../../pipelines/models/upgrade.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { makeModel, makeModelKeys, NO_ORIGIN } from '../support/models.ts'
import { unique, until } from '../support/services.ts'
import { cleanUp, readAll, testKafka } from '../support/stages.ts'

/** A registry that nobody else uses. */
const makeRegistry = async () => {
  const kafka = testKafka()
  const { topics } = loadConfig({ topics: topicsConfig }, { TOPIC_PREFIX: `${unique('models')}.` })
  const { models: topic } = topicCatalogue(topics)
  await ensureTopics(kafka, [topic])
  const deps = { kafka, topic: topic.name, keys: makeModelKeys(), shipped: loadBaseline() }
  return { ...deps, registry: openModelRegistry(deps) }
}

const versions = async (registry: ModelRegistry) => (await registry.list()).models().map(each => each.version)

const champion = async (registry: ModelRegistry) => (await registry.list()).pointer('champion')?.version

describe('the registry of models', () => {
  it('gives back what was published, however large, and says the same to who follows it', async () => {
    const { registry } = await makeRegistry()
    const seen: (Pointer | undefined)[] = []
    const followed = await registry.follow(view => seen.push(view.pointer('challenger')), silentLog())
    cleanUp(() => followed.close())
    const model = makeModel('large', 3_000_001)
    const origin = { parent: 'p', window: { from: 1, to: 2 }, metrics: { auroc: 0.97 }, report: 'good' }
    await registry.publish(model, origin)
    const read = await registry.read('large')
    expect(Buffer.from(read.onnx).equals(Buffer.from(model.onnx))).toBe(true)
    expect(read).toMatchObject({
      manifest: model.manifest,
      record: { ...origin, size: 3_000_001, chunks: 6 },
    })
    await registry.point('challenger', 'large', 'to be tried')
    await until(async () => seen.at(-1)?.version === 'large')
    await registry.withdraw()
    await until(async () => seen.at(-1) === undefined)
    expect(followed.view.models().map(each => each.version)).toEqual(['large'])
  })

  it('takes a version once: the same model again is nothing new, another one is refused', async () => {
    const { registry, kafka, topic } = await makeRegistry()
    await registry.publish(makeModel('a'), NO_ORIGIN)
    const before = (await readAll(kafka, topic)).length
    await registry.publish(makeModel('a'), NO_ORIGIN)
    expect((await readAll(kafka, topic)).length).toBe(before)
    await expect(registry.publish(makeModel('a', 101), NO_ORIGIN)).rejects.toMatchObject({ code: 'NS_USAGE' })
    const { manifest } = makeModel('b')
    const broken = registry.publish({ manifest, onnx: makeModel('b', 101).onnx }, NO_ORIGIN)
    await expect(broken).rejects.toMatchObject({ code: 'NS_MODEL_REFUSED' })
    await expect(registry.publish(makeModel('b/c'), NO_ORIGIN)).rejects.toMatchObject({ code: 'NS_USAGE' })
  })

  it('promotes from the model that ships, and steps back to it', async () => {
    const { registry } = await makeRegistry()
    const shipped = loadBaseline().manifest
    await expect(registry.rollback('x')).rejects.toMatchObject({ code: 'NS_USAGE' })
    await expect(registry.point('champion', 'a', 'x')).rejects.toMatchObject({ code: 'NS_USAGE' })
    for (const version of ['a', 'b']) await registry.publish(makeModel(version), NO_ORIGIN)
    await registry.point('challenger', 'a', 'tried')
    const first = await registry.point('champion', 'a', 'better')
    expect(first).toMatchObject({ sequence: shipped.sequence + 1, reason: 'better' })
    expect((await registry.list()).pointer('challenger')).toBeUndefined()
    expect(await registry.point('champion', 'a', 'again')).toEqual(first)
    await registry.point('champion', 'b', 'better still')
    expect((await registry.rollback('worse')).version).toBe('a')
    const last = await registry.rollback('worse still')
    expect(last).toMatchObject({ version: shipped.version, sequence: first.sequence + 3, back: true })
    await expect(registry.rollback('x')).rejects.toMatchObject({ code: 'NS_USAGE' })
    expect((await registry.read(shipped.version)).onnx.length).toBe(loadBaseline().onnx.length)
  })

  it('puts the model that ships in force when the champion is of other features, and once', async () => {
    const { registry, kafka, topic, keys } = await makeRegistry()
    const shipped = loadBaseline()
    const deps = { registry, shipped, log: silentLog() }
    expect(await replaceOutdated(deps)).toBe(false)
    const { manifest, onnx } = makeModel('old')
    await registry.publish({ manifest: { ...manifest, featureHash: 'f'.repeat(64) }, onnx }, NO_ORIGIN)
    // As the version before has left it: this one would not point at a model of other features.
    const move = { role: 'champion', version: 'old', reason: 'it was the best', at: 1, floor: 8 } as const
    const pointer = pointAt(undefined, move)
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    await producer.send(topic, [{ key: keyOf.pointer('champion'), value: encodePointer(pointer, keys) }])
    // Nothing else but the one that ships may be pointed at without being published.
    await expect(registry.point('champion', 'unknown', '')).rejects.toMatchObject({ code: 'NS_USAGE' })
    expect(await replaceOutdated(deps)).toBe(true)
    expect((await registry.list()).pointer('champion')).toMatchObject({
      version: shipped.manifest.version,
      sequence: pointer.sequence + 1,
      reason: expect.stringContaining('old was trained on other features'),
    })
    expect((await registry.read(shipped.manifest.version)).onnx.length).toBe(shipped.onnx.length)
    expect(await replaceOutdated(deps)).toBe(false)
  })

  it('lets those who write at once do it one after the other', async () => {
    const { registry, ...deps } = await makeRegistry()
    const others = ['b', 'c'].map(() => openModelRegistry(deps))
    await Promise.all([registry, ...others].map((each, i) => each.publish(makeModel(`m${i}`), NO_ORIGIN)))
    expect((await versions(registry)).toSorted()).toEqual(['m0', 'm1', 'm2'])
    const moved = await Promise.all(
      [registry, ...others].map((each, i) => each.point('champion', `m${i}`, '')),
    )
    const above = moved.map(each => each.sequence - loadBaseline().manifest.sequence)
    expect(above.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
    expect(await champion(registry)).toBe(moved[above.indexOf(3)]?.version)
  })

  it('keeps the last ten versions and those that are pointed at', async () => {
    const { registry } = await makeRegistry()
    await registry.publish(makeModel('first'), NO_ORIGIN)
    await registry.point('champion', 'first', '')
    for (let i = 0; i < 12; i++) await registry.publish(makeModel(`v${i}`), NO_ORIGIN)
    const last = Array.from({ length: 10 }, (_, i) => `v${i + 2}`)
    expect((await versions(registry)).toSorted()).toEqual(
      ['first', loadBaseline().manifest.version, ...last].toSorted(),
    )
    await expect(registry.read('v0')).rejects.toMatchObject({ code: 'NS_USAGE' })
    expect((await registry.rollback('')).version).toBe(loadBaseline().manifest.version)
  })

  it('does not give out what was touched, and does not follow a forged pointer', async () => {
    const { registry, kafka, topic, ...deps } = await makeRegistry()
    await registry.publish(makeModel('a'), NO_ORIGIN)
    await registry.point('champion', 'a', '')
    const foreign = openModelRegistry({ ...deps, kafka, topic, keys: makeModelKeys() })
    await foreign.publish(makeModel('b'), NO_ORIGIN)
    await expect(registry.read('b')).rejects.toThrow('not one of those that are believed')
    await foreign.point('champion', 'b', '')
    const view = await registry.list()
    expect(view.pointer('champion')?.version).toBe('a')
    expect(view.pointerProblem('champion')).toContain('not one of those that are believed')
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    await producer.send(topic, [{ key: 'model/a/chunk/0', value: Buffer.from('other') }])
    await expect(registry.read('a')).rejects.toThrow('SHA-256')
  })
})
