import { afterEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Lost, Place, Resume } from '../../schemas/wire.ts'
import { createMemoryHistory } from '../../test/support/history.ts'
import { threatAt } from '../../test/support/threats.ts'
import { until } from '../../test/support/until.ts'
import type { Message } from './broadcaster.ts'
import { type Feed, startFeed } from './feed.ts'
import type { FeedMessage } from './line.ts'
import { createRecovery, type Returning } from './recovery.ts'

const feeds: Feed[] = []
afterEach(async () => {
  await Promise.all(feeds.splice(0).map(feed => feed.close()))
})

/** Lets all that can go on do so. */
const settle = () => new Promise(resolve => setImmediate(resolve))

/** A gateway as its clients see it, without sockets. */
const start = async (gate?: () => Promise<unknown>, held = 256) => {
  const history = createMemoryHistory(gate)
  const live = new Set<(message: FeedMessage) => void>()
  const metrics = createMetrics()
  const feed = await startFeed({
    history,
    deliver: (_channel, message) => {
      for (const send of live) send(message)
    },
    onLost: () => undefined,
    intervalMs: 3_600_000,
    held,
    log: silentLog(),
    metrics,
  })
  feeds.push(feed)
  const recovery = createRecovery({ feed, history, log: silentLog(), metrics })
  return { history, feed, live, recovery, metrics }
}

/** A client that remembers its positions, as one does that resumes. */
const createClient = ({ feed, live, recovery }: Awaited<ReturnType<typeof start>>) => {
  const positions = new Map<number, number>()
  const seen: string[] = []
  const began: { recovered: boolean; reason?: Lost }[] = []
  let turn = Symbol('none')
  let leave = () => undefined as unknown
  let isFull = false
  let fullAfter = Number.NaN
  let epoch: string | undefined
  const take = ({ delivery: { position } }: FeedMessage) => {
    seen.push(`${position.partition}/${position.offset}`)
    if (seen.length === fullAfter) isFull = true
    positions.set(position.partition, position.offset)
  }
  const begin = (place: Place) => {
    epoch = place.epoch
    positions.clear()
    for (const { partition, offset } of place.positions) positions.set(partition, offset)
  }
  const connect = (elsewhere?: Resume): Promise<void> => {
    leave()
    const own = Symbol('turn')
    turn = own
    const goLive = () => {
      live.add(take)
      leave = () => live.delete(take)
    }
    if (epoch === undefined && elsewhere === undefined) {
      begin(feed.placeOf('threats'))
      goLive()
      return Promise.resolve()
    }
    const known = [...positions].map(([partition, offset]) => ({ partition, offset }))
    const resume = elsewhere ?? { ...(epoch === undefined ? {} : { epoch }), positions: known }
    const returning: Returning = {
      isWaiting: () => turn === own,
      hasRoom: () => !isFull,
      begin: (place, reason) => {
        began.push({ recovered: reason === undefined, ...(reason === undefined ? {} : { reason }) })
        begin(place)
      },
      send: take,
      goLive,
    }
    return recovery.recover('threats', resume, returning)
  }
  return {
    seen,
    began,
    connect,
    disconnect: () => {
      leave()
      turn = Symbol('gone')
    },
    setFull: (full: boolean) => {
      isFull = full
    },
    setFullAfter: (messages: number) => {
      fullAfter = messages
    },
  }
}

type Step =
  | {
      readonly do: 'publish'
      readonly partition: number
      readonly reaches: 'once' | 'twice' | 'late' | 'never'
    }
  | { readonly do: 'connect' | 'disconnect'; readonly client: number }
  | { readonly do: 'look' | 'read' | 'arrive' }

const CLIENTS = 3

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      partition: fc.nat(1),
      reaches: fc.constantFrom(
        'once' as const,
        'once' as const,
        'twice' as const,
        'late' as const,
        'never' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('connect' as const, 'disconnect' as const),
      client: fc.nat(CLIENTS - 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('read' as const, 'read' as const, 'look' as const, 'arrive' as const),
    }),
  },
)

describe('recovery', () => {
  it('gives every client each message once and in order, however all of it is interleaved', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 80, size: 'max' }),
        fc.scheduler(),
        async (steps, scheduler) => {
          let isGated = false
          const gate = () => (isGated ? scheduler.schedule(Promise.resolve()) : Promise.resolve())
          const gateway = await start(gate, 2)
          isGated = true
          const clients = Array.from({ length: CLIENTS }, () => createClient(gateway))
          const published: string[] = []
          const work: Promise<unknown>[] = []
          const late: Message[] = []
          // Offsets have holes, and with a small memory much of it comes from the history.
          const next = [0, 5]
          for (const client of clients) await client.connect()
          for (const each of steps) {
            if (each.do === 'publish') {
              const offset = next[each.partition] ?? 0
              next[each.partition] = offset + 1 + (offset % 3)
              const { position, ...content } = threatAt(offset)
              const delivery = gateway.history.add({
                ...content,
                position: { ...position, partition: each.partition },
              })
              published.push(`${each.partition}/${offset}`)
              if (each.reaches === 'late') late.push(delivery)
              else if (each.reaches !== 'never') gateway.feed.receive(delivery)
              if (each.reaches === 'twice') gateway.feed.receive(delivery)
            } else if (each.do === 'connect') work.push(clients[each.client]?.connect() ?? Promise.resolve())
            else if (each.do === 'disconnect') clients[each.client]?.disconnect()
            else if (each.do === 'arrive') {
              const delivery = late.shift()
              if (delivery !== undefined) gateway.feed.receive(delivery)
            } else if (each.do === 'look') work.push(gateway.feed.look())
            else if (scheduler.count() > 0) await scheduler.waitOne()
            await settle()
          }
          isGated = false
          await scheduler.waitIdle()
          await gateway.feed.look()
          await gateway.feed.look()
          await Promise.all([...work, ...clients.map(client => client.connect())])
          const of = (partition: number, messages: readonly string[]) =>
            messages.filter(message => message.startsWith(`${partition}/`))
          for (const { seen, began } of clients) {
            expect(began.every(({ recovered }) => recovered)).toBe(true)
            for (const partition of [0, 1]) expect(of(partition, seen)).toEqual(of(partition, published))
          }
          await gateway.feed.close()
        },
      ),
      { numRuns: 150 },
    )
  })

  it('is live from the very moment at which nothing is missing', async () => {
    for (let turns = 0; turns < 60; turns += 1) {
      let gate = Promise.resolve()
      const gateway = await start(() => gate)
      const client = createClient(gateway)
      await client.connect()
      client.disconnect()
      gateway.feed.receive(gateway.history.add(threatAt(0)))
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      const recovered = client.connect()
      await settle()
      resolve()
      // What the feed fills from the history comes between any two steps of a recovery.
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
      gateway.feed.receive(gateway.history.add(threatAt(1)))
      await recovered
      expect({ turns, seen: client.seen }).toEqual({ turns, seen: ['0/0', '0/1'] })
    }
  })

  it('reads page by page what the memory does not hold, and no further than is live', async () => {
    const gateway = await start(undefined, 0)
    const client = createClient(gateway)
    await client.connect()
    client.disconnect()
    for (let offset = 0; offset < 690; offset += 1)
      gateway.feed.receive(gateway.history.add(threatAt(offset)))
    gateway.history.add(threatAt(690))
    await client.connect()
    expect(client.seen).toEqual(Array.from({ length: 690 }, (_, offset) => `0/${offset}`))
    gateway.feed.receive(gateway.history.add(threatAt(691)))
    await until(() => client.seen.length === 692)
    expect(client.seen.slice(-2)).toEqual(['0/690', '0/691'])
    const { values } = await gateway.metrics.recovered.get()
    expect(values).toMatchObject([{ labels: { channel: 'threats' }, value: 690 }])
  })

  it('reads once for all who come back at the same moment, in pages that those of different places share', async () => {
    let reads = 0
    const gateway = await start(async () => {
      reads += 0.5
    }, 0)
    for (let offset = 0; offset < 350; offset += 1)
      gateway.feed.receive(gateway.history.add(threatAt(offset)))
    const clients = Array.from({ length: 20 }, () => createClient(gateway))
    const before = reads
    await Promise.all(
      clients.map((client, index) =>
        client.connect({ epoch: 'epoch-1', positions: [{ partition: 0, offset: index % 2 }] }),
      ),
    )
    for (const [index, { seen }] of clients.entries()) {
      const from = 1 + (index % 2)
      expect(seen).toEqual(Array.from({ length: 350 - from }, (_, i) => `0/${from + i}`))
    }
    // Where the channel stands, a first page for each place, and three that all share.
    expect(reads - before).toBe(6)
  })

  it('sends nobody what was erased since somebody else was sent it', async () => {
    const gateway = await start(undefined, 0)
    for (let offset = 0; offset < 250; offset += 1)
      gateway.feed.receive(gateway.history.add(threatAt(offset)))
    const [slow, late] = [createClient(gateway), createClient(gateway)]
    slow.setFullAfter(120)
    const recovered = slow.connect({ positions: [] })
    await until(() => slow.seen.length === 120)
    gateway.history.erase(5)
    await late.connect({ positions: [] })
    slow.setFull(false)
    await recovered
    expect([late.seen.length, late.seen.includes('0/5')]).toEqual([249, false])
  })

  it('looks at no partition but those that are there, whatever a client names', async () => {
    const gateway = await start()
    gateway.feed.receive(gateway.history.add(threatAt(0)))
    const reached: number[] = []
    const recovery = createRecovery({
      ...gateway,
      feed: {
        ...gateway.feed,
        reach: async (channel, partition, offset) => {
          reached.push(partition)
          await gateway.feed.reach(channel, partition, offset)
        },
      },
      log: silentLog(),
    })
    const client = createClient({ ...gateway, recovery })
    const positions = Array.from({ length: 50 }, (_, partition) => ({ partition, offset: -1 }))
    await client.connect({ positions })
    expect(client.seen).toEqual(['0/0'])
    expect(reached).toEqual([0])
  })

  it('goes on where it was when a client that fell behind has read', async () => {
    const gateway = await start(undefined, 0)
    for (let offset = 0; offset < 250; offset += 1)
      gateway.feed.receive(gateway.history.add(threatAt(offset)))
    const client = createClient(gateway)
    client.setFullAfter(120)
    const recovered = client.connect({ positions: [{ partition: 0, offset: 9 }] })
    await until(() => client.seen.length === 120)
    gateway.feed.receive(gateway.history.add(threatAt(250)))
    client.setFull(false)
    await recovered
    expect(client.seen).toEqual(Array.from({ length: 241 }, (_, i) => `0/${10 + i}`))
  })

  it('sends nothing to a client that is behind, or that has left', async () => {
    const gateway = await start()
    const client = createClient(gateway)
    await client.connect()
    client.disconnect()
    gateway.feed.receive(gateway.history.add(threatAt(0)))
    client.setFull(true)
    const recovered = client.connect()
    await until(() => client.began.length === 1)
    await settle()
    expect(client.seen).toEqual([])
    client.setFull(false)
    await recovered
    expect(client.seen).toEqual(['0/0'])
    gateway.feed.receive(gateway.history.add(threatAt(1)))
    client.setFull(true)
    const left = client.connect()
    client.disconnect()
    await left
    expect(client.seen).toEqual(['0/0', '0/1'])
    expect(gateway.live.size).toBe(0)
  })

  it('says when it is too old or of another epoch, sends nothing of it, and goes on with what is live', async () => {
    const gateway = await start()
    const client = createClient(gateway)
    await client.connect()
    for (const offset of [0, 1, 2, 3]) gateway.feed.receive(gateway.history.add(threatAt(offset)))
    client.disconnect()
    for (const offset of [4, 5, 6]) gateway.feed.receive(gateway.history.add(threatAt(offset)))
    gateway.history.forget(0, 4)
    await client.connect()
    expect(client.began).toEqual([{ recovered: false, reason: 'too-old' }])
    gateway.feed.receive(gateway.history.add(threatAt(7)))
    client.disconnect()
    gateway.history.renew('epoch-2')
    gateway.feed.receive(gateway.history.add(threatAt(0)))
    await gateway.feed.look()
    await client.connect()
    expect(client.began.at(-1)).toEqual({ recovered: false, reason: 'other-epoch' })
    gateway.feed.receive(gateway.history.add(threatAt(1)))
    expect(client.seen).toEqual(['0/0', '0/1', '0/2', '0/3', '0/7', '0/1'])
  })

  it('waits until its gateway is where another one was already', async () => {
    const gateway = await start()
    const [ahead, present] = [createClient(gateway), createClient(gateway)]
    for (const offset of [0, 1, 2]) gateway.history.add(threatAt(offset))
    await present.connect()
    // It has seen 1 elsewhere.
    await ahead.connect({ epoch: 'epoch-1', positions: [{ partition: 0, offset: 1 }] })
    expect(present.seen).toEqual(['0/0', '0/1', '0/2'])
    expect(ahead.seen).toEqual(['0/2'])
  })

  it('takes a position that nobody was at for one of another epoch', async () => {
    const gateway = await start()
    gateway.feed.receive(gateway.history.add(threatAt(0)))
    const client = createClient(gateway)
    await client.connect({ positions: [{ partition: 0, offset: 1 }] })
    await client.connect({ positions: [{ partition: 7, offset: 0 }] })
    const lost = { recovered: false, reason: 'other-epoch' }
    expect(client.began).toEqual([lost, lost])
  })

  it('waits for a store that is away', async () => {
    let isAway = false
    const gateway = await start(async () => {
      if (isAway) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'away')
    })
    const client = createClient(gateway)
    await client.connect()
    client.disconnect()
    gateway.feed.receive(gateway.history.add(threatAt(0)))
    isAway = true
    const recovered = client.connect()
    await settle()
    expect(client.began).toEqual([])
    isAway = false
    await recovered
    expect(client.seen).toEqual(['0/0'])
  })
})
