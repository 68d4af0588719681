import type { Codec } from '../../connectors/avro-codec.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { forEveryPartition } from '../../connectors/kafka/every-partition.ts'
import { createTransactionalProducer } from '../../connectors/kafka/produce.ts'
import type { Decision } from '../../schemas/generated.ts'
import type { DecisionWriter } from './decision-publisher.ts'

interface DecisionWriterDeps {
  readonly kafka: Kafka
  /** Full name of `decisions`. */
  readonly topic: string
  readonly codec: Pick<Codec<Decision>, 'encode'>
  /** The same in every gateway of a store: the broker lets only the latest producer of an id write. */
  readonly transactionalId: string
}

/**
 * Opens a writer of `decisions`, which fences those before it. Each decision goes to every partition, in one transaction.
 * Throws NS_TOPIC_MISSING and NS_SERVICE_UNREACHABLE.
 */
export const openDecisionWriter = async (deps: DecisionWriterDeps): Promise<DecisionWriter> => {
  const { kafka, topic, codec, transactionalId } = deps
  const copiesOf = await forEveryPartition(kafka, topic)
  const producer = await createTransactionalProducer({ kafka, transactionalId, topics: [topic] })
  return {
    write: entries =>
      producer.write(
        entries.flatMap(({ id, at, decision }) =>
          copiesOf({ key: id, value: decision && codec.encode(decision), timestamp: at }).map(record => ({
            ...record,
            topic,
          })),
        ),
      ),
    close: producer.close,
  }
}
