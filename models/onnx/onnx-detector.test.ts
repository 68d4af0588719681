import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { detectorContract } from '../../test/contract/detector.ts'
import { anyEvent } from '../../test/support/events.ts'
import type { TrainedModel } from '../detector.ts'
import { FEATURE_COUNT, featureNames, featureRows } from '../features/features.ts'
import { observe } from '../features/observe.ts'
import { sha256 } from '../manifest.ts'
import { scoreIsolationForest, trainIsolationForest } from '../trainers/isolation-forest.ts'
import { trainForestModel } from '../trainers/train.ts'
import { encodeForest, forestGraph } from './forest-graph.ts'
import { encodeModel, type Graph } from './graph.ts'
import { createOnnxDetector } from './onnx-detector.ts'

const events = fc.sample(anyEvent(), { numRuns: 1000, seed: 1 })
const observations = observe(events)
const data = { values: featureRows(observations), rows: events.length, features: FEATURE_COUNT }
const forest = trainIsolationForest(data, { seed: 5 })
const trained = trainForestModel(events, { version: 'test-1', sequence: 1, seed: 5 })

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
  detectorContract(severities =>
    createOnnxDetector({ onnx: trained.onnx, manifest: { ...trained.manifest, severities } }),
  )

  it('scores as the trainer does, to 1e-5', async () => {
    const detector = await createOnnxDetector(withOnnx(encodeForest(forest)))
    const analyses = await detector.analyze(observations)
    await detector.close()
    const expected = scoreIsolationForest(forest, data)
    const apart = analyses.map(({ score }, i) => Math.abs(score - (expected[i] ?? Number.NaN)))
    expect(Math.max(...apart)).toBeLessThanOrEqual(1e-5)
  })

  it('scores to the bit alike for every size of micro-batch', async () => {
    const scores = async (batchRows: number) => {
      const detector = await createOnnxDetector({ ...trained, session: { batchRows } })
      const analyses = await detector.analyze(observations)
      await detector.close()
      return analyses.map(each => each.score)
    }
    const expected = await scores(1)
    for (const batchRows of [2, 3, 7, 16, 33, 64, 129, 1000])
      expect(await scores(batchRows)).toEqual(expected)
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
        nodes: graph.nodes.map(node => (node.op === 'Pow' ? { ...node, outputs: ['other'] } : node)),
        outputs: [{ name: 'other', shape: ['rows', 1] }],
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
      /probe row/,
    ],
    [
      'scores NaN',
      graph => ({
        ...graph,
        constants: graph.constants.map(each => ({ ...each, values: Float32Array.of(Number.NaN) })),
      }),
      /probe row NaN/,
    ],
    [
      'scores above 1',
      graph => ({
        ...graph,
        constants: graph.constants.map(each => ({ ...each, values: Float32Array.of(3) })),
      }),
      /not 0 to 1/,
    ],
  ]
  it.each(broken)('refuses a model that %s', async (_, change, reason) => {
    expect(await refusal(withOnnx(encodeModel(change(forestGraph(forest)))))).toMatchObject({
      code: 'NS_MODEL_REFUSED',
      message: expect.stringMatching(reason),
    })
  })

  it('refuses bytes that are no ONNX file', async () => {
    expect(await refusal(withOnnx(Buffer.from('not a model')))).toMatchObject({ code: 'NS_MODEL_REFUSED' })
  })
})
