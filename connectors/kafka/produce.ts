import type { Kafka } from './client.ts'
import { compressionType } from './codecs.ts'
import { toKafkaError } from './errors.ts'
import { type NewRecord, planSends } from './records.ts'

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
