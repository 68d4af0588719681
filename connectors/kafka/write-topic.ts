import type { Producer, Transaction } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import type { Kafka } from './client.ts'
import { compressionType } from './codecs.ts'
import { isFenced, toKafkaError } from './errors.ts'
import { contentBytes, type NewRecord, planSends } from './records.ts'
import { openProducer } from './transaction.ts'

/** Writes to one topic in one transaction: what it has written can be read once it has committed, and never otherwise. */
export interface TopicWriter {
  /**
   * Takes records in order; resolves when there is room for more. Throws NS_TOO_LARGE, NS_SERVICE_UNREACHABLE, and
   * NS_TRANSACTION_FAILED when another writer of the same topic, or the broker's limit of time, has ended this one.
   */
  write(records: readonly NewRecord[]): Promise<void>
  /** Makes all of it readable at once. Throws as `write` does, and then nothing is. */
  commit(): Promise<void>
  /** Undoes what is not committed, and closes the connection. May be called twice. */
  close(): Promise<void>
}

/** The longest that a transaction may stay open by the broker's default, `transaction.max.timeout.ms`. */
const TRANSACTION_TIMEOUT_MS = 15 * 60_000

/**
 * Opens the one writer of a topic: it ends what an earlier one, of this process or of one that was killed, has left open.
 * Throws NS_SERVICE_UNREACHABLE.
 */
export const openTopicWriter = async (kafka: Kafka, topic: string): Promise<TopicWriter> => {
  const { maxMessageBytes, compression } = kafka.config
  const doing = `writing to ${topic}`
  const open = async (): Promise<Producer> => {
    try {
      return await openProducer(kafka, `${topic}-writer`, { topics: [{ topic }] }, TRANSACTION_TIMEOUT_MS)
    } catch (error) {
      throw toKafkaError(error, doing)
    }
  }
  const producer = await open()
  let transaction: Transaction | undefined
  let waiting: NewRecord[] = []
  let bytes = 0
  let sending: Promise<void> = Promise.resolve()
  let finished = false

  const explain = (error: unknown): SentinelError =>
    isFenced(error)
      ? new SentinelError(
          'NS_TRANSACTION_FAILED',
          `${doing}: nothing of it is there, because another writer took over, or it took over ${TRANSACTION_TIMEOUT_MS / 60_000} minutes`,
          { cause: error },
        )
      : toKafkaError(error, doing)

  const send = async (records: readonly NewRecord[]) => {
    try {
      transaction ??= await producer.transaction()
      const sends = planSends(
        records.map(record => ({ ...record, topic })),
        maxMessageBytes,
      )
      for (const topicMessages of sends) {
        await transaction.sendBatch({ topicMessages, acks: -1, compression: compressionType(compression) })
      }
    } catch (error) {
      throw explain(error)
    }
  }

  /** Sends what waits while more is made, one send at a time. */
  const flush = async () => {
    await sending
    sending = send(waiting)
    // Whoever writes or commits next sees the error.
    sending.catch(() => undefined)
    waiting = []
    bytes = 0
  }

  return {
    write: async records => {
      for (const record of records) {
        waiting.push(record)
        bytes += contentBytes(record)
        if (bytes >= maxMessageBytes) await flush()
      }
    },
    commit: async () => {
      await flush()
      await sending
      try {
        await transaction?.commit()
      } catch (error) {
        throw explain(error)
      }
      finished = true
    },
    close: async () => {
      await producer.disconnect()
      if (finished) return
      finished = true
      // After an error nobody knows what state the old producer is in; the next of its id ends what it left.
      const successor = await open()
      await successor.disconnect()
    },
  }
}
