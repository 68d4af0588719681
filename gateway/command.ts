import { createKafka, type KafkaSettings } from '../connectors/kafka/client.ts'
import { consumeEach } from '../connectors/kafka/consume.ts'
import { createBatchProducer } from '../connectors/kafka/produce.ts'
import type { redisConfig } from '../connectors/redis.ts'
import { createRegistry, type registryConfig } from '../connectors/registry.ts'
import type { Command } from '../runtime/command.ts'
import type { SectionValues } from '../runtime/config.ts'
import type { dataConfig } from '../runtime/data.ts'
import { createCloser } from '../runtime/lifecycle.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { topicCatalogue, type topicsConfig } from '../schemas/topics.ts'
import type { GatewaySettings } from './config.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { openDecisionWriter } from './triage/decision-writer.ts'

/** The settings that the gateway reads. */
export interface GatewayConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly redis: SectionValues<typeof redisConfig>
  readonly gateway: GatewaySettings
  readonly data: SectionValues<typeof dataConfig>
}

interface KafkaGatewayDeps {
  readonly config: GatewayConfig
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Starts a gateway on Kafka: `threats` and `alerts` to WebSockets, what people decide to `decisions`, at least once. Throws
 * what {@link startGateway} throws, NS_TOPIC_MISSING and NS_SCHEMA_INCOMPATIBLE.
 */
export const startKafkaGateway = async ({ config, log, metrics }: KafkaGatewayDeps): Promise<Gateway> => {
  const { threats, alerts, audit, decisions } = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const threatCodec = await registry.codec('Threat', threats.name)
  const alertCodec = await registry.codec('Alert', alerts.name)
  const decisionCodec = await registry.codec('Decision', decisions.name)
  const kafka = createKafka({ config: config.kafka, log })
  const producer = await createBatchProducer({ kafka })
  const started = await startGateway({
    config: {
      gateway: config.gateway,
      redis: config.redis,
      dataDir: config.data.dir,
      prefix: config.topics.prefix,
    },
    topics: { threats: threats.name, alerts: alerts.name },
    decodeThreat: value => threatCodec.decode(value),
    decodeAlert: value => alertCodec.decode(value),
    publishAudit: entries =>
      producer.send(
        audit.name,
        entries.map(entry => ({
          key: Buffer.from(entry.actor ?? entry.subject ?? entry.event),
          value: Buffer.from(JSON.stringify(entry)),
          timestamp: entry.at,
        })),
      ),
    openDecisions: () =>
      openDecisionWriter({
        kafka,
        topic: decisions.name,
        codec: decisionCodec,
        transactionalId: `${config.topics.prefix}gateway-decisions`,
      }),
    consume: relay =>
      consumeEach({
        kafka,
        name: 'gateway',
        group: `${config.topics.prefix}gateway`,
        topics: [threats.name, alerts.name],
        log,
        onBatch: relay.onBatch,
      }),
    log,
    metrics,
  }).catch(async (error: unknown) => {
    await producer.close()
    throw error
  })
  const closer = createCloser()
  closer.add(() => producer.close())
  closer.add(() => started.close())
  return { ...started, close: closer.close }
}

/** `netsentinel gateway`. */
export const gateway: Command<GatewayConfig> = {
  summary: 'Serve threats and alerts to dashboards over WebSockets.',
  run: async context => {
    const service = await startKafkaGateway(context)
    const { bootstrap } = service
    context.tell(`gateway: ${service.url}`)
    // Told to the person who starts it, once, and never logged.
    if (bootstrap !== undefined && context.config.gateway.bootstrapPassword === undefined) {
      context.tell(`first login: ${bootstrap.username} / ${bootstrap.password}`)
      context.tell('the password works for a day, and only to be changed: netsentinel password')
    }
    return context.supervise([service])
  },
}
