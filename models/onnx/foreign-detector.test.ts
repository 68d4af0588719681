import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { Behaviour } from '../../schemas/generated.ts'
import { detectorContract } from '../../test/contract/detector.ts'
import { makeEvent } from '../../test/support/events.ts'
import { importPadim, PADIM_COLUMNS, PADIM_EVENTS } from '../../test/support/padim.ts'
import type { TrainedModel } from '../detector.ts'
import { FEATURE_COUNT, featureNames } from '../features/features.ts'
import { nextRecent } from '../features/recent.ts'
import { advance } from '../features/state.ts'
import { recentFormOf } from '../foreign/form.ts'
import { importForeign } from '../foreign/import.ts'
import { createRandom } from '../trainers/random.ts'
import { encodeModel, type Node } from './graph.ts'
import { createOnnxDetector } from './onnx-detector.ts'

const random = createRandom(3)

/** A graph over rows of `width` values. */
const graphOf = (width: number, nodes: readonly Node[], rows: number | string = 'batch') =>
  encodeModel({
    name: 'theirs',
    nodes,
    constants: [
      {
        name: 'mix',
        shape: [width, width],
        values: Float32Array.from({ length: width * width }, () => random.next() / width),
      },
      { name: 'sum', shape: [width, 1], values: new Float32Array(width).fill(1 / width) },
      { name: 'zero', shape: [1], values: Float32Array.of(0) },
    ],
    inputs: [{ name: 'rows', shape: [rows, width] }],
    outputs: [{ name: 'out', shape: [rows, 'any'] }],
  })

const mix: Node = { op: 'MatMul', inputs: ['rows', 'mix'], outputs: ['out'] }
const mean: Node = { op: 'MatMul', inputs: ['rows', 'sum'], outputs: ['mean'] }

const importOf = (onnx: Uint8Array, manifest: object): TrainedModel =>
  importForeign({
    onnx,
    manifest: { version: 'theirs-1', model: 'theirs', origin: 'a test', ...manifest },
    readWeights: () => {
      throw new TypeError('all weights are in the file')
    },
    sequence: 1,
  })

/** As an autoencoder is: the row again, more or less; a longer name for its error is 0 to 1. */
const autoencoder = importOf(graphOf(FEATURE_COUNT, [mix]), {
  input: { name: 'rows', columns: featureNames },
  outputs: { reconstruction: 'out' },
  calibration: {
    points: [
      [0, 0],
      [20, 0.9],
      [1000, 1],
    ],
  },
})

const WIDTH = 8
const columns = featureNames.slice(0, WIDTH)
const scorer = (nodes: readonly Node[], manifest: object = {}, rows?: number) =>
  importOf(graphOf(WIDTH, nodes, rows), {
    input: { name: 'rows', columns },
    outputs: { score: 'out' },
    ...manifest,
  })
const SIGMOID: Node = { op: 'Sigmoid', inputs: ['mean'], outputs: ['out'] }

const refusal = async (model: TrainedModel): Promise<string> => {
  try {
    const detector = await createOnnxDetector(model)
    await detector.close()
    return 'served'
  } catch (error) {
    expect(error).toMatchObject({ code: 'NS_MODEL_REFUSED' })
    return String(error)
  }
}

/** As most are: a score and nothing else, so that contributions come of what is usual. */
const scoreOnly = importOf(graphOf(FEATURE_COUNT, [mean, SIGMOID]), {
  input: { name: 'rows', columns: featureNames },
  outputs: { score: 'out' },
  usual: featureNames.map(() => 0),
})

describe('the detector of a foreign model that gives no more than a score', () => {
  detectorContract(chosen =>
    createOnnxDetector({ onnx: scoreOnly.onnx, manifest: { ...scoreOnly.manifest, ...chosen } }),
  )
})

describe('the detector of a foreign model', () => {
  detectorContract(chosen =>
    createOnnxDetector({ onnx: autoencoder.onnx, manifest: { ...autoencoder.manifest, ...chosen } }),
  )

  it('serves a sound model', async () => {
    expect(await refusal(scorer([mean, SIGMOID]))).toBe('served')
    // A batch that the graph fixes is kept to.
    expect(await refusal(scorer([mean, SIGMOID], { input: { name: 'rows', columns, batch: 5 } }, 5))).toBe(
      'served',
    )
  })

  it.each<[string, TrainedModel, RegExp]>([
    [
      'no such output',
      scorer([mean, SIGMOID], { outputs: { score: 'score' } }),
      /no output score; it has out/,
    ],
    [
      'no such input',
      scorer([mean, SIGMOID], { input: { name: 'x', columns } }),
      /inputs are rows, not x alone/,
    ],
    [
      'rows of another width',
      scorer([mean, SIGMOID], { input: { name: 'rows', columns: columns.slice(1) } }),
      /takes batch × 8, not 64 × 7/,
    ],
    ['another batch', scorer([mean, SIGMOID], {}, 5), /takes 5 × 8, not 64 × 8/],
    [
      'windows for rows',
      scorer([mean, SIGMOID], {
        input: {
          name: 'rows',
          layout: 'window',
          columns,
          events: 2,
          scale: { low: columns.map(() => 0), high: columns.map(() => 1) },
        },
      }),
      /takes batch × 8, not 1 × 2 × 8/,
    ],
    ['NaN', scorer([mean, { op: 'Div', inputs: ['mean', 'zero'], outputs: ['out'] }]), /scores a probe NaN/],
    [
      'scores beyond 0 to 1',
      scorer([
        { op: 'Add', inputs: ['rows', 'zero'], outputs: ['all'] },
        { ...mean, inputs: ['all', 'sum'] },
        {
          op: 'Sub',
          inputs: ['zero', 'mean'],
          outputs: ['out'],
        },
      ]),
      /scores a probe -1, not 0 to 1: its manifest needs calibration points/,
    ],
    ['several scores an event', scorer([mix]), /out gives 8 values an event, not one/],
    [
      'one score for all events',
      scorer([
        mean,
        { op: 'ReduceMax', inputs: ['mean'], outputs: ['out'], attributes: [{ name: 'keepdims', int: 1 }] },
      ]),
      /not the same for each of 64 events/,
    ],
    [
      'a reconstruction of another size',
      scorer([{ ...mean, outputs: ['out'] }], { outputs: { reconstruction: 'out' } }),
      /out gives 1 values an event, not 8/,
    ],
    [
      'a score that depends on other rows',
      scorer([
        mean,
        {
          op: 'ReduceMean',
          inputs: ['mean'],
          outputs: ['all'],
          attributes: [
            { name: 'axes', ints: [0] },
            { name: 'keepdims', int: 1 },
          ],
        },
        { op: 'Add', inputs: ['mean', 'all'], outputs: ['both'] },
        { op: 'Sigmoid', inputs: ['both'], outputs: ['out'] },
      ]),
      /other bits at another place of a batch/,
    ],
    [
      'a file that is no model',
      importOf(new Uint8Array(Buffer.from([8, 8])), {
        input: { name: 'rows', columns },
        outputs: { score: 'out' },
      }),
      /[Mm]odel|graph/,
    ],
  ])('refuses %s', async (_, model, reason) => {
    expect(await refusal(model)).toMatch(reason)
  })
})

describe('a detector of windows', () => {
  const folder = new URL('../foreign/fixtures/anomalib/', import.meta.url)
  const padim = importPadim({ low: 0, high: 1 })
  const [first] = (
    JSON.parse(readFileSync(new URL('vectors.json', folder), 'utf8')) as {
      vectors: { name: string; window: number[][] }[]
    }
  ).vectors.filter(({ name }) => name === 'burst-strong')

  it('scores an entity once it has a window of events, and says which event and feature it was', async () => {
    const detector = await createOnnxDetector(padim)
    const recent = recentFormOf(padim.manifest.foreign)
    if (recent === undefined) throw new TypeError('no windows')
    let before: Behaviour | null = null
    const observations = Array.from({ length: PADIM_EVENTS + 3 }, (_, i) => {
      const event = makeEvent({ time: 1_700_000_000_000 + i * 500 })
      const observation = { event, before }
      before = { ...advance(before, event), recent: nextRecent(recent, before, event) }
      return observation
    })
    try {
      const analyses = await detector.analyze(observations)
      expect(analyses.slice(0, PADIM_EVENTS - 1).every(({ score }) => score === 0)).toBe(true)
      for (const { score, modelScores } of analyses.slice(PADIM_EVENTS - 1)) {
        expect(score).toBeGreaterThan(0)
        expect(modelScores).toMatchObject({ padim: score, padimLabel: score > 0.5 ? 1 : 0 })
      }
    } finally {
      await detector.close()
    }
  })

  it('looks at what is kept of the entity: a burst in it is named by event and feature', async () => {
    const detector = await createOnnxDetector(padim)
    const recent = recentFormOf(padim.manifest.foreign)
    const event = makeEvent({})
    const rows = Buffer.from((first?.window ?? []).slice(1).flat())
    const before = { ...advance(null, event), recent: { form: recent?.id ?? '', rows } }
    try {
      const [analysis] = await detector.analyze([{ event, before }])
      expect(analysis?.score).toBeGreaterThan(0.9)
      const [top] = analysis?.contributions ?? []
      expect(PADIM_COLUMNS).toContain(top?.feature)
      // The burst is in the middle of the window, not in the event that is judged.
      expect(top?.eventsAgo).toBeGreaterThan(5)
      expect(top?.eventsAgo).toBeLessThan(PADIM_EVENTS)
    } finally {
      await detector.close()
    }
  })
})
