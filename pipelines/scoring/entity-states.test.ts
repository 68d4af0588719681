import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { advance } from '../../models/features/state.ts'
import type { Behaviour } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { createEntityStates, type EntityStates } from './entity-states.ts'

const stateOf = (events: number): Behaviour => ({
  ...advance(null, makeEvent({ time: 0, dstIp: 'é' })),
  lastTime: events,
  events,
})

const statesOf = (limit: number, recent: number) => {
  let decoded = 0
  const states = createEntityStates({
    limit,
    recent,
    encode: (id, behaviour) => Buffer.from(JSON.stringify({ id, behaviour })),
    decode: bytes => {
      decoded++
      return (JSON.parse(bytes.toString('utf8')) as { behaviour: Behaviour }).behaviour
    },
  })
  return { states, decoded: () => decoded }
}

/** One update of each of these entities, in this order, as one batch. */
const update = (states: EntityStates, ids: readonly string[]) => {
  const view = states.view()
  const before = ids.map(id => {
    const state = view.get(id)
    view.set(id, stateOf((state?.events ?? 0) + 1))
    return state?.events ?? 0
  })
  const changes = view.changes()
  view.commit(changes)
  return { before, changes }
}

/** What the same updates see where nothing is encoded, cut into batches or kept apart. */
const expected = (batches: readonly (readonly string[])[], limit: number): number[][] => {
  const known = new Map<string, number>()
  return batches.map(ids =>
    ids.map(id => {
      const before = known.get(id) ?? 0
      known.delete(id)
      known.set(id, before + 1)
      for (const [oldest] of known) if (known.size > limit) known.delete(oldest)
      return before
    }),
  )
}

const batches = fc.array(fc.array(fc.constantFrom(...'abcdefgh'), { maxLength: 12 }), { maxLength: 12 })
const limits = fc.integer({ min: 1, max: 9 })
const recents = fc.integer({ min: 0, max: 9 })

describe('the states of entities', () => {
  it('are the same however many are kept decoded, and forgotten in the order of their updates', () => {
    fc.assert(
      fc.property(batches, limits, recents, (some, limit, recent) => {
        const { states } = statesOf(limit, recent)
        expect(some.map(ids => update(states, ids).before)).toEqual(expected(some, limit))
        expect(states.count()).toBeLessThanOrEqual(limit)
      }),
    )
  })

  it('come back from their changelog, to be forgotten in the same order', () => {
    fc.assert(
      fc.property(batches, batches, limits, recents, (some, more, limit, recent) => {
        const { states } = statesOf(limit, recent)
        const again = statesOf(limit, recent).states
        for (const ids of some)
          for (const { key, value } of update(states, ids).changes) again.restore(key, value)
        expect(again.count()).toBe(states.count())
        const seen = (of: EntityStates) => more.map(ids => update(of, ids))
        expect(seen(again)).toEqual(seen(states))
      }),
    )
  })

  it('are decoded when an entity comes back after others only', () => {
    const { states, decoded } = statesOf(100, 2)
    update(states, ['a', 'b'])
    update(states, ['b', 'a'])
    expect(decoded()).toBe(0)
    update(states, ['c'])
    expect(update(states, ['b']).before).toEqual([2])
    expect(decoded()).toBe(1)
  })

  it('do not show what a batch sets before it is committed', () => {
    const { states } = statesOf(100, 2)
    const view = states.view()
    view.set('a', stateOf(1))
    expect([view.get('a')?.events, states.view().get('a'), states.count()]).toEqual([1, null, 0])
    view.commit(view.changes())
    expect([states.view().get('a')?.events, states.count()]).toEqual([1, 1])
  })
})
