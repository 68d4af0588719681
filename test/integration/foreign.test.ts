import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { FEATURE_COUNT, featureHash, featureNames, featureRows } from '../../models/features/features.ts'
import { observe } from '../../models/features/observe.ts'
import { importForeign } from '../../models/foreign/import.ts'
import { encodeModel } from '../../models/onnx/graph.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { completeForeign } from '../../pipelines/models/reference.ts'
import { retrainingConfig } from '../../pipelines/retraining/config.ts'
import { assembleScoring } from '../../pipelines/scoring/assemble.ts'
import { oneModel } from '../../pipelines/scoring/models-at-work.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { makeEvent } from '../support/events.ts'
import { ARRIVED, makeScoringSystem, type ScoringSystem, scanEvents } from '../support/scoring.ts'
import { runCli, services, unique } from '../support/services.ts'
import { drained, readAll, run } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'

const EVENTS = 4
const columns = ['gap', 'outcome_failure', 'user_length', 'port_is_new']

/** A model that looks at windows: what it makes of them again is nothing, so that all that is there counts. */
const onnx = encodeModel({
  name: 'windows',
  nodes: [{ op: 'Mul', inputs: ['windows', 'zero'], outputs: ['made'] }],
  constants: [{ name: 'zero', shape: [1], values: Float32Array.of(0) }],
  inputs: [{ name: 'windows', shape: ['batch', EVENTS, columns.length] }],
  outputs: [{ name: 'made', shape: ['batch', EVENTS, columns.length] }],
})

const MANIFEST = {
  version: 'windows-1',
  model: 'windows',
  origin: 'a test',
  input: {
    name: 'windows',
    layout: 'window',
    columns,
    events: EVENTS,
    from: 2,
    scale: { low: columns.map(() => -1), high: columns.map(() => 8) },
  },
  outputs: { reconstruction: 'made' },
}

const model = importForeign({
  onnx,
  manifest: MANIFEST,
  readWeights: () => Buffer.alloc(0),
  sequence: 1,
})

/** Runs the stage until it has read everything, and ends it. */
const score = async ({ config, kafka, topics }: ScoringSystem) => {
  const detector = await createOnnxDetector({ ...model, explainFrom: config.scoring.threshold })
  const { stage } = await assembleScoring({ config, models: oneModel(detector) })
  const { service } = await run(kafka, stage)
  await drained(`${config.topics.prefix}scoring`, topics.events.name)
  await service.close()
  await detector.close()
}

/** The threats, in order, by partition. */
const threatsOf = async ({ kafka, topics, codecs }: ScoringSystem) => {
  const records = await readAll(kafka, topics.threats.name)
  const threats = await Promise.all(
    records.map(async ({ partition, value }) => ({
      partition,
      ...(await codecs.threat.decode(value ?? Buffer.alloc(0))),
    })),
  )
  return [0, 1].map(partition => threats.filter(each => each.partition === partition))
}

describe('a foreign model of windows in scoring', () => {
  it('gives the same threats whether the scorer ran through or was another one half way', async () => {
    const events = scanEvents(120, 5)
    const [through, restarted] = [await makeScoringSystem(), await makeScoringSystem()]
    await through.produce(events)
    await score(through)
    await restarted.produce(events.slice(0, 51))
    await score(restarted)
    await restarted.produce(events.slice(51))
    await score(restarted)
    const [one, two] = [await threatsOf(through), await threatsOf(restarted)]
    expect(two).toEqual(one)
    const all = one.flat()
    expect(all).toHaveLength(events.length)
    // The first event of each entity is no window yet; the later ones see those before them.
    expect(all.filter(each => each.score === 0)).toHaveLength(5)
    expect(all.some(each => each.contributions.some(({ eventsAgo }) => eventsAgo > 0))).toBe(true)
    const states = await readAll(restarted.kafka, restarted.topics.entityState.name)
    const sizes = await Promise.all(
      states.map(async ({ value }) => {
        const state = value === null ? undefined : await restarted.codecs.entityState.decode(value)
        return state?.behaviour?.recent?.rows.length ?? 0
      }),
    )
    expect(Math.max(...sizes)).toBe((EVENTS - 1) * columns.length)
  })
})

describe('what a foreign model is completed by', () => {
  it('is how the events of late are, and how it scores them: for drift, and to say what is expected', async () => {
    const system = await makeScoringSystem()
    await system.produce(
      scanEvents(1_500, 300).map(event => ({ ...event, outcome: 'success' as const, dstPort: 443 })),
    )
    const told: string[] = []
    const settings = loadConfig({ models: modelsConfig, data: dataConfig, retraining: retrainingConfig }, {})
    const context = {
      config: { ...system.config, ...settings },
      log: silentLog(),
      tell: (line: string) => void told.push(line),
      interrupted: new AbortController().signal,
    }
    const { manifest } = await completeForeign(context, model)
    expect(told).toEqual([])
    expect(manifest.rows).toBe(1_500)
    expect(manifest.training?.features).toHaveLength(FEATURE_COUNT)
    // With the windows that it looks at: of an entity's five events, all but the first have some.
    expect(manifest.training?.scores.edges.some(edge => edge > 0)).toBe(true)
    expect(manifest.foreign?.expected?.high).toHaveLength(columns.length)
    expect(manifest.foreign?.usual).toBeUndefined()

    const empty = await makeScoringSystem()
    const row = importForeign({
      onnx,
      manifest: { ...MANIFEST, input: { name: 'rows', columns }, outputs: { score: 'out' } },
      readWeights: () => Buffer.alloc(0),
      sequence: 1,
    })
    const completed = await completeForeign({ ...context, config: { ...empty.config, ...settings } }, row)
    expect(told).toEqual([expect.stringMatching(/^0 events of late, fewer than 1000/)])
    expect(completed.manifest.training).toBeUndefined()
    expect(completed.manifest.foreign?.usual).toHaveLength(columns.length)
  })
})

describe('netsentinel models import of a foreign model', () => {
  const dir = tempDir()
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(dir, name), content)
    return join(dir, name)
  }

  it('adds a model that can be served, or says why not', async () => {
    const { kafkaBrokers } = services()
    const env = {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      TOPIC_PREFIX: `${unique('foreign')}.`,
      DATA_DIR: join(dir, 'data'),
    }
    const cli = async (...args: string[]) => {
      const started = runCli(args, env)
      const { code } = await started.exited
      return { code, output: started.stdout() + started.stderr() }
    }
    expect(await cli('topics')).toMatchObject({ code: 0 })
    const path = file('theirs.onnx', onnx)
    const manifest = file('theirs.json', JSON.stringify(MANIFEST))
    expect(await cli('models', 'import', path, '--manifest', manifest)).toMatchObject({ code: 0 })
    const shown = await cli('models', 'show', 'windows-1')
    expect(shown.output).toMatch(/it can be served/)
    expect(shown.output).toMatch(/layout window/)
    expect(shown.output).toMatch(/made by a test\nnot calibrated/)
    const wrong = { ...MANIFEST, version: 'windows-2', outputs: { score: 'pred_score' } }
    const refused = await cli(
      'models',
      'import',
      path,
      '--manifest',
      file('wrong.json', JSON.stringify(wrong)),
    )
    expect(refused.code).not.toBe(0)
    expect(refused.output).toMatch(/no output pred_score; it has made/)
    expect((await cli('models', 'list')).output).not.toMatch(/windows-2/)
  })
})

describe('netsentinel rows', () => {
  it('prints the features of each event as a scorer sees them', async () => {
    const system = await makeScoringSystem()
    const events = scanEvents(40, 3).map(event => ({ ...event, command: 'ls, "-l"' }))
    await system.produce([...events, Buffer.from('junk')])
    const { kafkaBrokers, schemaRegistryUrl } = services()
    const cli = runCli(['rows'], {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      SCHEMA_REGISTRY_URL: schemaRegistryUrl,
      TOPIC_PREFIX: system.config.topics.prefix,
    })
    expect((await cli.exited).code).toBe(0)
    const [head = '', ...lines] = cli.stdout().trim().split('\n')
    expect(head).toBe(['id', 'entity', 'time', ...featureNames].join(','))
    expect(cli.stderr()).toContain(featureHash)
    expect(cli.stderr()).toContain('1 records of')
    const whole = events.map((event, i) =>
      makeEvent({ id: `raw-events-0-${i}`, time: ARRIVED + i * 1000, ...event }),
    )
    const expected = featureRows(observe(whole))
    const printed = new Map(
      lines.map(line => [line.split(',')[0] ?? '', line.split(',').slice(3).map(Number)]),
    )
    expect(printed.size).toBe(events.length)
    for (const [i, { id }] of whole.entries()) {
      const row = expected.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)
      expect(printed.get(id)?.map(Math.fround)).toEqual([...row])
    }
  })
})
