import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { ModelManifest, TrainedModel } from '../detector.ts'
import { featureNames } from '../features/features.ts'
import { openForeign } from '../onnx/foreign-detector.ts'
import { importForeign } from './import.ts'

const fixture = (name: string): Buffer => readFileSync(new URL(`fixtures/${name}`, import.meta.url))

const json = <T>(name: string): T => JSON.parse(fixture(name).toString('utf8')) as T

const importOf = (file: string, manifest: object, folder = ''): TrainedModel =>
  importForeign({
    onnx: new Uint8Array(fixture(file)),
    manifest: { version: 'test-1', model: 'theirs', origin: 'a test', ...manifest },
    readWeights: name => fixture(folder + name),
    sequence: 1,
  })

/** What the model says of rows, whole. */
const run = async ({ onnx, manifest }: TrainedModel, rows: readonly (readonly number[])[]) => {
  const { foreign: form } = manifest
  if (form === undefined) throw new TypeError('not a foreign model')
  const session = await openForeign({ onnx, manifest, form, explainFrom: 0 })
  try {
    return await session.run(Float32Array.from(rows.flat()))
  } finally {
    await session.close()
  }
}

const EVENTS = 32
const columns = Array.from({ length: 32 }, (_, i) => featureNames[i % featureNames.length] ?? '')
const WINDOW = {
  name: 'input',
  layout: 'image',
  columns,
  events: EVENTS,
  channels: 3,
  scale: { low: columns.map(() => 0), high: columns.map(() => 1) },
}

interface AnomalibSays {
  readonly pred_score: number
  readonly pred_label: boolean
  readonly anomaly_map_argmax: readonly [number, number]
}
const { vectors } = json<{
  vectors: { name: string; window: number[][]; padim: AnomalibSays; ganomaly: AnomalibSays }[]
}>('anomalib/vectors.json')
const windows = vectors.map(({ window }) => window.flat().map(value => value / 255))

describe('a model of Anomalib', () => {
  const padim = importOf(
    'anomalib/padim/model.onnx',
    { input: WINDOW, outputs: { score: 'pred_score', label: 'pred_label', map: 'anomaly_map' } },
    'anomalib/padim/',
  )
  const ganomaly = importOf('anomalib/ganomaly/model.onnx', {
    input: WINDOW,
    outputs: { score: 'pred_score', label: 'pred_label' },
  })

  it.each([
    ['padim', padim],
    ['ganomaly', ganomaly],
  ] as const)('scores as %s does, to 1e-3, with its labels', async (kind, model) => {
    const { scores, models } = await run(model, windows)
    for (const [i, { [kind]: says }] of vectors.entries()) {
      expect(Math.abs((scores[i] ?? Number.NaN) - says.pred_score)).toBeLessThanOrEqual(1e-3)
      expect(models[2 * i]).toBe(scores[i])
      expect(models[2 * i + 1]).toBe(says.pred_label ? 1 : 0)
    }
    expect(new Set(models.filter((_, i) => i % 2 === 1))).toEqual(new Set([0, 1]))
  })

  it('says by its map which event and which feature it was', async () => {
    const { contributions } = await run(padim, windows)
    for (const [i, { padim: says }] of vectors.entries()) {
      const map = contributions.subarray(i * 1024, (i + 1) * 1024)
      expect(map.every(value => value >= 0)).toBe(true)
      const [event, column] = says.anomaly_map_argmax
      expect(map[event * 32 + column]).toBe(Math.max(...map))
    }
    expect((await run(ganomaly, windows)).contributions.every(value => value === 0)).toBe(true)
  })
})

const ROW = { columns: featureNames.slice(0, 8) }
const { rows, ...sklearn } = json<
  { rows: number[][] } & Record<string, { decision: number[]; label: number[] }>
>('sklearn.json')

describe('a model of scikit-learn by skl2onnx', () => {
  it.each(['isolation-forest', 'one-class-svm'])(
    'scores as %s does, to 1e-3, with its labels',
    async kind => {
      const points = [
        [-2, 1],
        [0, 0.5],
        [2, 0],
      ]
      const model = importOf(`${kind}.onnx`, {
        input: { ...ROW, name: 'X' },
        outputs: { score: 'scores', label: 'label' },
        anomaly: -1,
        calibration: { points },
      })
      const { scores, models } = await run(model, rows)
      const says = sklearn[kind] as unknown as { decision: number[]; label: number[] }
      for (const [i, decision] of says.decision.entries()) {
        const expected = Math.min(1, Math.max(0, 0.5 - decision / 4))
        expect(Math.abs((scores[i] ?? Number.NaN) - expected)).toBeLessThanOrEqual(1e-3)
        expect(models[2 * i + 1]).toBe(says.label[i] === -1 ? 1 : 0)
      }
      expect(new Set(says.label)).toEqual(new Set([-1, 1]))
    },
  )

  it('needs no more than a label', async () => {
    const model = importOf('isolation-forest.onnx', {
      input: { ...ROW, name: 'X' },
      outputs: { label: 'label' },
      anomaly: -1,
    })
    const says = sklearn['isolation-forest'] as unknown as { label: number[] }
    expect([...(await run(model, rows)).scores]).toEqual(says.label.map(label => (label === -1 ? 1 : 0)))
  })
})

describe('a model that gives no more than a score', () => {
  const scorer = (kind: string, about: object = {}) =>
    importOf(`${kind}.onnx`, {
      input: { ...ROW, name: 'X' },
      outputs: { score: 'scores' },
      calibration: {
        points: [
          [-2, 1],
          [0, 0.5],
          [2, 0],
        ],
      },
      usual: new Array(8).fill(1.7),
      ...about,
    })

  it.each(['isolation-forest', 'one-class-svm'])(
    'is explained by what %s scores when a column is as usual',
    async kind => {
      for (const column of [0, 3, 7]) {
        const row = new Array<number>(8).fill(1.7).with(column, 8)
        const { contributions } = await run(scorer(kind), [row])
        const top = contributions.indexOf(Math.max(...contributions))
        expect([top, contributions.every(value => value >= 0)]).toEqual([column, true])
        expect(Math.max(...contributions)).toBeGreaterThan(0)
      }
    },
  )

  it('is explained beyond the ends of its points, and not at all where nothing is known for usual', async () => {
    const points = [
      [-0.001, 1],
      [0, 0],
    ]
    const row = new Array<number>(8).fill(1.7).with(2, 50)
    const { scores, contributions } = await run(scorer('isolation-forest', { calibration: { points } }), [
      row,
    ])
    expect(scores[0]).toBe(1)
    expect(contributions[2]).toBe(Math.max(...contributions))
    expect(contributions[2]).toBeGreaterThan(0)
    const unknown = await run(scorer('isolation-forest', { usual: undefined }), [row])
    expect(unknown.contributions.every(value => value === 0)).toBe(true)
  })
})

describe('an autoencoder of PyTorch', () => {
  it('scores by what it cannot make again, and says which features those are', async () => {
    const says = json<{ rows: number[][]; error: number[]; reconstruction: number[][] }>('autoencoder.json')
    const model = importOf('autoencoder.onnx', {
      input: { ...ROW, name: 'rows' },
      outputs: { reconstruction: 'reconstruction' },
      calibration: {
        points: [
          [0, 0],
          [1000, 1],
        ],
      },
    })
    const { scores, contributions } = await run(model, says.rows)
    for (const [i, error] of says.error.entries()) {
      expect(Math.abs((scores[i] ?? Number.NaN) * 1000 - error) / error).toBeLessThanOrEqual(1e-3)
      for (const [c, value] of (says.rows[i] ?? []).entries()) {
        const difference = (value - (says.reconstruction[i]?.[c] ?? Number.NaN)) ** 2
        expect(Math.abs((contributions[i * 8 + c] ?? Number.NaN) - difference)).toBeLessThanOrEqual(
          1e-3 * (1 + difference),
        )
      }
    }
  })
})

describe('importing', () => {
  const forest = (manifest: object) =>
    importOf('isolation-forest.onnx', {
      input: { ...ROW, name: 'X' },
      outputs: { score: 'scores' },
      ...manifest,
    })

  it('completes the manifest', () => {
    const { manifest } = forest({ outputs: { score: 'scores', label: 'label' }, threshold: 0.6 })
    expect(manifest).toMatchObject({
      layout: 'row',
      models: ['theirs', 'theirsLabel'],
      threshold: 0.6,
      foreign: { batch: 64, from: 1, columns: ROW.columns },
    } satisfies Partial<Record<keyof ModelManifest, unknown>>)
    expect(manifest.severities.medium).toBeCloseTo(0.7)
    expect(manifest.severities.critical).toBeCloseTo(0.9)
  })

  it.each<[string, object, RegExp]>([
    ['no output', { outputs: {} }, /names no output/],
    ['a column that is no feature', { input: { name: 'X', columns: ['luck'] } }, /no feature is luck/],
    ['features of another version', { featureHash: 'f'.repeat(64) }, /made for features f+; these are/],
    [
      'a window without a scale',
      { input: { ...ROW, name: 'X', layout: 'window', events: 4 } },
      /needs a scale/,
    ],
    ['a row of several events', { input: { ...ROW, name: 'X', events: 4 } }, /a row is of one event/],
    ['channels of a row', { input: { ...ROW, name: 'X', channels: 3 } }, /only an image has channels/],
    [
      'a scale of another width',
      { input: { ...ROW, name: 'X', scale: { low: [0], high: [1] } } },
      /has not 8/,
    ],
    [
      'a scale without a range',
      { input: { name: 'X', columns: ['gap'], scale: { low: [1], high: [1] } } },
      /low is not below/,
    ],
    ['usual values of another width', { usual: [0] }, /usual has not 8 values/],
    ['a window that is never full', { input: { ...WINDOW, from: 33 } }, /from is over 32/],
    [
      'points out of order',
      {
        calibration: {
          points: [
            [1, 0],
            [0, 1],
          ],
        },
      },
      /not in order/,
    ],
    [
      'points that turn',
      {
        calibration: {
          points: [
            [0, 0],
            [1, 1],
            [2, 0],
          ],
        },
      },
      /neither rise nor fall/,
    ],
    [
      'a window that would make states large',
      { input: { ...WINDOW, events: 256, columns: [...columns, ...columns, ...columns] } },
      /256 × 96 is over 16384 cells/,
    ],
    ['a field of no meaning', { treshold: 0.5 }, /treshold/],
  ])('refuses %s', (_, manifest, reason) => {
    expect(() => forest(manifest)).toThrow(reason)
  })
})
