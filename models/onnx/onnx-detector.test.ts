import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { detectorContract } from '../../test/contract/detector.ts'
import { anyEvent } from '../../test/support/events.ts'
import type { TrainedModel } from '../detector.ts'
import { FEATURE_COUNT, featureNames, featureRows } from '../features/features.ts'
import { observe } from '../features/observe.ts'
import { sha256 } from '../manifest.ts'
import { type Ensemble, scoreEnsemble, trainEnsemble } from '../trainers/ensemble.ts'
import { modelNames } from '../trainers/members.ts'
import { trainModel } from '../trainers/train.ts'
import { encodeEnsemble, ensembleGraph, INPUT, OUTPUTS } from './ensemble-graph.ts'
import { encodeModel, type Graph } from './graph.ts'
import { createOnnxDetector } from './onnx-detector.ts'
import { createSession } from './session.ts'

const events = fc.sample(anyEvent(), { numRuns: 1000, seed: 1 })
const observations = observe(events)
const data = { values: featureRows(observations), rows: events.length, features: FEATURE_COUNT }
const ensemble = trainEnsemble(data, { seed: 5 })
const withAutoencoder = trainEnsemble(data, { seed: 5, autoencoder: true })
const ensembles = [
  ['three models', ensemble],
  ['an autoencoder as a fourth', withAutoencoder],
] as const
const trained = trainModel(observations, { version: 'test-1', sequence: 1, seed: 5 })

const scored = async (model: Ensemble, values: Float32Array<ArrayBuffer>, batchRows = 64) => {
  const session = await createSession({
    onnx: encodeEnsemble(model),
    input: INPUT,
    outputs: OUTPUTS,
    features: FEATURE_COUNT,
    models: modelNames(model).length,
    explainFrom: 0,
    batchRows,
  })
  const result = await session.run(Float32Array.from(values))
  await session.close()
  return result
}

/** The largest difference between two lists of the same length. */
const apart = (one: ArrayLike<number>, two: ArrayLike<number>): number => {
  expect(one.length).toBe(two.length)
  return Array.from(one).reduce(
    (most, value, i) => Math.max(most, Math.abs(value - (two[i] ?? Number.NaN))),
    0,
  )
}

const withOnnx = (onnx: Uint8Array): TrainedModel => ({
  onnx,
  manifest: { ...trained.manifest, sha256: sha256(onnx) },
})

const refusal = async (model: TrainedModel): Promise<unknown> => {
  try {
    const detector = await createOnnxDetector(model)
    await detector.close()
    return 'served'
  } catch (error) {
    return error
  }
}

describe('the detector on onnxruntime', () => {
  detectorContract(chosen =>
    createOnnxDetector({ onnx: trained.onnx, manifest: { ...trained.manifest, ...chosen } }),
  )

  it.each(ensembles)('scores and explains as the trainer does, to 1e-5: %s', async (_, model) => {
    const far = featureRows(observations).map((value, i) => (i % 7 === 0 ? value * 3 + 2 : value))
    for (const values of [data.values, far]) {
      const expected = scoreEnsemble(model, { ...data, values })
      const { scores, models, contributions } = await scored(model, values)
      expect(apart(scores, expected.scores)).toBeLessThanOrEqual(1e-5)
      expect(apart(models, expected.models)).toBeLessThanOrEqual(1e-5)
      const relative = contributions.map((value, i) => value - (expected.contributions[i] ?? Number.NaN))
      const size = expected.contributions.map(value => Math.max(1, value))
      expect(
        apart(
          relative.map((value, i) => value / (size[i] ?? 1)),
          relative.map(() => 0),
        ),
      ).toBeLessThanOrEqual(1e-5)
    }
  })

  it.each(ensembles)(
    'gives a row the same bits wherever it stands and whatever stands beside it: %s',
    async (_, model) => {
      const width = modelNames(model).length
      const rowAt = (row: number) => data.values.subarray(row * FEATURE_COUNT, (row + 1) * FEATURE_COUNT)
      const alone = await scored(model, data.values)
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat({ max: 999 }), { minLength: 1, maxLength: 150 }), async rows => {
          const values = new Float32Array(rows.length * FEATURE_COUNT)
          for (const [i, row] of rows.entries()) values.set(rowAt(row), i * FEATURE_COUNT)
          const { scores, models, contributions } = await scored(model, values)
          for (const [i, row] of rows.entries()) {
            expect(scores[i]).toBe(alone.scores[row])
            expect(models.slice(i * width, (i + 1) * width)).toEqual(
              alone.models.slice(row * width, (row + 1) * width),
            )
            expect(contributions.slice(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)).toEqual(
              alone.contributions.slice(row * FEATURE_COUNT, (row + 1) * FEATURE_COUNT),
            )
          }
        }),
        { numRuns: 15 },
      )
    },
  )

  it('explains from the score that it is told to', async () => {
    const detector = await createOnnxDetector({ ...trained, explainFrom: 0 })
    const analyses = await detector.analyze(observations)
    await detector.close()
    expect(analyses.filter(each => each.contributions.length > 0).length).toBeGreaterThan(900)
  })

  it('refuses a model of other features, and names them', async () => {
    const features = [...featureNames.slice(1), 'moon_phase']
    const manifest = { ...trained.manifest, features, featureHash: '0'.repeat(64) }
    expect(await refusal({ ...trained, manifest })).toMatchObject({
      code: 'NS_MODEL_REFUSED',
      message: expect.stringMatching(/\[moon_phase\].*\[category_authentication\]/),
    })
  })

  it('refuses a file that is not the one of the manifest', async () => {
    const onnx = Uint8Array.from(trained.onnx)
    onnx[onnx.length >> 1] = (onnx[onnx.length >> 1] ?? 0) ^ 1
    expect(await refusal({ ...trained, onnx })).toMatchObject({
      code: 'NS_MODEL_REFUSED',
      message: expect.stringContaining('SHA-256'),
    })
  })

  const broken: [string, (graph: Graph) => Graph, RegExp][] = [
    [
      'has no output of the name',
      graph => ({
        ...graph,
        nodes: graph.nodes.map(node =>
          node.outputs[0] === 'score' ? { ...node, outputs: ['other'] } : node,
        ),
        outputs: graph.outputs.map(each => (each.name === 'score' ? { ...each, name: 'other' } : each)),
      }),
      /no output score/,
    ],
    [
      'has no input of the name',
      graph => ({
        ...graph,
        nodes: graph.nodes.map(node => ({
          ...node,
          inputs: node.inputs.map(input => (input === 'features' ? 'other' : input)),
        })),
        inputs: [{ name: 'other', shape: ['rows', FEATURE_COUNT] }],
      }),
      /no input features/,
    ],
    [
      'takes rows of another width',
      graph => ({ ...graph, inputs: [{ name: 'features', shape: ['rows', FEATURE_COUNT + 1] }] }),
      /[Ss]hape|[Dd]imension/,
    ],
    [
      'scores NaN',
      graph => ({
        ...graph,
        constants: graph.constants.map(each =>
          each.name === 'score_half' ? { ...each, values: Float32Array.of(Number.NaN) } : each,
        ),
      }),
      /probe row NaN/,
    ],
    [
      'scores above 1',
      graph => ({
        ...graph,
        constants: graph.constants.map(each =>
          each.name === 'score_half' ? { ...each, values: Float32Array.of(-0.1) } : each,
        ),
      }),
      /not 0 to 1/,
    ],
  ]
  it.each(broken)('refuses a model that %s', async (_, change, reason) => {
    expect(await refusal(withOnnx(encodeModel(change(ensembleGraph(ensemble)))))).toMatchObject({
      code: 'NS_MODEL_REFUSED',
      message: expect.stringMatching(reason),
    })
  })

  it('refuses bytes that are no ONNX file', async () => {
    expect(await refusal(withOnnx(Buffer.from('not a model')))).toMatchObject({ code: 'NS_MODEL_REFUSED' })
  })
})
