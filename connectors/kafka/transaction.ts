import { setTimeout as sleep } from 'node:timers/promises'
import type { CompressionTypes, Producer, Transaction } from 'kafkajs'
import type { Kafka } from './client.ts'
import { isConcurrentTransaction } from './errors.ts'
import type { InputOffset } from './inputs.ts'
import type { TopicMessages } from './records.ts'

/**
 * Connects a transactional producer and initialises it (KIP-98), which ends whatever a predecessor of the same id had
 * open and fences it: when this resolves, what that predecessor committed is all that it will ever have committed.
 */
export const openProducer = async (
  kafka: Kafka,
  transactionalId: string,
  transactionTimeout = kafka.config.transactionTimeoutMs,
): Promise<Producer> => {
  const producer = kafka.producer({ transactionalId, transactionTimeout })
  try {
    await producer.connect()
    // The only way to make kafkajs initialise: the first transaction does, and an empty one sends nothing else.
    const empty = await producer.transaction()
    await empty.abort()
    return producer
  } catch (error) {
    await producer.disconnect()
    throw error
  }
}

/** What one transaction holds. */
export interface TransactionContent {
  /** Sends in order; together they are one transaction. */
  readonly sends: readonly TopicMessages[][]
  readonly compression: CompressionTypes
  readonly group: string
  readonly partition: number
  /** Where the group reads on in inputs of that partition number. */
  readonly offsets: readonly InputOffset[]
}

const OFFSETS_ATTEMPTS = 200
const OFFSETS_PAUSE_MS = 5

/**
 * Runs one transaction to its commit. After **any** error the producer must be thrown away, not aborted and used again:
 * kafkajs rolls its sequence numbers back when a send fails, and a broker that did take that send would then drop the
 * next transaction's records as duplicates; and after a lost answer to the commit nobody knows its outcome. The next
 * producer of the same id ends the transaction one way or the other. Throws what kafkajs throws.
 */
export const runTransaction = async (producer: Producer, content: TransactionContent): Promise<void> => {
  const transaction = await producer.transaction()
  for (const topicMessages of content.sends) {
    await transaction.sendBatch({ topicMessages, acks: -1, compression: content.compression })
  }
  await sendOffsets(transaction, content)
  await transaction.commit()
}

/**
 * kafkajs retries every request that meets the end of the transaction before, except the one that adds offsets, and
 * without outputs that one comes first. Nothing has been added by then, so it is repeated as it is.
 */
const sendOffsets = async (transaction: Transaction, content: TransactionContent): Promise<void> => {
  const { group, partition } = content
  const offsets = {
    consumerGroupId: group,
    topics: content.offsets.map(({ topic, next }) => ({
      topic,
      partitions: [{ partition, offset: String(next) }],
    })),
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction.sendOffsets(offsets)
    } catch (error) {
      if (attempt === OFFSETS_ATTEMPTS || !isConcurrentTransaction(error)) throw error
      await sleep(OFFSETS_PAUSE_MS)
    }
  }
}
