import { describe, expect, it } from '@jest/globals'
import { trainEnsemble } from '../trainers/ensemble.ts'
import { encodeEnsemble, OUTPUTS } from './ensemble-graph.ts'
import { keepOutputs } from './prune.ts'

const data = { values: Float32Array.from({ length: 128 }, (_, i) => (i * i) % 13), rows: 64, features: 2 }
const onnx = encodeEnsemble(trainEnsemble(data, { seed: 1 }))

describe('keepOutputs', () => {
  it('leaves those outputs and what they need', () => {
    const scores = keepOutputs(onnx, [OUTPUTS.score, OUTPUTS.models])
    expect(scores.length).toBeLessThan(onnx.length)
    expect(keepOutputs(scores, [OUTPUTS.score, OUTPUTS.models])).toEqual(scores)
    expect(() => keepOutputs(scores, [OUTPUTS.contributions])).toThrow('no output contributions')
    expect(Buffer.from(scores).includes('ecod_excess_terms')).toBe(false)
    expect(Buffer.from(keepOutputs(onnx, [OUTPUTS.contributions])).includes('ecod_excess_terms')).toBe(true)
  })

  it('refuses a model that lacks one of them, and what is no model', () => {
    expect(() => keepOutputs(onnx, [OUTPUTS.score, 'verdict'])).toThrow('the model has no output verdict')
    expect(() => keepOutputs(Buffer.from('no model'), [])).toThrow('the file is no ONNX model')
  })
})
