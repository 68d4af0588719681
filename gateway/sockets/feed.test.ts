import { afterEach, describe, expect, it } from '@jest/globals'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { makeEvent } from '../../test/support/events.ts'
import { createMemoryHistory } from '../../test/support/history.ts'
import { asMessage, threatAt } from '../../test/support/threats.ts'
import { until } from '../../test/support/until.ts'
import { type Feed, startFeed } from './feed.ts'

const feeds: Feed[] = []
afterEach(async () => {
  await Promise.all(feeds.splice(0).map(feed => feed.close()))
})

const start = async ({ kept = [] as readonly number[] } = {}) => {
  let isAway = false
  const history = createMemoryHistory(async () => {
    if (isAway) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'away')
  })
  for (const offset of kept) history.add(threatAt(offset))
  const delivered: (number | null)[][] = []
  const lost: unknown[] = []
  const feed = await startFeed({
    history,
    deliver: (_channel, { delivery: { position } }) => delivered.push([position.offset, position.previous]),
    onLost: (channel, place, reason) => lost.push({ channel, reason, ...place }),
    intervalMs: 3_600_000,
    log: silentLog(),
    metrics: createMetrics(),
  })
  feeds.push(feed)
  return {
    feed,
    history,
    delivered,
    lost,
    offsets: () => delivered.map(([offset]) => offset),
    setAway: (away: boolean) => {
      isAway = away
    },
    publish: (offset: number) => {
      feed.receive(history.add(threatAt(offset)))
    },
  }
}

describe('the feed', () => {
  it('begins at the head of the history, and goes on from there', async () => {
    const { feed, delivered, publish } = await start({ kept: [1, 4] })
    expect(feed.placeOf('threats')).toEqual({
      epoch: 'epoch-1',
      positions: [{ partition: 0, offset: 4 }],
    })
    expect(feed.placeOf('alerts').positions).toEqual([])
    publish(6)
    publish(7)
    expect(delivered).toEqual([
      [6, 4],
      [7, 6],
    ])
    expect(feed.lastOf('threats', 0)).toBe(7)
  })

  it('fills gaps from the history, and drops what comes again', async () => {
    const { feed, history, delivered, publish } = await start({ kept: [1] })
    const second = history.add(threatAt(2))
    history.add(threatAt(5))
    publish(6)
    publish(7)
    feed.receive(second)
    await until(() => delivered.length === 4)
    feed.receive(second)
    publish(8)
    expect(delivered).toEqual([
      [2, 1],
      [5, 2],
      [6, 5],
      [7, 6],
      [8, 7],
    ])
  })

  it('finds what nothing came behind, once it has had the time to arrive', async () => {
    const { feed, history, offsets } = await start()
    history.add(threatAt(0))
    await feed.look()
    expect(offsets()).toEqual([])
    await feed.look()
    expect(offsets()).toEqual([0])
    await feed.look()
    expect(offsets()).toEqual([0])
  })

  it('passes over what was erased', async () => {
    const { feed, history, offsets, publish } = await start({ kept: [0] })
    for (const offset of [1, 2]) history.add(threatAt(offset))
    for (const offset of [1, 2]) history.erase(offset)
    await feed.look()
    await feed.look()
    expect(feed.lastOf('threats', 0)).toBe(2)
    publish(3)
    expect(offsets()).toEqual([3])
  })

  it('holds nothing that was erased, also when it was on its way then', async () => {
    const { feed, history, publish } = await start({ kept: [0] })
    const held = (after: number) =>
      feed.after('threats', 0, after, 9)?.map(({ delivery }) => delivery.position.offset)
    publish(1)
    const late = history.add(threatAt(2))
    for (const offset of [1, 2]) history.erase(offset)
    expect(held(-1)).toEqual([0, 1])
    await feed.look()
    feed.receive(late)
    await feed.look()
    expect([held(-1), held(1), held(2)]).toEqual([undefined, undefined, []])
    publish(3)
    await feed.look()
    expect(held(2)).toEqual([3])
  })

  it('goes on where it was when the store comes back', async () => {
    const { feed, history, setAway, offsets, publish } = await start({ kept: [0] })
    history.add(threatAt(1))
    setAway(true)
    publish(2)
    await expect(feed.look()).rejects.toMatchObject({ outcome: 'retriable' })
    expect(offsets()).toEqual([])
    setAway(false)
    await feed.look()
    expect(offsets()).toEqual([1, 2])
    publish(3)
    expect(offsets()).toEqual([1, 2, 3])
  })

  it('says that it begins anew when the topic does, and delivers all of it', async () => {
    const { feed, history, offsets, lost } = await start({ kept: [0, 1, 2, 3] })
    history.renew('epoch-2')
    for (const offset of [0, 1]) history.add(threatAt(offset))
    await feed.look()
    await until(() => offsets().length === 2)
    expect(lost).toEqual([
      { channel: 'threats', reason: 'other-epoch', epoch: 'epoch-2', positions: [] },
      { channel: 'alerts', reason: 'other-epoch', epoch: 'epoch-2', positions: [] },
    ])
    expect(offsets()).toEqual([0, 1])
  })

  it('takes nothing for what follows that is of a topic made anew, or of the one before', async () => {
    const { feed, history, offsets, lost, publish } = await start({ kept: [0, 1] })
    history.renew('epoch-2')
    publish(0)
    // By its place alone it would follow what was delivered of the old topic.
    const next = history.add(threatAt(2))
    feed.receive({ ...next, delivery: threatAt(2) })
    expect(offsets()).toEqual([])
    await until(() => offsets().length === 2)
    feed.receive(asMessage(threatAt(9_000), 'epoch-1'))
    publish(3)
    expect(offsets()).toEqual([0, 2, 3])
    expect(lost).toMatchObject([
      { channel: 'threats', reason: 'other-epoch', epoch: 'epoch-2' },
      { channel: 'alerts', reason: 'other-epoch', epoch: 'epoch-2' },
    ])
  })

  it('begins anew once, also when a gap and a look find out at the same moment that it must', async () => {
    const { feed, history, offsets, lost, publish } = await start({ kept: [0, 1] })
    const late = asMessage(threatAt(5), 'epoch-1')
    history.renew('epoch-2')
    for (const offset of [0, 1, 2]) history.add(threatAt(offset))
    feed.receive(late)
    await Promise.all([feed.look(), feed.look()])
    await until(() => offsets().length === 3)
    publish(3)
    expect(offsets()).toEqual([0, 1, 2, 3])
    expect(lost.filter(each => (each as { channel: string }).channel === 'threats')).toHaveLength(1)
  })

  it('says what it cannot fill any more', async () => {
    const { history, offsets, lost, publish } = await start({ kept: [0] })
    for (const offset of [1, 2]) history.add(threatAt(offset))
    history.forget(0, 1)
    publish(3)
    await until(() => offsets().length === 2)
    expect(lost).toEqual([
      { channel: 'threats', reason: 'too-old', epoch: 'epoch-1', positions: [{ partition: 0, offset: 1 }] },
    ])
    expect(offsets()).toEqual([2, 3])
  })

  it('holds the latest messages, and says when it does not go back so far', async () => {
    const { feed, publish } = await start({ kept: Array.from({ length: 300 }, (_, offset) => offset) })
    publish(300)
    const behind = (offset: number, limit = 999) =>
      feed.after('threats', 0, offset, limit)?.map(({ delivery }) => delivery.position.offset)
    expect(behind(44)?.length).toBe(256)
    expect(behind(43)).toBeUndefined()
    expect(behind(298)).toEqual([299, 300])
    expect(behind(100, 2)).toEqual([101, 102])
    expect(behind(300)).toEqual([])
  })

  it('holds no more bytes than that of messages that are long', async () => {
    const { feed, history } = await start()
    const original = 'x'.repeat(400_000)
    for (const offset of [0, 1, 2]) {
      feed.receive(history.add(threatAt(offset, { event: makeEvent({ original }) })))
    }
    expect(feed.after('threats', 0, 0, 9)).toHaveLength(2)
    expect(feed.after('threats', 0, -1, 9)).toBeUndefined()
  })
})
