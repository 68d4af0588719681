import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import type { NewRecord } from '../../connectors/kafka/records.ts'
import { redisConfig } from '../../connectors/redis.ts'
import { createRegistry, registryConfig } from '../../connectors/registry.ts'
import { sourcesConfig } from '../../connectors/sources/config.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { startIngest } from '../../pipelines/ingest/command.ts'
import { startScoring } from '../../pipelines/scoring/command.ts'
import { scoringConfig } from '../../pipelines/scoring/scoring.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { services, unique } from './services.ts'
import { cleanUp, drained, testKafka } from './stages.ts'

/** Ingest and scoring on topics that nobody else uses, every event being a threat, until the test ends. */
export const runPipeline = async (env: Readonly<Record<string, string>> = {}) => {
  const { kafkaBrokers, redisUrl, schemaRegistryUrl } = services()
  const config = loadConfig(
    {
      kafka: kafkaConfig,
      topics: topicsConfig,
      registry: registryConfig,
      sources: sourcesConfig,
      scoring: scoringConfig,
      models: modelsConfig,
      data: dataConfig,
      redis: redisConfig,
    },
    {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      SCHEMA_REGISTRY_URL: schemaRegistryUrl,
      REDIS_URL: redisUrl,
      TOPIC_PREFIX: `${unique('pipeline')}.`,
      TOPIC_PARTITIONS: '2',
      SCORING_THRESHOLD: '0',
      ...env,
    },
  )
  const topics = topicCatalogue(config.topics)
  const kafka = testKafka(env)
  await ensureTopics(kafka, Object.values(topics))
  const metrics = createMetrics()
  const deps = { config, log: silentLog(), metrics }
  const stages = [await startIngest(deps), await startScoring(deps)]
  for (const stage of stages) cleanUp(() => stage.close())
  const producer = await createBatchProducer({ kafka })
  cleanUp(() => producer.close())
  const registry = createRegistry(config.registry)
  return {
    topics,
    kafka,
    metrics,
    stages,
    threatCodec: await registry.codec('Threat', topics.threats.name),
    /** Sends raw records and waits until both stages have done with them. */
    process: async (records: readonly NewRecord[], compression?: 'gzip' | 'zstd') => {
      const sender = compression ? await createBatchProducer({ kafka, compression }) : producer
      await sender.send(topics.rawEvents.name, records)
      if (sender !== producer) await sender.close()
      await drained(`${config.topics.prefix}ingest`, topics.rawEvents.name, kafka)
      await drained(`${config.topics.prefix}scoring`, topics.events.name, kafka)
    },
  }
}

/** A raw line of an SSH login from a honeypot, so much longer than usual. */
export const loginLine = (padding = 0): Buffer =>
  Buffer.from(
    JSON.stringify({
      dst_host: '127.0.0.1',
      dst_port: 22,
      logdata: { PASSWORD: 'toor', USERNAME: 'guest', LOCALVERSION: 'x'.repeat(padding) },
      logtype: 4002,
      node_id: 'opencanary-1',
      src_host: '127.0.10.5',
      src_port: 52_395,
      utc_time: '2026-11-23 21:13:54.709072',
    }),
  )
