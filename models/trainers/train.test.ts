import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anyEvent, makeEvent } from '../../test/support/events.ts'
import { FEATURE_COUNT } from '../features/features.ts'
import { observe } from '../features/observe.ts'
import { isUsual } from '../features/usual.ts'
import { scoreOfBudget } from './calibration.ts'
import { cutOff, trainModel } from './train.ts'

describe('cutOff', () => {
  it('is the middle of the gap that the score of the budget lies in', () => {
    expect(cutOff(Float64Array.of(0.2, 0.46, 0.55, 0.9), 1000)).toBeCloseTo(0.505, 6)
  })

  it('is the score of the budget where scores lie dense or stop', () => {
    const dense = Float64Array.from({ length: 100_001 }, (_, i) => i / 100_000)
    expect(cutOff(dense, 200)).toBeCloseTo(scoreOfBudget(200), 6)
    expect(cutOff(Float64Array.of(0.1, 0.2), 200)).toBeCloseTo(scoreOfBudget(200), 6)
  })
})

describe('trainModel', () => {
  const observations = observe(fc.sample(anyEvent(), { numRuns: 2000, seed: 2 }))
  const { manifest } = trainModel(observations, { version: 'v', sequence: 3, seed: 1 })

  it('sets cut-offs that rise', () => {
    const { medium, high, critical } = manifest.severities
    const cutOffs = [manifest.threshold, medium, high, critical]
    expect(cutOffs).toEqual(cutOffs.toSorted((a, b) => a - b))
    expect(manifest).toMatchObject({
      version: 'v',
      sequence: 3,
      seed: 1,
      rows: observations.filter(isUsual).length,
    })
  })

  it('knows the expected range of every feature', () => {
    const { low, high } = manifest.expected
    expect([low.length, high.length]).toEqual([FEATURE_COUNT, FEATURE_COUNT])
    for (const [i, value] of low.entries()) expect(value).toBeLessThanOrEqual(high[i] ?? Number.NaN)
    expect(low).not.toEqual(high)
  })

  it('learns nothing from an attack, however much of it there is', () => {
    const guesses = Array.from({ length: 3000 }, (_, i) => makeEvent({ time: 1_700_000_000_000 + i * 1000 }))
    const mixed = trainModel([...observations, ...observe(guesses)], { version: 'v', sequence: 3, seed: 1 })
    expect(mixed.manifest.rows).toBeLessThan(manifest.rows + 10)
  })

  it('refuses an empty window', () => {
    expect(() => trainModel([], { version: 'v', sequence: 1, seed: 1 })).toThrow(/4 rows or more/)
  })
})
