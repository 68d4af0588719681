import { describe, expect, it } from '@jest/globals'
import { createBackoff } from './backoff.ts'

describe('the back-off', () => {
  it('is anything up to a bound that doubles, and begins anew after a success', () => {
    const most = createBackoff(100, () => 1)
    expect([most.next(), most.next(), most.next()]).toEqual([100, 200, 400])
    for (let i = 0; i < 100; i += 1) most.next()
    expect(most.next()).toBe(15_000)
    most.reset()
    expect(most.next()).toBe(100)
    expect(createBackoff(100, () => 0).next()).toBe(0)
  })
})
