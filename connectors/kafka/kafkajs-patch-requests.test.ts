import { createRequire } from 'node:module'
import { Duplex } from 'node:stream'
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
    const broker: Broker & { nodeId?: number } = Object.fromEntries(
      requests.map(name => [name, answer(name)]),
    )
    const found = Object.assign(broker, { nodeId: 1 })
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
    return { manager: createEosManager(deps), asked }
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
