import { describe, expect, it } from '@jest/globals'
import { createSocketGate, isBeyond, type SocketLimits } from './limits.ts'

const create = (limits: Partial<SocketLimits> = {}) => {
  let time = 1_700_000_000_000
  const many = 1_000
  const gate = createSocketGate(
    {
      maxSockets: many,
      maxSocketsPerUser: many,
      maxSocketsPerAddress: many,
      upgradesPerSecond: many,
      upgradesPerSecondPerAddress: many,
      ...limits,
    },
    () => time,
  )
  const enter = (address = 'a') => {
    const entered = gate.enter(address)
    return isBeyond(entered) ? entered.limit : entered
  }
  const place = (address?: string) => {
    const entered = enter(address)
    if (typeof entered === 'string') throw new Error(entered)
    return entered
  }
  return {
    enter,
    place,
    advance: (ms: number) => {
      time += ms
    },
  }
}

describe('the limits of sockets', () => {
  it('are on all of a gateway and on those of an address, until one leaves', () => {
    const { enter, place } = create({ maxSockets: 3, maxSocketsPerAddress: 2 })
    const first = place('a')
    place('a')
    expect(enter('a')).toBe('address-sockets')
    place('b')
    expect(enter('c')).toBe('sockets')
    first.leave()
    first.leave()
    place('a')
    expect(enter('c')).toBe('sockets')
  })

  it('are on those of a user, wherever they come from', () => {
    const { place } = create({ maxSocketsPerUser: 1 })
    const first = place('a')
    expect(first.ofUser('u')).toBeUndefined()
    const second = place('b')
    expect(second.ofUser('u')).toMatchObject({ limit: 'user-sockets', status: 429, retryAfterS: 10 })
    expect(second.ofUser('v')).toBeUndefined()
    first.leave()
    expect(place('c').ofUser('u')).toBeUndefined()
  })

  it('are on requests in a second, good or bad, also when the clock is set back', () => {
    const { enter, place, advance } = create({ upgradesPerSecond: 3, upgradesPerSecondPerAddress: 2 })
    place('a').leave()
    place('a').leave()
    expect(enter('a')).toBe('address-upgrades')
    place('b')
    expect(enter('b')).toBe('upgrades')
    advance(999)
    expect(enter('c')).toBe('upgrades')
    advance(1)
    place('a')
    advance(-60_000)
    place('a')
    place('a')
    expect(enter('a')).toBe('address-upgrades')
  })
})
