import { describe, expect, it } from '@jest/globals'
import { createSubscription } from './subscription.ts'

const at = (offset: number, previous: number | null = offset - 1, partition = 0) => ({
  partition,
  offset,
  previous,
})
const place = (offset: number, partition = 0) => ({ partition, offset })
const confirmation = (offset: number, more: object = {}) => ({
  epoch: 'e1',
  positions: [place(offset)],
  ...more,
})

const create = () => {
  const subscription = createSubscription({ channel: 'threats' })
  return {
    ...subscription,
    resume: () => (subscription.request() as { resume?: { positions: unknown } }).resume,
  }
}

describe('a subscription', () => {
  it('asks for what is live at first, with its filter', () => {
    const filter = { severity: 'high' } as const
    expect(createSubscription({ channel: 'alerts', filter }).request()).toEqual({
      type: 'subscribe',
      channel: 'alerts',
      id: 'alerts',
      filter,
    })
  })

  it('goes on after the last message of each partition, or where the gateway began', () => {
    const { confirmed, isNew, resume } = create()
    expect(confirmed({ epoch: 'e1', positions: [place(7), place(3, 1)] })).toBeUndefined()
    expect(resume()).toEqual({ epoch: 'e1', positions: [place(7), place(3, 1)] })
    expect(isNew(at(9, 7))).toBe(true)
    expect(isNew(at(0, null, 2))).toBe(true)
    expect(resume()).toEqual({ epoch: 'e1', positions: [place(9), place(3, 1), place(0, 2)] })
  })

  it('knows what has come before, also on an earlier connection', () => {
    const { confirmed, isNew } = create()
    confirmed(confirmation(0))
    expect([at(1), at(2), at(2), at(1)].map(isNew)).toEqual([true, true, false, false])
    confirmed(confirmation(2, { recovered: true }))
    expect([at(2), at(3)].map(isNew)).toEqual([false, true])
  })

  it('fetches what the gateway left out, and takes nothing twice', () => {
    const { confirmed, thinned, isNew, resume } = create()
    confirmed(confirmation(0))
    for (const each of [at(1), at(2), at(5, 4)]) expect(isNew(each)).toBe(true)
    thinned([place(2)])
    // What comes before the answer does not move the place to go on from.
    expect(isNew(at(6))).toBe(true)
    expect(resume()).toEqual({ epoch: 'e1', positions: [place(2)] })
    confirmed(confirmation(2, { recovered: true }))
    expect([at(3), at(4), at(5), at(6), at(7)].map(isNew)).toEqual([true, true, false, false, true])
    expect(resume()).toEqual({ epoch: 'e1', positions: [place(7)] })
  })

  it('goes on in the middle of what it missed when the connection ends there', () => {
    const { confirmed, thinned, isNew, resume } = create()
    confirmed(confirmation(0))
    for (const each of [at(1), at(4, 3)]) isNew(each)
    thinned([place(1)])
    confirmed(confirmation(1, { recovered: true }))
    isNew(at(2))
    expect(resume()).toEqual({ epoch: 'e1', positions: [place(2)] })
  })

  it('asks for a partition from its beginning when all of it was left out', () => {
    const { confirmed, thinned, resume } = create()
    confirmed(confirmation(5))
    thinned([place(-1)])
    expect(resume()).toEqual({ epoch: 'e1', positions: [] })
  })

  it('says why messages are missing for good, and begins where the gateway does', () => {
    const { confirmed, isNew, resume } = create()
    confirmed(confirmation(4))
    isNew(at(5))
    expect(confirmed({ epoch: 'e2', positions: [place(2)], recovered: false, reason: 'other-epoch' })).toBe(
      'other-epoch',
    )
    // Offsets of another epoch mean nothing in this one.
    expect([at(3), at(4), at(5)].map(isNew)).toEqual([true, true, true])
    expect(resume()).toEqual({ epoch: 'e2', positions: [place(5)] })
  })

  it('remembers a bounded number of holes', () => {
    const { confirmed, isNew } = create()
    confirmed(confirmation(0))
    for (let i = 1; i <= 5_000; i += 1) expect(isNew(at(i * 10))).toBe(true)
    expect(isNew(at(50_000))).toBe(false)
  })
})
