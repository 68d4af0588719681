import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { waitBeforeRetry } from './queue.ts'

describe('the wait before a job is tried again', () => {
  it('doubles up to an hour', () => {
    const waits = [1, 2, 3, 4, 12, 13, 1_000].map(attempt =>
      waitBeforeRetry(attempt, { firstMs: 1_000, random: () => 1 }),
    )
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 2_048_000, 3_600_000, 3_600_000])
    expect(waitBeforeRetry(3, { firstMs: 1_000, random: () => 0 })).toBe(2_000)
  })

  it('is as long as the receiver asks for, within reason', () => {
    expect(waitBeforeRetry(1, { firstMs: 1_000, retryAfterMs: 30_000 })).toBe(30_000)
    expect(waitBeforeRetry(1, { firstMs: 1_000, retryAfterMs: 86_400_000 })).toBe(3_600_000)
    expect(waitBeforeRetry(10, { firstMs: 1_000, retryAfterMs: 1, random: () => 1 })).toBe(512_000)
  })

  it('is a positive whole number of ms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.nat(1e9), (attempt, retryAfterMs) => {
        const wait = waitBeforeRetry(attempt, { firstMs: 100, retryAfterMs })
        expect(Number.isSafeInteger(wait) && wait > 0 && wait <= 3_600_000).toBe(true)
      }),
    )
  })
})
