import { describe, expect, it } from '@jest/globals'
import { createTurns } from './turns.ts'

describe('turns', () => {
  it('lets so many in at a time, in the order in which they came, also after one that fails', async () => {
    const turns = createTurns(2)
    const begun: number[] = []
    const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<number>())
    const taken = ends.map(({ promise }, i) =>
      turns.take(() => {
        begun.push(i)
        return promise
      }),
    )
    expect([begun, turns.waiting]).toEqual([[0, 1], 2])
    ends[1]?.reject(new Error('failed'))
    await expect(taken[1]).rejects.toThrow('failed')
    expect([begun, turns.waiting]).toEqual([[0, 1, 2], 1])
    ends[0]?.resolve(5)
    expect(await taken[0]).toBe(5)
    expect([begun, turns.waiting]).toEqual([[0, 1, 2, 3], 0])
    for (const { resolve } of ends) resolve(7)
    expect(await Promise.all(taken.slice(2))).toEqual([7, 7])
    expect(await turns.take(async () => 9)).toBe(9)
  })
})
