import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { makeEvent } from '../../test/support/events.ts'
import { makeThreat } from '../../test/support/threats.ts'
import { createDiffCount, type Difference, diffThreats, isEqual, type Placed } from './diff.ts'

async function* streamOf(placed: readonly Placed[]): AsyncGenerator<Placed> {
  yield* placed
}

const placedAt = (eventOffset: number, fields: Partial<Placed['threat']> = {}): Placed => ({
  threat: makeThreat({ id: `raw-events-0-${eventOffset}`, eventOffset, ...fields }),
  key: 'ip:203.0.113.9',
  timestamp: 1_700_000_000_000 + eventOffset,
})

const compare = async (a: readonly Placed[], b: readonly Placed[], ignore: readonly string[] = []) => {
  const differences: Difference[] = []
  const count = createDiffCount()
  const compared = await diffThreats(streamOf(a), streamOf(b), {
    ignore: new Set(ignore),
    onDifference: difference => {
      differences.push(difference)
      count.difference(difference)
    },
  })
  count.compared(compared)
  return { differences, summary: count.summary() }
}

const row = (...offsets: readonly number[]): Placed[] => offsets.map(offset => placedAt(offset))

/** A difference in one word and the offset of its event. */
const named = (difference: Difference): string => {
  const { eventOffset } = difference.kind === 'change' ? difference.after : difference.threat
  return `${difference.kind}${'side' in difference ? ` in ${difference.side}` : ''} ${eventOffset}`
}

describe('the difference of two partitions of threats', () => {
  it('is nothing between equal ones', async () => {
    const { differences, summary } = await compare(row(1, 4, 9), row(1, 4, 9))
    expect(differences).toEqual([])
    expect(summary).toMatchObject({ a: 3, b: 3, same: 3 })
    expect(isEqual(summary)).toBe(true)
    expect(isEqual((await compare([], [])).summary)).toBe(true)
  })

  it('names what appears, vanishes and changes', async () => {
    const changed = placedAt(4, { score: 0.4, severity: 'low' })
    const { differences, summary } = await compare(row(1, 4, 9), [changed, ...row(9, 12)])
    expect(differences.map(named).toSorted()).toEqual(['appear 12', 'change 4', 'vanish 1'])
    expect(differences.find(each => each.kind === 'change')).toMatchObject({
      fields: ['score', 'severity'],
      before: { score: 0.91, severity: 'high' },
      after: { score: 0.4, severity: 'low' },
    })
    expect(summary).toMatchObject({
      appear: 1,
      vanish: 1,
      change: 1,
      same: 1,
      fields: { score: 1, severity: 1 },
      severities: { 'high → low': 1 },
    })
    expect(isEqual(summary)).toBe(false)
  })

  it.each<[string, Placed]>([
    ['id', placedAt(4, { id: 'other' })],
    ['score', placedAt(4, { score: 0.91 + Number.EPSILON })],
    ['modelScores', placedAt(4, { modelScores: { forest: 0.91, ecod: 0.5 } })],
    [
      'contributions',
      placedAt(4, {
        contributions: [
          { feature: 'failures', value: 12, share: 0.5, expectedLow: 0, expectedHigh: 3, eventsAgo: 0 },
        ],
      }),
    ],
    ['techniques', placedAt(4, { techniques: ['T1110', 'T1110'] })],
    ['event.user', placedAt(4, { event: makeEvent({ user: null }) })],
    [
      'event.origin',
      placedAt(4, { event: makeEvent({ origin: { topic: 't', partition: 0, offset: 0, timestamp: 0 } }) }),
    ],
    ['record.key', { ...placedAt(4), key: null }],
    ['record.timestamp', { ...placedAt(4), timestamp: 0 }],
  ])('sees a change of %s, unless it is to be ignored', async (field, changed) => {
    const { differences } = await compare(row(4), [changed])
    expect(differences).toMatchObject([{ kind: 'change', fields: [field] }])
    expect((await compare(row(4), [changed], [field])).differences).toEqual([])
    expect((await compare(row(4), [changed], ['title'])).differences).toHaveLength(1)
  })

  it('ignores the whole event when told to', async () => {
    const other = placedAt(4, { event: makeEvent({ user: null, command: 'id' }) })
    expect((await compare(row(4), [other], ['event'])).differences).toEqual([])
  })

  it('names what is there again, and what is out of order, and still compares it', async () => {
    const batchTwice = await compare(row(1, 2, 3), row(1, 2, 1, 2, 3))
    expect(batchTwice.differences.map(named)).toEqual(['duplicate in b 1', 'duplicate in b 2'])
    const swapped = await compare(row(1, 3, 2), row(1, 2, 3))
    expect(swapped.differences.map(named)).toEqual(['order in a 2'])
    expect(swapped.summary).toMatchObject({ a: 3, b: 3, same: 3, appear: 0, vanish: 0 })
    const both = await compare(row(1, 3), [placedAt(3), placedAt(1, { score: 0.1 }), placedAt(1)])
    expect(both.differences.map(named)).toEqual(['order in b 1', 'change 1', 'duplicate in b 1'])
  })

  it('holds no more than some thousands for what comes late', async () => {
    const many = Array.from({ length: 10_002 }, (_, i) => placedAt(i))
    const late = await compare(many, [placedAt(20_000), placedAt(0), placedAt(10_001)])
    // 0 and 1 had been given up by the time that 0 came.
    expect(late.summary).toMatchObject({ order: 2, vanish: 10_001, appear: 2, same: 1 })
  })

  it('is what the two lists say, whatever they are', async () => {
    const side = fc.array(
      fc.record({ offset: fc.integer({ min: 0, max: 12 }), score: fc.constantFrom(0.5, 0.75) }),
      { maxLength: 15 },
    )
    const inOrder = side.map(list => list.toSorted((x, y) => x.offset - y.offset))
    const any = fc.oneof(side, inOrder)
    type Item = { readonly offset: number; readonly score: number }

    /** Says the same from whole lists: which come first, which again, which after a later one. */
    const look = (list: readonly Item[], name: 'a' | 'b') => {
      const first = new Map<number, number>()
      const found: string[] = []
      let highest = -1
      for (const { offset, score } of list) {
        if (first.has(offset)) found.push(`duplicate in ${name} ${offset}`)
        else if (offset < highest) found.push(`order in ${name} ${offset}`)
        if (!first.has(offset)) first.set(offset, score)
        highest = Math.max(highest, offset)
      }
      return { first, found }
    }
    await fc.assert(
      fc.asyncProperty(any, any, async (left, right) => {
        const [a, b] = [look(left, 'a'), look(right, 'b')]
        const expected = [
          ...a.found,
          ...b.found,
          ...[...a.first.keys()].filter(offset => !b.first.has(offset)).map(offset => `vanish ${offset}`),
          ...[...b.first.keys()].filter(offset => !a.first.has(offset)).map(offset => `appear ${offset}`),
          ...[...a.first]
            .filter(([offset, score]) => b.first.has(offset) && b.first.get(offset) !== score)
            .map(([offset]) => `change ${offset}`),
        ]
        const place = ({ offset, score }: Item) => placedAt(offset, { score })
        const { differences, summary } = await compare(left.map(place), right.map(place))
        expect(differences.map(named).toSorted()).toEqual(expected.toSorted())
        expect(summary).toMatchObject({ a: left.length, b: right.length })
        const shared = [...a.first].filter(([offset, score]) => b.first.get(offset) === score)
        expect(summary.same).toBe(shared.length)
      }),
      { numRuns: 500 },
    )
  })
})
