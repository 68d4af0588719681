import { createRequire } from 'node:module'
import { Duplex, PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'

/** The parts of kafkajs that the patch changes; they are not exported, so they are taken by path. */
const require = createRequire(import.meta.url)

const Encoder = require('kafkajs/src/protocol/encoder.js') as new () => object

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

describe('a transactional producer', () => {
  type Broker = Record<string, (request: object) => Promise<object>>
  const createEosManager = require('kafkajs/src/producer/eosManager/index.js') as (deps: object) => {
    initProducerId(): Promise<void>
    lost(): Promise<void>
    beginTransaction(): void
    addPartitionsToTransaction(topics: object[]): Promise<void>
    sendOffsets(offsets: object): Promise<void>
    commit(): Promise<void>
  }
  const refusal = (type: string) => Object.assign(new Error(type), { type, retriable: true })

  /** A cluster of one broker that keeps a list of what it was asked, and refuses what it is told to, each once. */
  const make = (refused: [string, string][] = []) => {
    const asked: string[] = []
    const answer = (name: string) => async () => {
      asked.push(name)
      const [at] = refused.flatMap(([request], i) => (request === name ? [i] : []))
      const [, type] = at === undefined ? [] : (refused.splice(at, 1)[0] ?? [])
      if (type !== undefined) throw refusal(type)
      return { producerId: 1, producerEpoch: 0 }
    }
    const requests = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn']
    const broker: Broker = Object.fromEntries(requests.map(name => [name, answer(name)]))
    const connection = { socket: new PassThrough(), isConnected: () => true }
    const found = Object.assign(broker, { nodeId: 1, connectionPool: { pool: [connection] } })
    const cluster = {
      retry: { initialRetryTime: 1, retries: 3 },
      refreshMetadataIfNecessary: async () => undefined,
      findGroupCoordinator: async () => {
        asked.push('findCoordinator')
        return found
      },
      findBroker: async () => found,
    }
    const logger = { namespace: () => logger, debug: () => undefined }
    const deps = { logger, cluster, transactional: true, transactionalId: 't' }
    return { manager: createEosManager(deps), asked, connection }
  }
  const partitions = [{ topic: 'out', partitions: [{ partition: 0 }] }]
  const offsets = { consumerGroupId: 'g', topics: [] }
  const transact = async (manager: ReturnType<typeof make>['manager']) => {
    manager.beginTransaction()
    await manager.addPartitionsToTransaction(partitions)
    await manager.sendOffsets(offsets)
    await manager.commit()
  }
  const TRANSACTION = ['addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn']

  it('asks once who coordinates', async () => {
    const { manager, asked } = make()
    await manager.initProducerId()
    await transact(manager)
    asked.length = 0
    await transact(manager)
    expect(asked).toEqual(TRANSACTION)
  })

  it('asks again after a coordinator has refused', async () => {
    const { manager, asked } = make([['addPartitionsToTxn', 'NOT_COORDINATOR_FOR_GROUP']])
    await manager.initProducerId()
    manager.beginTransaction()
    await expect(manager.addPartitionsToTransaction(partitions)).rejects.toThrow('NOT_COORDINATOR_FOR_GROUP')
    asked.length = 0
    await manager.addPartitionsToTransaction(partitions)
    expect(asked).toEqual(['findCoordinator', 'addPartitionsToTxn'])
  })

  it('has no further transaction once its connection to the coordinator has ended', async () => {
    const { manager, asked, connection } = make()
    await manager.initProducerId()
    await transact(manager)
    asked.length = 0
    connection.socket.destroy()
    await manager.lost()
    connection.socket = new PassThrough()
    manager.beginTransaction()
    await expect(manager.addPartitionsToTransaction(partitions)).rejects.toMatchObject({
      type: 'INVALID_TXN_STATE',
      retriable: false,
    })
    expect(asked).toEqual([])
  })

  it('repeats what comes while the broker still ends the transaction before', async () => {
    const busy = 'CONCURRENT_TRANSACTIONS'
    const { manager, asked } = make([
      ['addPartitionsToTxn', busy],
      ['addOffsetsToTxn', busy],
      ['addOffsetsToTxn', busy],
    ])
    await manager.initProducerId()
    asked.length = 0
    await transact(manager)
    expect(asked.filter(name => name !== 'findCoordinator')).toEqual([
      'addPartitionsToTxn',
      'addPartitionsToTxn',
      'addOffsetsToTxn',
      'addOffsetsToTxn',
      'addOffsetsToTxn',
      'txnOffsetCommit',
      'endTxn',
    ])
  })
})

describe('requests of one turn of the event loop', () => {
  interface Connection {
    connect(): Promise<unknown>
    send(request: object): Promise<unknown>
  }
  const Connection = require('kafkajs/src/network/connection.js') as new (options: object) => Connection

  it('leave in one write', async () => {
    const writes: number[] = []
    const socket = Object.assign(
      new Duplex({
        read: () => undefined,
        write: (_chunk, _encoding, done) => {
          writes.push(1)
          done()
        },
        writev: (chunks, done) => {
          writes.push(chunks.length)
          done()
        },
      }),
      { setTimeout: () => undefined, setKeepAlive: () => undefined, unref: () => undefined },
    )
    const socketFactory = ({ onConnect }: { onConnect: () => void }) => {
      setImmediate(onConnect)
      return socket
    }
    const log = { namespace: () => log, debug: () => undefined, error: () => undefined }
    const limits = { requestTimeout: 1_000, connectionTimeout: 1_000, enforceRequestTimeout: false }
    const connection = new Connection({ host: 'h', port: 1, logger: log, socketFactory, ...limits })
    await connection.connect()
    const request = { apiKey: 18, apiVersion: 0, apiName: 'x', encode: async () => new Encoder() }
    const sends = [1, 2, 3].map(() => connection.send({ request, response: {} }))
    const settled = Promise.allSettled(sends)
    await turn()
    expect(writes).toEqual([3])
    socket.destroy(new Error('gone'))
    await settled
  })
})

interface WrittenRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: string
  readonly offset: string
  readonly headers: Record<string, Buffer | Buffer[]>
}

describe('a produce request', () => {
  const produce = require('kafkajs/src/protocol/requests/produce/v3/request.js') as (options: object) => {
    encode(): Promise<{ buffer: Buffer }>
  }
  const request = require('kafkajs/src/protocol/request.js') as (
    options: object,
  ) => Promise<{ buffer: Buffer }>
  const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => unknown
  const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
    decoder: unknown,
  ) => Promise<{ records: WrittenRecord[] }>
  const crc32C = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number

  const encode = async (messages: readonly object[]): Promise<Buffer> => {
    const partitions = [{ partition: 0, firstSequence: 0, messages }]
    const options = { acks: -1, timeout: 1, topicData: [{ topic: 't', partitions }] }
    return (await request({ correlationId: 1, clientId: 'c', request: produce(options) })).buffer
  }
  /** Of a request for one partition: everything behind the sizes and names. */
  const recordSetOf = (bytes: Buffer): Buffer =>
    bytes.subarray(bytes.length - bytes.readInt32BE(bytes.indexOf('t', 20) + 9))

  const buffersMadeFor = async (count: number): Promise<number> => {
    const messages = Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: Buffer.of(i & 255) }))
    const made = { alloc: Buffer.alloc, allocUnsafe: Buffer.allocUnsafe, from: Buffer.from }
    let calls = 0
    for (const [name, original] of Object.entries(made))
      Object.assign(Buffer, {
        [name]: (...options: never[]) => {
          calls++
          return (original as (...all: never[]) => Buffer)(...options)
        },
      })
    try {
      await encode(messages)
    } finally {
      Object.assign(Buffer, made)
    }
    return calls
  }

  it('is written into a few buffers, not into several for each record', async () => {
    expect((await buffersMadeFor(2_000)) - (await buffersMadeFor(20))).toBeLessThan(50)
  })

  it('takes a few times the memory that its bytes do, not that of each level by itself', async () => {
    const { allocUnsafe } = Buffer
    let bytes = 0
    Object.assign(Buffer, {
      allocUnsafe: (size: number) => {
        bytes += size
        return allocUnsafe(size)
      },
    })
    try {
      const messages = Array.from({ length: 500 }, () => ({ key: 'k', value: Buffer.alloc(600) }))
      const { length } = await encode(messages)
      expect(bytes / length).toBeLessThan(3.5)
    } finally {
      Object.assign(Buffer, { allocUnsafe })
    }
  })

  it('says what it was given', async () => {
    const messages = [
      {
        key: Buffer.from('a'),
        value: Buffer.alloc(3000, 7),
        timestamp: '1700000000500',
        headers: { h: ['1', '2'] },
      },
      { key: null, value: null, timestamp: '1700000000000' },
      { key: 'ü', value: '', timestamp: '1699999999999' },
      { key: 'late', value: 'v', timestamp: '1799999999999' },
    ]
    const bytes = await encode(messages)
    expect(bytes.readInt32BE(0)).toBe(bytes.length - 4)
    const set = recordSetOf(bytes)
    const { records } = await decodeBatch(new Decoder(set))
    const text = (buffer: Buffer | null) => buffer?.toString() ?? null
    expect(records.map(each => [text(each.key), text(each.value), each.timestamp, each.offset])).toEqual([
      ['a', '\u0007'.repeat(3000), '1700000000500', '0'],
      [null, null, '1700000000000', '1'],
      ['ü', '', '1699999999999', '2'],
      ['late', 'v', '1799999999999', '3'],
    ])
    expect(records[0]?.headers['h']).toEqual([Buffer.from('1'), Buffer.from('2')])
    // First and latest timestamp, and the checksum of what is behind it.
    expect([set.readBigInt64BE(27), set.readBigInt64BE(35)]).toEqual([1699999999999n, 1799999999999n])
    expect(set.readUInt32BE(17)).toBe(crc32C(set.subarray(21)))
  })

  it('has the checksum of CRC-32C', () => {
    // RFC 3720, B.4.
    expect(crc32C(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32C(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
    expect(crc32C(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e)
    expect(crc32C(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32C(Buffer.alloc(0))).toBe(0)
  })

  it('takes its checksum without looking each byte up by itself', () => {
    let reads = 0
    const counted = new Proxy(Buffer.alloc(4096, 1), {
      get: (bytes, name) => {
        if (name === 'length') reads++
        return Reflect.get(bytes, name)
      },
    })
    crc32C(counted)
    expect(reads).toBeLessThan(10)
  })
})
