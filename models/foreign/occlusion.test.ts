import { describe, expect, it } from '@jest/globals'
import type { ForeignForm } from './form.ts'
import { isOccluded, occlusionAmounts, occlusionsOf } from './occlusion.ts'

/** Windows of three events of two columns, of which 0.5 and 0.25 are usual. */
const FORM: ForeignForm = {
  origin: 'a test',
  input: 'in',
  layout: 'window',
  columns: ['gap', 'bytes_in'],
  scale: { low: [0, 0], high: [10, 4] },
  events: 3,
  channels: 1,
  from: 1,
  batch: 1,
  outputs: { score: 'out' },
  anomaly: 1,
  usual: [5, 1],
}
const WINDOW = Float32Array.of(0, 0, 0.5, 1, 0.25, 0.5)

describe('occlusion', () => {
  it('covers a column of the events that there are', () => {
    expect([...occlusionsOf(FORM, WINDOW)]).toEqual([
      ...[0, 0, 0.5, 1, 0.5, 0.5],
      ...[0, 0, 0.5, 0.25, 0.25, 0.25],
    ])
  })

  it('shares what a column adds among its events by how far they are from usual', () => {
    const amounts = occlusionAmounts(FORM, WINDOW, 3, [2, 1])
    expect([...amounts].map(amount => Math.round(amount * 1e6) / 1e6)).toEqual([0, 0, 0, 1.5, 1, 0.5])
  })

  it('gives nothing to a column without which the score is as high, or higher', () => {
    expect([...occlusionAmounts(FORM, WINDOW, 3, [3, 4])]).toEqual(new Array(6).fill(0))
  })

  it('is for models alone that tell nothing themselves, where it is known what is usual', () => {
    expect(isOccluded(FORM)).toBe(true)
    expect(isOccluded({ ...FORM, usual: undefined })).toBe(false)
    expect(isOccluded({ ...FORM, outputs: { score: 'out', map: 'map' } })).toBe(false)
    expect(isOccluded({ ...FORM, outputs: { reconstruction: 'again' } })).toBe(false)
  })
})
