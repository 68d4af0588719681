import { randomBytes } from 'node:crypto'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { prepareTopics } from '../../connectors/kafka/topics-command.ts'
import { notifierSections } from '../../connectors/notifiers/catalogue.ts'
import { redisConfig } from '../../connectors/redis.ts'
import { createRegistry, registryConfig } from '../../connectors/registry.ts'
import { startConfiguredNotifying } from '../../pipelines/notifying/command.ts'
import { notifyConfig } from '../../pipelines/notifying/config.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics, type Metrics } from '../../runtime/metrics.ts'
import type { AuditEntry } from '../../schemas/audit.ts'
import type { Alert } from '../../schemas/generated.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { services, unique } from './services.ts'
import { cleanUp, testKafka } from './stages.ts'
import { makeAlert } from './threats.ts'

const SECTIONS = {
  kafka: kafkaConfig,
  topics: topicsConfig,
  registry: registryConfig,
  redis: redisConfig,
  notify: notifyConfig,
  ...notifierSections,
}

/** A secret for webhooks. */
export const WEBHOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`

/** Alerts of one test, and notification of them. */
export interface NotifyingSystem {
  readonly prefix: string
  /** Writes records of alerts, each opened just now unless told otherwise. */
  alert(...alerts: readonly Partial<Alert>[]): Promise<void>
  /** Writes entries of the audit log, as a gateway publishes them. */
  audit(...entries: readonly AuditEntry[]): Promise<void>
  /** Writes anything to the topic of alerts. */
  write(value: Buffer, timestamp?: number): Promise<void>
  /** Starts notification until the test ends; `env` are settings. */
  start(
    env: Readonly<Record<string, string>>,
  ): Promise<{ readonly service: Service; readonly metrics: Metrics }>
}

/** Makes topics that nobody else uses. */
export const createNotifyingSystem = async (prefix = `${unique('notify')}.`): Promise<NotifyingSystem> => {
  const { kafkaBrokers, redisUrl, schemaRegistryUrl } = services()
  const base = {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    SCHEMA_REGISTRY_URL: schemaRegistryUrl,
    REDIS_URL: redisUrl,
    TOPIC_PREFIX: prefix,
    TOPIC_PARTITIONS: '4',
    NOTIFY_ALLOW_HTTP: 'true',
  }
  const config = loadConfig(SECTIONS, base)
  await prepareTopics({ config, log: silentLog(), apply: false })
  const { alerts: topic, audit } = topicCatalogue(config.topics)
  const codec = await createRegistry(config.registry).codec('Alert', topic.name)
  const producer = await createBatchProducer({ kafka: testKafka() })
  cleanUp(() => producer.close())
  return {
    prefix,
    alert: async (...alerts) => {
      const now = Date.now()
      const records = alerts
        .map(fields => makeAlert({ openedAt: now, updatedAt: now, ...fields }))
        .map(alert => ({ key: alert.id, value: codec.encode(alert), timestamp: alert.updatedAt }))
      await producer.send(topic.name, records)
    },
    audit: (...entries) =>
      producer.send(
        audit.name,
        entries.map(entry => ({
          key: entry.id,
          value: Buffer.from(JSON.stringify(entry)),
          timestamp: entry.at,
        })),
      ),
    write: (value, timestamp = Date.now()) => producer.send(topic.name, [{ key: 'x', value, timestamp }]),
    start: async env => {
      const metrics = createMetrics()
      const [service] = await startConfiguredNotifying({
        config: loadConfig(SECTIONS, { ...base, ...env }),
        log: silentLog(),
        metrics,
      })
      if (service === undefined) throw new Error('a notifier is configured')
      cleanUp(() => service.close())
      return { service, metrics }
    },
  }
}
