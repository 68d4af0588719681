import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { floorFloat32, previousFloat32 } from './float32.ts'

describe('floorFloat32', () => {
  it('is the largest float32 that is not above', () => {
    const next = (value: number) => {
      const bits = new Int32Array(Float32Array.of(value).buffer)
      bits[0] = (bits[0] ?? 0) + (value >= 0 ? 1 : -1)
      return new Float32Array(bits.buffer)[0] ?? 0
    }
    fc.assert(
      fc.property(fc.double({ min: -1e30, max: 1e30, noNaN: true }), value => {
        const floor = floorFloat32(value)
        expect(Math.fround(floor)).toBe(floor)
        expect(floor).toBeLessThanOrEqual(value)
        expect(next(floor === 0 ? 0 : floor)).toBeGreaterThan(value)
      }),
    )
  })
})

describe('previousFloat32', () => {
  it('is the neighbour below', () => {
    expect(previousFloat32(1)).toBe(1 - 2 ** -24)
    expect(previousFloat32(-1)).toBe(-1 - 2 ** -23)
    expect(previousFloat32(0)).toBe(-(2 ** -149))
  })
})
