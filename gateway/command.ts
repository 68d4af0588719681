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
import type { OpenBackOffice } from './back-office.ts'
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

/** Opens what people do to the pipeline, which the gateway does not import: the program hands it in. */
export type BackOfficeOpener<C> = (deps: { readonly config: C; readonly log: Log }) => Promise<OpenBackOffice>

interface KafkaGatewayDeps<C> {
  readonly config: C
  readonly openBackOffice: BackOfficeOpener<C>
  readonly log: Log
  readonly metrics: Metrics
}

/** Closes what was opened when what comes next fails. */
const closing = (closer: ReturnType<typeof createCloser>) => async (error: unknown) => {
  await closer.close()
  throw error
}

/**
 * Starts a gateway on Kafka: `threats` and `alerts` to WebSockets, what people decide to `decisions`, at least once. Throws
 * what {@link startGateway} throws, NS_TOPIC_MISSING and NS_SCHEMA_INCOMPATIBLE.
 */
export const startKafkaGateway = async <C extends GatewayConfig>({
  config,
  openBackOffice,
  log,
  metrics,
}: KafkaGatewayDeps<C>): Promise<Gateway> => {
  const { threats, alerts, audit, decisions } = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const threatCodec = await registry.codec('Threat', threats.name)
  const alertCodec = await registry.codec('Alert', alerts.name)
  const decisionCodec = await registry.codec('Decision', decisions.name)
  const kafka = createKafka({ config: config.kafka, log })
  const closer = createCloser()
  const backOffice = await openBackOffice({ config, log })
  closer.add(() => backOffice.close())
  const producer = await createBatchProducer({ kafka }).catch(closing(closer))
  closer.add(() => producer.close())
  const started = await startGateway({
    backOffice,
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
  }).catch(closing(closer))
  closer.add(() => started.close())
  return { ...started, close: closer.close }
}

/** `netsentinel gateway`, given the back office. */
export const createGateway = <C extends GatewayConfig>(openBackOffice: BackOfficeOpener<C>): Command<C> => ({
  summary: 'Serve threats and alerts to dashboards over WebSockets.',
  run: async context => {
    const service = await startKafkaGateway({ ...context, openBackOffice })
    const { bootstrap } = service
    context.tell(`gateway: ${service.url}`)
    // Told to the person who starts it, once, and never logged.
    if (bootstrap !== undefined && context.config.gateway.bootstrapPassword === undefined) {
      context.tell(`first login: ${bootstrap.username} / ${bootstrap.password}`)
      context.tell('the password works for a day, and only to be changed: netsentinel password')
    }
    return context.supervise([service])
  },
})
