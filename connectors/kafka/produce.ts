import type { Kafka } from './client.ts'
import { compressionType } from './codecs.ts'
import { isFenced, toKafkaError } from './errors.ts'
import { type NewRecord, planSends } from './records.ts'
import { openProducer } from './transaction.ts'

/** Writes records outside of any transaction, each once as long as the producer lives. */
export interface BatchProducer {
  /**
   * Writes records to a topic in order, in sends that the broker takes; resolves when all replicas have them.
   * Throws NS_TOO_LARGE, NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE; some of the records may then be there.
   */
  send(topic: string, records: readonly NewRecord[]): Promise<void>
  close(): Promise<void>
}

/** Connects an idempotent producer, for what comes into the pipeline from outside. Throws NS_SERVICE_UNREACHABLE. */
export const createBatchProducer = async (deps: {
  readonly kafka: Kafka
  readonly compression?: 'none' | 'gzip' | 'zstd'
}): Promise<BatchProducer> => {
  const { kafka } = deps
  const compression = compressionType(deps.compression ?? kafka.config.compression)
  const producer = kafka.producer({ idempotent: true })
  try {
    await producer.connect()
  } catch (error) {
    await producer.disconnect()
    throw toKafkaError(error, 'connecting a producer')
  }
  return {
    send: async (topic, records) => {
      const sends = planSends(
        records.map(record => ({ ...record, topic })),
        kafka.config.maxMessageBytes,
      )
      try {
        for (const topicMessages of sends) await producer.sendBatch({ topicMessages, acks: -1, compression })
      } catch (error) {
        throw toKafkaError(error, `writing to ${topic}`)
      }
    },
    close: () => producer.disconnect(),
  }
}

/** Writes groups of records, each group in one transaction: all of it is there, or nothing. */
export interface TransactionalProducer {
  /**
   * Writes a group. After an error the producer must be closed; whether the group is there is for the topics to tell.
   * Throws NS_TRANSACTION_FAILED when another producer of the same id has taken over, NS_TOO_LARGE, NS_TOPIC_MISSING,
   * NS_SERVICE_UNREACHABLE.
   */
  write(records: readonly (NewRecord & { readonly topic: string })[]): Promise<void>
  close(): Promise<void>
}

/**
 * Connects a transactional producer. When this resolves, every predecessor of the same id is fenced, and what it has
 * committed is all that it will ever have. Throws NS_SERVICE_UNREACHABLE.
 */
export const createTransactionalProducer = async (deps: {
  readonly kafka: Kafka
  readonly transactionalId: string
  /** Full names of the topics that it writes to. */
  readonly topics: readonly string[]
}): Promise<TransactionalProducer> => {
  const { kafka, transactionalId } = deps
  const scope = { topics: deps.topics.map(topic => ({ topic })) }
  const compression = compressionType(kafka.config.compression)
  const open = async () => {
    try {
      return await openProducer(kafka, transactionalId, scope)
    } catch (error) {
      throw toKafkaError(error, `opening the transactions of ${transactionalId}`)
    }
  }
  /** Until it ends, readers of committed records wait behind it; the next producer of the same id ends it. */
  const endTransaction = async () => {
    const [next] = await Promise.allSettled([open()])
    if (next.status === 'fulfilled') await next.value.disconnect()
  }
  const producer = await open()
  return {
    write: async records => {
      try {
        const transaction = await producer.transaction()
        for (const topicMessages of planSends(records, kafka.config.maxMessageBytes)) {
          await transaction.sendBatch({ topicMessages, acks: -1, compression })
        }
        await transaction.commit()
      } catch (error) {
        if (!isFenced(error)) await endTransaction()
        throw toKafkaError(error, `writing as ${transactionalId}`)
      }
    },
    close: () => producer.disconnect(),
  }
}
