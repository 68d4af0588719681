import { partitionCount } from './admin.ts'
import type { Kafka } from './client.ts'
import { createBatchProducer } from './produce.ts'
import type { NewRecord } from './records.ts'

/**
 * Makes copies of a record for every partition of a topic: for what each reader has to know, whichever partitions it reads.
 *
 * Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const forEveryPartition = async (kafka: Kafka, topic: string) => {
  const [[, partitions] = ['', 0]] = await partitionCount(kafka, [topic])
  return (record: Omit<NewRecord, 'partition'>): NewRecord[] =>
    Array.from({ length: partitions }, (_, partition) => ({ ...record, partition }))
}

/**
 * Writes a copy of a record to every partition of a topic. A failure halfway leaves some of the copies; whoever reads them
 * must bear one that comes again.
 *
 * Throws NS_TOO_LARGE, NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const sendToEveryPartition = async (
  kafka: Kafka,
  topic: string,
  record: Omit<NewRecord, 'partition'>,
): Promise<void> => {
  const copiesOf = await forEveryPartition(kafka, topic)
  const producer = await createBatchProducer({ kafka })
  try {
    await producer.send(topic, copiesOf(record))
  } finally {
    await producer.close()
  }
}
