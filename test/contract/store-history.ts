import { describe, expect, it } from '@jest/globals'
import type { HistoryRecord } from '../../gateway/store/history.ts'
import type { Store } from '../../gateway/store/store.ts'
import type { Alert, Threat } from '../../schemas/generated.ts'
import { makeAlert, makeThreat } from '../support/threats.ts'
import { NOW } from './store-values.ts'

const threat = (offset: number, fields: Partial<Threat> = {}): HistoryRecord => ({
  offset,
  stamp: NOW + offset,
  content: { type: 'threat', data: makeThreat({ id: `t-${offset}`, time: NOW + offset, ...fields }) },
})

const alert = (offset: number, fields: Partial<Alert> = {}): HistoryRecord => ({
  offset,
  stamp: NOW + offset,
  content: { type: 'alert', data: makeAlert({ updatedAt: NOW + offset, ...fields }) },
})

const add = (store: Store, records: readonly HistoryRecord[], { partition = 0, now = NOW } = {}) => {
  const channel = records[0]?.content.type === 'alert' ? 'alerts' : 'threats'
  return store.addHistory({ channel, partition, records, now })
}

const read = async (
  store: Store,
  after: number,
  fields: { partition?: number; limit?: number; epoch?: string } = {},
) => {
  const { epoch } = await store.historyState('threats')
  const page = await store.readHistory({
    channel: 'threats',
    epoch,
    partition: 0,
    after,
    limit: 9,
    ...fields,
  })
  return typeof page === 'string' ? page : page.map(({ position }) => [position.offset, position.previous])
}

/** What the history of every store must do. `create` opens an empty store twice, as two gateways would. */
export const historyContract = (create: () => Promise<readonly [Store, Store]>): void => {
  describe('the history', () => {
    it('is read in order, from any place, page by page, each with the one before it', async () => {
      const [store, other] = await create()
      expect(await add(store, [threat(3), threat(5)])).toMatchObject({ previous: null })
      expect(await add(other, [threat(9)])).toMatchObject({ previous: 5 })
      await add(store, [threat(7)], { partition: 1 })
      const { epoch } = await other.historyState('threats')
      const page = await other.readHistory({ channel: 'threats', epoch, partition: 0, after: 2, limit: 1 })
      expect(page).toEqual([{ ...threat(3).content, position: { partition: 0, offset: 3, previous: 2 } }])
      expect(await read(store, 3)).toEqual([
        [5, 3],
        [9, 5],
      ])
      expect(await read(store, 9)).toEqual([])
      expect(await read(store, 6, { partition: 1 })).toEqual([[7, 6]])
      expect(await read(store, 0, { partition: 2 })).toEqual([])
      expect(await store.historyState('alerts')).toMatchObject({ partitions: [] })
      expect(await store.historyState('threats')).toEqual({
        epoch,
        erasures: 0,
        partitions: [
          { partition: 0, head: 9, forgotten: -1 },
          { partition: 1, head: 7, forgotten: -1 },
        ],
      })
    })

    it('holds a record once, whoever adds it how often, and knows what lies before it', async () => {
      const [store, other] = await create()
      const records = Array.from({ length: 40 }, (_, offset) => threat(offset))
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => add(i % 2 === 0 ? store : other, records.slice(0, 5 * (i + 1)))),
      )
      const { epoch } = await store.historyState('threats')
      expect(await read(other, -1, { limit: 99 })).toEqual(
        records.map(({ offset }) => [offset, offset === 0 ? null : offset - 1]),
      )
      expect(await add(store, [threat(20), threat(21)])).toEqual({ epoch, previous: 19 })
      expect(await add(store, [threat(39), threat(40)])).toEqual({ epoch, previous: 38 })
      expect((await store.historyState('threats')).partitions).toMatchObject([{ head: 40 }])
    })

    it.each([
      ['with other records', [threat(0, { id: 'other' })]],
      ['with equal records of another time', [{ ...threat(0), stamp: NOW + 77 }]],
      ['with records where there were none', [threat(1)]],
    ])('begins a new epoch when the topic was made anew %s', async (_name, records) => {
      const [store, other] = await create()
      const before = await add(store, [threat(0), threat(2), threat(3)])
      await add(store, [threat(0)], { partition: 1 })
      const after = await add(other, records)
      expect(after).toEqual({ epoch: expect.any(String), previous: null })
      expect(after.epoch).not.toBe(before.epoch)
      expect(await store.historyState('threats')).toMatchObject({
        epoch: after.epoch,
        partitions: [{ partition: 0, head: records[0]?.offset }],
      })
      expect(await read(store, -1, { epoch: before.epoch })).toBe('other-epoch')
      expect(await store.listHistory('threats', { limit: 9 })).toHaveLength(1)
      expect(await store.forgetHistory(0, 2)).toBe(3)
      expect(await store.forgetHistory(0, 2)).toBe(1)
      expect(await store.forgetHistory(0, 2)).toBe(0)
      expect(await store.listHistory('threats', { limit: 9 })).toHaveLength(1)
    })

    it('forgets what is old, a little at a time, and says so to those who ask for it', async () => {
      const [store, other] = await create()
      await add(store, [threat(0), threat(1), threat(2)], { now: NOW })
      await add(store, [threat(3)], { now: NOW + 10 })
      await add(store, [threat(4)], { now: NOW, partition: 1 })
      expect(await other.forgetHistory(NOW + 10, 2)).toBe(3)
      expect(await read(store, 0)).toBe('too-old')
      expect(await read(store, 1)).toHaveLength(2)
      expect(await other.forgetHistory(NOW + 10, 2)).toBe(1)
      expect(await other.forgetHistory(NOW + 10, 2)).toBe(0)
      expect(await read(store, 1)).toBe('too-old')
      expect(await read(store, 2)).toEqual([[3, 2]])
      expect(await read(store, 4, { partition: 1 })).toEqual([])
      const { epoch } = await store.historyState('threats')
      expect(await add(store, [threat(5)], { partition: 1 })).toEqual({ epoch, previous: 4 })
    })

    it('knows what it has forgotten from a topic made anew', async () => {
      const [store] = await create()
      const { epoch } = await add(store, [threat(0), threat(1)])
      await store.forgetHistory(NOW + 1, 9)
      expect(await add(store, [threat(0), threat(1), threat(2)])).toEqual({ epoch, previous: null })
      expect(await read(store, 1)).toEqual([[2, 1]])
      expect((await add(store, [{ ...threat(0), stamp: NOW + 99 }])).epoch).not.toBe(epoch)
    })

    it('lists threats by what they are, the latest first, page by page', async () => {
      const [store, other] = await create()
      await add(store, [
        threat(0, { severity: 'low', score: 0.5 }),
        threat(1, { entity: 'ip:192.0.2.1' }),
        threat(2, { time: NOW - 5 }),
      ])
      await add(store, [threat(1, { id: 'same time', severity: 'critical' })], { partition: 1 })
      const ids = async (filter: object) =>
        (await other.listHistory('threats', { limit: 9, ...filter })).map(({ data }) => data.id)
      expect(await ids({})).toEqual(['same time', 't-1', 't-0', 't-2'])
      expect(await ids({ entity: 'ip:192.0.2.1' })).toEqual(['t-1'])
      expect(await ids({ minSeverity: 'high' })).toEqual(['same time', 't-1', 't-2'])
      expect(await ids({ minScore: 0.6, to: NOW })).toEqual(['t-2'])
      expect(await ids({ from: NOW + 1 })).toEqual(['same time', 't-1'])
      expect(await ids({ after: { time: NOW + 1, partition: 1, offset: 1 }, limit: 2 })).toEqual([
        't-1',
        't-0',
      ])
      expect(await ids({ entity: "' OR 1=1 --" })).toEqual([])
      expect(await other.findHistory('threats', 't-2')).toEqual({
        ...threat(2, { time: NOW - 5 }).content,
        partition: 0,
        offset: 2,
        time: NOW - 5,
      })
      expect(await other.findHistory('alerts', 't-2')).toBeUndefined()
    })

    it('lists alerts as they stand, which is filtered and not what they were', async () => {
      const [store] = await create()
      await add(store, [
        alert(0, { id: 'a' }),
        alert(1, { id: 'b', updatedAt: 0, lastSeen: NOW + 1 }),
        alert(2, { id: 'a', revision: 2 }),
      ])
      await add(store, [alert(3, { id: 'a', revision: 3, status: 'resolved', severity: 'low' })])
      const list = async (filter: object) =>
        (await store.listHistory('alerts', { limit: 9, ...filter })).map(
          ({ type, data }) => type === 'alert' && [data.id, data.revision],
        )
      expect(await list({})).toEqual([
        ['a', 3],
        ['b', 1],
      ])
      expect(await list({ status: 'open' })).toEqual([['b', 1]])
      expect(await list({ minSeverity: 'high' })).toEqual([['b', 1]])
      expect(await store.findHistory('alerts', 'a')).toMatchObject({ offset: 3, data: { revision: 3 } })
      const { epoch } = await store.historyState('alerts')
      const all = await store.readHistory({ channel: 'alerts', epoch, partition: 0, after: -1, limit: 9 })
      expect(all).toHaveLength(4)
    })

    it('holds nothing about an entity that was erased, also when it comes again', async () => {
      const [store, other] = await create()
      const entity = 'user:eve'
      const records = [threat(0), threat(1, { entity }), threat(2, { entity }), threat(3)]
      const { epoch } = await add(store, records)
      const { erasures } = await store.historyState('threats')
      expect(await other.eraseFromHistory(entity, 1)).toBe(1)
      expect((await store.historyState('threats')).erasures).not.toBe(erasures)
      expect(await other.eraseFromHistory(entity, 9)).toBe(1)
      expect(await other.eraseFromHistory(entity, 9)).toBe(0)
      expect(await add(store, records)).toEqual({ epoch, previous: null })
      expect(await read(store, -1)).toEqual([
        [0, null],
        [3, 0],
      ])
      expect(await store.listHistory('threats', { entity, limit: 9 })).toEqual([])
      expect(await store.findHistory('threats', 't-1')).toBeUndefined()
    })
  })
}
