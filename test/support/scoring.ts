import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { createRegistry, registryConfig } from '../../connectors/registry.ts'
import { scoringConfig } from '../../pipelines/scoring/scoring.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Event } from '../../schemas/generated.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { makeEvent } from './events.ts'
import { services, unique } from './services.ts'
import { cleanUp, testKafka } from './stages.ts'

/** When the first event of a test arrived, in ms since 1970: not long ago, so that retention keeps it. */
export const ARRIVED = Date.now() - 3_600_000

/** Topics of a pipeline that nobody else uses, with the codecs of their values. */
export const makeScoringSystem = async (env: Readonly<Record<string, string>> = {}) => {
  const { kafkaBrokers, schemaRegistryUrl } = services()
  const config = loadConfig(
    { kafka: kafkaConfig, topics: topicsConfig, registry: registryConfig, scoring: scoringConfig },
    {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      SCHEMA_REGISTRY_URL: schemaRegistryUrl,
      TOPIC_PREFIX: `${unique('scoring')}.`,
      TOPIC_PARTITIONS: '2',
      SCORING_THRESHOLD: '0',
      ...env,
    },
  )
  const topics = topicCatalogue(config.topics)
  const kafka = testKafka(env)
  await ensureTopics(kafka, Object.values(topics))
  const registry = createRegistry(config.registry)
  const codecs = {
    event: await registry.codec('Event', topics.events.name),
    threat: await registry.codec('Threat', topics.threats.name),
    entityState: await registry.codec('EntityState', topics.entityState.name),
  }
  const producer = await createBatchProducer({ kafka })
  cleanUp(() => producer.close())
  let produced = 0

  /** Produces events, keyed by their entity, one arriving each second; bytes as they are. */
  const produce = async (events: readonly (Partial<Event> | Buffer)[]) => {
    const records = events.map(each => {
      const i = produced++
      const timestamp = ARRIVED + i * 1000
      if (Buffer.isBuffer(each)) return { key: 'junk', value: each, timestamp }
      const event = makeEvent({ id: `raw-events-0-${i}`, time: timestamp, ...each })
      return { key: event.entity, value: codecs.event.encode(event), timestamp }
    })
    await producer.send(topics.events.name, records)
  }
  return { config, topics, kafka, codecs, producer, produce }
}

/** A pipeline as {@link makeScoringSystem} makes it. */
export type ScoringSystem = Awaited<ReturnType<typeof makeScoringSystem>>

/** Events of so many entities in turn, each trying one port after another. */
export const scanEvents = (count: number, entities: number): Partial<Event>[] =>
  Array.from({ length: count }, (_, i) => ({
    entity: `ip:203.0.113.${i % entities}`,
    dstPort: (i * 7) % 1000,
    user: `user-${i % 11}`,
    outcome: i % 3 === 0 ? 'success' : 'failure',
  }))
