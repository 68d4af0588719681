import { createRequire } from 'node:module'
import { describe, expect, it } from '@jest/globals'
import { registerCodecs } from './codecs.ts'
import { toKafkaError } from './errors.ts'

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
  readonly timestamp: string
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
  answer?: { bytes: number },
) => Promise<Decoded[]>
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (options: Record<string, unknown>) => Promise<{ buffer: Buffer }>
}
const Encoder = require('kafkajs/src/protocol/encoder.js') as new () => { readonly buffer: Buffer }
const addRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  record: object,
  encoder: object,
) => void

const batch = async (offsets: readonly number[], lastOffsetDelta: number): Promise<Buffer> => {
  const records = new Encoder()
  for (const offsetDelta of offsets) addRecord({ offsetDelta, key: null, value: Buffer.from('v') }, records)
  return (await RecordBatch({ records, recordCount: offsets.length, lastOffsetDelta })).buffer
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

  it('are read where they lie: one buffer for each value, and none for what is around it', async () => {
    const bytes = await batch([...Array(100).keys()], 99)
    const { slice } = Buffer.prototype
    let slices = 0
    Buffer.prototype.slice = function (this: Buffer, ...range: []) {
      slices++
      return slice.apply(this, range)
    }
    try {
      await decodeBatch(new Decoder(bytes))
    } finally {
      Buffer.prototype.slice = slice
    }
    expect(slices).toBeLessThan(110)
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

describe('a coordinator that is not found', () => {
  it('is trouble that passes: the consumer of a broker that starts again is restarted, not ended', () => {
    const { KafkaJSGroupCoordinatorNotFound: NotFound } = require('kafkajs/src/errors.js') as {
      KafkaJSGroupCoordinatorNotFound: new (message: string) => { readonly retriable: boolean }
    }
    expect(new NotFound('Failed to find group coordinator').retriable).toBe(true)
  })
})

describe('metadata that no broker gives', () => {
  interface Cluster {
    metadata(this: object): Promise<unknown>
  }
  const { prototype } = require('kafkajs/src/cluster/index.js') as { readonly prototype: Cluster }
  const createRetry = require('kafkajs/src/retry/index.js') as (options: object) => unknown

  /** Asks a pool of brokers, which gives null where each of them has failed. */
  const ask = (answers: readonly (object | null)[]): Promise<unknown> => {
    const left = [...answers]
    return prototype.metadata.call({
      retrier: createRetry({ retries: 2, initialRetryTime: 1 }),
      brokerPool: {
        refreshMetadataIfNecessary: async () => undefined,
        withBroker: async () => left.shift() ?? null,
      },
    })
  }

  it('is asked for again, and in the end told as a service that is away', async () => {
    const metadata = { topicMetadata: [] }
    await expect(ask([null, metadata])).resolves.toBe(metadata)
    const error: unknown = await ask([null, null, null]).catch((reason: unknown) => reason)
    expect(toKafkaError(error, 'reading').code).toBe('NS_SERVICE_UNREACHABLE')
  })
})

describe('an answer to a fetch', () => {
  const MIB = 1_048_576
  const batches = async (count: number, records: number): Promise<Buffer> => {
    const one = await batch(
      Array.from({ length: records }, (_, i) => i),
      records - 1,
    )
    const size = Buffer.alloc(4)
    size.writeInt32BE(count * one.length)
    return Buffer.concat([size, ...Array.from({ length: count }, () => one)])
  }

  it('is taken as far as memory is meant for it; the first batch always is', async () => {
    const messages = await batches(5, 100_000)
    // A record counts 256 bytes, so that three of these batches are over 64 MiB.
    await expect(decodeMessages(new Decoder(messages))).resolves.toHaveLength(300_000)
    await expect(decodeMessages(new Decoder(messages), { bytes: 63 * MIB })).resolves.toHaveLength(100_000)
    await expect(decodeMessages(new Decoder(messages), { bytes: 64 * MIB })).resolves.toHaveLength(0)
  })

  it('counts what its batches inflate to', async () => {
    registerCodecs({ maxInflatedBytes: 32 * MIB })
    const records = new Encoder()
    addRecord({ offsetDelta: 0, key: null, value: Buffer.alloc(10 * MIB) }, records)
    const { buffer } = await RecordBatch({ records, recordCount: 1, compression: 1 })
    const size = Buffer.alloc(4)
    size.writeInt32BE(9 * buffer.length)
    const messages = Buffer.concat([size, ...Array.from({ length: 9 }, () => buffer)])
    await expect(decodeMessages(new Decoder(messages))).resolves.toHaveLength(7)
  })

  it('has one record for a batch that a codec refuses, at its last offset', async () => {
    registerCodecs({ maxInflatedBytes: 1_000 })
    const records = new Encoder()
    for (const offsetDelta of [0, 1, 2]) {
      addRecord({ offsetDelta, key: null, value: Buffer.alloc(500) }, records)
    }
    const { buffer } = await RecordBatch({ records, recordCount: 3, lastOffsetDelta: 2, compression: 1 })
    const decoded = await decodeBatch(new Decoder(buffer))
    registerCodecs({ maxInflatedBytes: 32 * MIB })
    expect(decoded.records).toHaveLength(1)
    expect(decoded.records[0]).toMatchObject({
      offset: '2',
      value: null,
      isControlRecord: false,
      batchContext: { firstOffset: '0', lastOffsetDelta: 2 },
      refused: { code: 'NS_DECOMPRESSION_LIMIT' },
    })
  })
})

describe('records that are read', () => {
  const Long = require('kafkajs/src/utils/long.js') as { fromValue(value: unknown): unknown }
  const Batch = require('kafkajs/src/consumer/batch.js') as new (
    topic: string,
    fetchedOffset: string,
    data: object,
  ) => { readonly messages: readonly { readonly offset: string }[] }

  const encodeRecords = async (timestamps: readonly number[], firstOffset: string): Promise<Buffer> => {
    const records = new Encoder()
    const [firstTimestamp = 0] = timestamps
    for (const [offsetDelta, timestamp] of timestamps.entries())
      addRecord({ offsetDelta, timestampDelta: timestamp - firstTimestamp, key: null, value: null }, records)
    const rest = { records, recordCount: timestamps.length, lastOffsetDelta: timestamps.length - 1 }
    return (await RecordBatch({ firstOffset, firstTimestamp, ...rest })).buffer
  }

  const batchOf = async (bytes: Buffer, fetched: string) => {
    const { records } = await decodeBatch(new Decoder(bytes))
    return new Batch('t', fetched, { partition: 0, messages: records, abortedTransactions: [] })
  }

  it.each([
    ['usual', [1_700_000_000_000, 1_700_000_000_001, 1_699_999_999_000, 1_700_100_000_000], '41'],
    ['far apart', [0, Number.MAX_SAFE_INTEGER, -1, -8.64e15, 2 ** 31, 2 ** 48, 2 ** 49], '0'],
    ['behind what a number holds', [5, 6, 7], '9223372036854775000'],
  ])('have their offsets and timestamps, %s ones', async (_what, timestamps, firstOffset) => {
    const { records } = await decodeBatch(new Decoder(await encodeRecords(timestamps, firstOffset)))
    expect(records.map(each => each.timestamp)).toEqual(timestamps.map(String))
    expect(records.map(each => each.offset)).toEqual(
      timestamps.map((_, i) => String(BigInt(firstOffset) + BigInt(i))),
    )
  })

  it('do not each cost big integers', async () => {
    const longsFor = async (count: number): Promise<number> => {
      const bytes = await encodeRecords(
        Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 7),
        '1000',
      )
      const { fromValue } = Long
      let made = 0
      Long.fromValue = value => {
        made++
        return fromValue.call(Long, value)
      }
      try {
        await batchOf(bytes, '1000')
      } finally {
        Long.fromValue = fromValue
      }
      return made
    }
    expect(await longsFor(1_000)).toBe(await longsFor(10))
  })

  it('begin at the offset that was asked for', async () => {
    const bytes = await encodeRecords([1, 1, 1, 1], '10')
    const offsets = async (fetched: string) =>
      (await batchOf(bytes, fetched)).messages.map(each => each.offset)
    expect(await offsets('12')).toEqual(['12', '13'])
    expect(await offsets('9')).toEqual(['10', '11', '12', '13'])
    expect(await offsets('14')).toEqual([])
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
