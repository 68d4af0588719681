import { createRequire } from 'node:module'
import { describe, expect, it } from '@jest/globals'

/** The parts of kafkajs that the patch changes; they are not exported, so they are taken by path. */
const require = createRequire(import.meta.url)

interface FilteredMessage {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

const filterAborted = require('kafkajs/src/consumer/filterAbortedMessages.js') as (input: {
  messages: FilteredMessage[]
  abortedTransactions: AbortedTransaction[]
}) => FilteredMessage[]

const ABORT_KEY = Buffer.from([0, 0, 0, 0])

const data = (offset: number, producerId: string, key: Buffer | null = null): FilteredMessage => ({
  offset: String(offset),
  key,
  isControlRecord: false,
  batchContext: { producerId, inTransaction: producerId !== '-1' },
})

const abort = (offset: number, producerId: string): FilteredMessage => ({
  ...data(offset, producerId, ABORT_KEY),
  isControlRecord: true,
})

const delivered = (messages: FilteredMessage[], abortedTransactions: AbortedTransaction[]) =>
  filterAborted({ messages, abortedTransactions })
    .filter(message => !message.isControlRecord)
    .map(message => message.offset)

describe('records of aborted transactions', () => {
  it('are dropped when a fetch starts in the middle of several at once', () => {
    // Three began at 0, 1 and 2; the fetch starts at 3, where all of them are open.
    const messages = [
      data(3, 'c'),
      data(4, 'b'),
      data(5, 'a'),
      data(6, '-1'),
      abort(7, 'a'),
      abort(8, 'b'),
      abort(9, 'c'),
    ]
    const aborted = ['a', 'b', 'c'].map((producerId, i) => ({ producerId, firstOffset: String(i) }))
    expect(delivered(messages, aborted)).toEqual(['6'])
  })

  it('are dropped when the one that began first ended last', () => {
    const messages = [data(0, 'a'), data(1, 'b'), abort(2, 'b'), data(3, 'a'), abort(4, 'a'), data(5, 'b')]
    // The broker lists aborted transactions in the order of their ends.
    const aborted = [
      { producerId: 'b', firstOffset: '1' },
      { producerId: 'a', firstOffset: '0' },
    ]
    expect(delivered(messages, aborted)).toEqual(['5'])
  })

  it('stay dropped behind a record whose key looks like an abort marker', () => {
    const messages = [data(0, 'a', ABORT_KEY), data(1, 'a'), abort(2, 'a'), data(3, 'a')]
    expect(delivered(messages, [{ producerId: 'a', firstOffset: '0' }])).toEqual(['3'])
  })
})

interface Decoded {
  readonly offset: string
  readonly isControlRecord: boolean
}

const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => unknown
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
  decoder: unknown,
) => Promise<{
  records: Decoded[]
}>
const decodeMessages = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js') as (
  decoder: unknown,
) => Promise<Decoded[]>
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (options: Record<string, unknown>) => Promise<{ buffer: Buffer }>
}
const Record0 = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (options: object) => unknown

const batch = async (offsets: readonly number[], lastOffsetDelta: number): Promise<Buffer> => {
  const records = offsets.map(offsetDelta => Record0({ offsetDelta, key: null, value: Buffer.from('v') }))
  return (await RecordBatch({ records, lastOffsetDelta })).buffer
}

describe('record batches', () => {
  it('reach to their last offset when compaction removed its record', async () => {
    const { records } = await decodeBatch(new Decoder(await batch([0, 2], 9)))
    expect(records.map(({ offset, isControlRecord }) => [offset, isControlRecord])).toEqual([
      ['0', false],
      ['2', false],
      ['9', true],
    ])
    const whole = await decodeBatch(new Decoder(await batch([0, 1], 1)))
    expect(whole.records.map(each => each.isControlRecord)).toEqual([false, false])
  })

  it('may hold more records than a call takes arguments', async () => {
    const count = 200_000
    const one = await batch(
      Array.from({ length: count }, (_, i) => i),
      count - 1,
    )
    const size = Buffer.alloc(4)
    size.writeInt32BE(one.length)
    await expect(decodeMessages(new Decoder(Buffer.concat([size, one])))).resolves.toHaveLength(count)
  })
})

describe('a send of many messages', () => {
  const group = require('kafkajs/src/producer/groupMessagesPerPartition.js') as (input: {
    topic: string
    partitionMetadata: object[]
    messages: object[]
    partitioner: () => number
  }) => Record<number, object[]>

  it('is cut by partition in one pass, in order', () => {
    const messages = Array.from({ length: 500 }, (_, i) => ({ i }))
    const iterate = Array.prototype[Symbol.iterator]
    let copies = 0
    // Copying the list for each message, as `[...list, message]`, takes time in the square of its length.
    Array.prototype[Symbol.iterator] = function () {
      copies++
      return iterate.call(this)
    }
    let groups: Record<number, object[]>
    try {
      groups = group({ topic: 't', partitionMetadata: [{}], messages, partitioner: () => 0 })
    } finally {
      Array.prototype[Symbol.iterator] = iterate
    }
    expect(groups[0]).toEqual(messages)
    expect(copies).toBeLessThan(10)
  })
})

describe('a connection with nothing to send', () => {
  const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (
    options: object,
  ) => {
    throttleCheckTimeoutId: unknown
    checkPendingRequests(): void
    destroy(): void
  }

  it('sets no timer, which would fire each millisecond for ever', () => {
    const queue = new RequestQueue({ maxInFlightRequests: 1, clientId: 'c', broker: 'b', logger: {} })
    queue.checkPendingRequests()
    const timer = queue.throttleCheckTimeoutId
    queue.destroy()
    expect(timer).toBeNull()
  })
})
