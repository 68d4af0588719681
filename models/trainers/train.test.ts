import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anyEvent } from '../../test/support/events.ts'
import { cutOff, trainForestModel } from './train.ts'

describe('cutOff', () => {
  it('lies between scores, with at most the share above it', () => {
    expect(
      cutOff(
        Float64Array.from({ length: 100 }, (_, i) => i / 100),
        0.05,
      ),
    ).toBeCloseTo(0.945, 9)
  })

  it('does not cut through scores that are alike', () => {
    const scores = Float64Array.from([
      ...Array<number>(90).fill(0.5),
      ...Array<number>(8).fill(0.7),
      0.8,
      0.9,
    ])
    expect(cutOff(scores, 0.05)).toBeCloseTo(0.75, 9)
    expect(cutOff(scores, 0.1)).toBeCloseTo(0.6, 9)
    expect(cutOff(new Float64Array(10).fill(0.4), 0.05)).toBe(1)
  })
})

describe('trainForestModel', () => {
  it('sets cut-offs that rise and make about one event in twenty a threat', () => {
    const events = fc.sample(anyEvent(), { numRuns: 2000, seed: 2 })
    const { manifest } = trainForestModel(events, { version: 'v', sequence: 3, seed: 1 })
    const { medium, high, critical } = manifest.severities
    expect([manifest.threshold, medium, high, critical]).toEqual(
      [manifest.threshold, medium, high, critical].toSorted((a, b) => a - b),
    )
    expect(manifest).toMatchObject({ version: 'v', sequence: 3, seed: 1, rows: 2000 })
  })

  it('refuses an empty window', () => {
    expect(() => trainForestModel([], { version: 'v', sequence: 1, seed: 1 })).toThrow(/2 rows or more/)
  })
})
