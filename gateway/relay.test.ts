import { describe, expect, it } from '@jest/globals'
import type { InputRecord } from '../connectors/kafka/stage.ts'
import { type ErrorCode, SentinelError } from '../runtime/errors.ts'
import { silentLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import type { Delivery } from '../schemas/wire.ts'
import { makeAlert, makeThreat } from '../test/support/threats.ts'
import { createRelay } from './relay.ts'
import { createMemoryBroadcaster } from './sockets/memory-broadcaster.ts'
import type { HistoryStore } from './store/history.ts'

const THREATS = 'x-threats'
const ALERTS = 'x-alerts'

const threatRecord = (offset: number, fields: Partial<InputRecord> = {}): InputRecord => ({
  topic: THREATS,
  partition: 0,
  offset,
  timestamp: 0,
  key: null,
  value: Buffer.from(JSON.stringify(makeThreat({ id: `t-${offset}` }))),
  headers: {},
  ...fields,
})

const decode = async <T>(value: Buffer): Promise<T> => {
  try {
    return JSON.parse(value.toString()) as T
  } catch (cause) {
    throw new SentinelError('NS_UNDECODABLE', 'not a record', { cause })
  }
}

/** A history that knows what was added, and can be away. */
const createHistory = () => {
  const added: { channel: string; partition: number; offset: number }[] = []
  let isAway = false
  const addHistory: HistoryStore['addHistory'] = async ({ channel, partition, records }) => {
    if (isAway) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'the store is away')
    const first = records[0]?.offset ?? 0
    const before = added
      .filter(each => each.channel === channel && each.partition === partition && each.offset < first)
      .map(({ offset }) => offset)
    added.push(...records.map(({ offset }) => ({ channel, partition, offset })))
    return { epoch: 'e', previous: before.length === 0 ? null : Math.max(...before) }
  }
  return { added, addHistory, goAway: (away: boolean) => (isAway = away) }
}

const create = async () => {
  const memory = createMemoryBroadcaster()
  const received: Delivery[] = []
  await memory.subscribe(({ delivery, text }) => {
    expect(JSON.parse(text)).toEqual(delivery)
    received.push(delivery)
  })
  const failures = new Map<number, ErrorCode>()
  const metrics = createMetrics()
  const history = createHistory()
  let onTheirWay = 0
  let most = 0
  const relay = createRelay({
    topics: { threats: THREATS, alerts: ALERTS },
    decodeThreat: value => decode<Threat>(value),
    decodeAlert: value => decode<Alert>(value),
    broadcaster: {
      ...memory,
      broadcastThreat: async message => {
        onTheirWay += 1
        most = Math.max(most, onTheirWay)
        await Promise.resolve()
        onTheirWay -= 1
        const code = failures.get(message.delivery.position.offset)
        if (code !== undefined) throw new SentinelError(code, 'it fails')
        await memory.broadcastThreat(message)
      },
    },
    history,
    log: silentLog(),
    metrics,
    now: () => 0,
  })
  return {
    relay,
    history,
    received,
    failures,
    metrics,
    most: () => most,
    chain: () => received.map(({ position }) => [position.partition, position.offset, position.previous]),
  }
}

describe('the relay', () => {
  it('names the data record before each one, over holes and batches, per topic and partition', async () => {
    const { relay, received, chain } = await create()
    await relay.onBatch([threatRecord(3), threatRecord(5)])
    await relay.onBatch([threatRecord(4, { partition: 1 })])
    await relay.onBatch([threatRecord(9)])
    await relay.onBatch([threatRecord(6, { topic: ALERTS, value: Buffer.from(JSON.stringify(makeAlert())) })])
    expect(chain()).toEqual([
      [0, 3, null],
      [0, 5, 3],
      [1, 4, null],
      [0, 9, 5],
      [0, 6, null],
    ])
    expect(received.at(-1)).toMatchObject({ type: 'alert', data: makeAlert() })
  })

  it('learns from the history what came before, also of what comes again', async () => {
    const { relay, chain } = await create()
    await relay.onBatch([threatRecord(1), threatRecord(3)])
    await relay.onBatch([threatRecord(3), threatRecord(9)])
    expect(chain().slice(2)).toEqual([
      [0, 3, 1],
      [0, 9, 3],
    ])
  })

  it('broadcasts nothing that is not in the history yet', async () => {
    const { relay, history, received } = await create()
    history.goAway(true)
    await expect(relay.onBatch([threatRecord(1)])).rejects.toMatchObject({ outcome: 'retriable' })
    expect(received).toEqual([])
    history.goAway(false)
    await relay.onBatch([threatRecord(1)])
    expect(received).toHaveLength(1)
    expect(history.added).toEqual([{ channel: 'threats', partition: 0, offset: 1 }])
  })

  it('goes on when the transport does not take a record, which is in the history', async () => {
    const { relay, failures, history, metrics, chain } = await create()
    failures.set(2, 'NS_SERVICE_UNREACHABLE')
    await relay.onBatch([threatRecord(1), threatRecord(2), threatRecord(3)])
    await relay.onBatch([threatRecord(4)])
    expect(chain()).toEqual([
      [0, 1, null],
      [0, 3, 2],
      [0, 4, 3],
    ])
    expect(history.added).toHaveLength(4)
    expect((await metrics.broadcastFailures.get()).values).toMatchObject([{ value: 1 }])
  })

  it('keeps order over a backlog, of which few are on their way at a time', async () => {
    const { relay, chain, most } = await create()
    await relay.onBatch(Array.from({ length: 300 }, (_, offset) => threatRecord(offset)))
    expect(chain()).toEqual(Array.from({ length: 300 }, (_, i) => [0, i, i === 0 ? null : i - 1]))
    expect(most()).toBe(64)
  })

  it('passes over tombstones, and over records at fault, which it counts', async () => {
    const { relay, metrics, history, chain } = await create()
    await relay.onBatch([
      threatRecord(1),
      threatRecord(2, { value: null }),
      threatRecord(3, { value: Buffer.from('{') }),
      threatRecord(4, { value: Buffer.from(JSON.stringify({ ...makeThreat(), id: '' })) }),
      threatRecord(5),
      threatRecord(6, { value: Buffer.from(JSON.stringify({ ...makeThreat(), score: null })) }),
    ])
    expect(chain().map(([, offset]) => offset)).toEqual([1, 5])
    expect(history.added.map(({ offset }) => offset)).toEqual([1, 5])
    const { values } = await metrics.undeliverable.get()
    expect(values.map(({ labels, value }) => [labels.code, value])).toEqual([
      ['NS_UNDECODABLE', 1],
      ['NS_MALFORMED', 2],
    ])
  })

  it('lets an error through that is not the fault of a record, whole', async () => {
    const { relay, failures, received } = await create()
    failures.set(1, 'NS_INTERNAL')
    await expect(relay.onBatch([threatRecord(1), threatRecord(2)])).rejects.toMatchObject({
      outcome: 'fatal',
    })
    expect(received.map(({ position }) => position.offset)).toEqual([2])
  })
})
