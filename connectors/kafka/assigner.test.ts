import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { sharePartitions } from './assigner.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('sharePartitions', () => {
  const members = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 9 })

  it('gives each partition to one member, the same number of each topic to the same, evenly', () => {
    fc.assert(
      fc.property(members, fc.integer({ min: 0, max: 40 }), (names, count) => {
        const shares = sharePartitions(names, { input: numbers(count), changelog: numbers(count) })
        expect([...shares.keys()].toSorted()).toEqual(names.toSorted())
        const all = [...shares.values()].flatMap(share => share['input'] ?? [])
        expect(all.toSorted((a, b) => a - b)).toEqual(numbers(count))
        for (const share of shares.values()) expect(share['changelog']).toEqual(share['input'])
        const sizes = [...shares.values()].map(share => share['input']?.length ?? 0)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is the same whatever the order of members and partitions', () => {
    const shares = sharePartitions(['b', 'a'], { t: [3, 1, 0, 2] })
    expect(Object.fromEntries(shares)).toEqual({ a: { t: [0, 2] }, b: { t: [1, 3] } })
    expect(sharePartitions(['a', 'b'], { t: [0, 1, 2, 3] })).toEqual(shares)
  })
})
