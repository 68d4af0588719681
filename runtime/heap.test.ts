import { describe, expect, it } from '@jest/globals'
import { growthPercent } from './heap.ts'

const MB = 2 ** 20

describe('growthPercent', () => {
  it('gives a heap 48 MB to grow by, a large one half of what lives', () => {
    expect([20, 64, 100, 400].map(live => growthPercent(live * MB))).toEqual([240, 75, 50, 50])
  })

  it('stays a percentage that V8 takes when hardly anything lives', () => {
    expect(growthPercent(1)).toBe(1_000)
  })
})
