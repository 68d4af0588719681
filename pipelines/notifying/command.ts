import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { consumeEach } from '../../connectors/kafka/consume.ts'
import { createNotifiers, type NotifierSettings } from '../../connectors/notifiers/catalogue.ts'
import type { Notifier } from '../../connectors/notifiers/notifier.ts'
import type { redisConfig } from '../../connectors/redis.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { EXIT, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import type { notifyConfig } from './config.ts'
import { startNotifying } from './notifying.ts'
import { sampleNotification } from './sample.ts'
import { alertOfAudit } from './security-alert.ts'

/** The settings that notification reads. */
export interface NotifyConfig extends NotifierSettings {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly redis: SectionValues<typeof redisConfig>
  readonly notify: SectionValues<typeof notifyConfig>
}

interface NotifyDeps {
  readonly config: NotifyConfig
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Starts notification of `alerts`, and of what in `audit` is one, at least once; nothing when no notifier is configured. Throws NS_CONFIG_INVALID,
 * NS_SCHEMA_INCOMPATIBLE, NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const startConfiguredNotifying = async ({ config, log, metrics }: NotifyDeps): Promise<Service[]> => {
  const notifiers = createNotifiers(config)
  if (notifiers.length === 0) return []
  const { alerts, audit } = topicCatalogue(config.topics)
  const codec = await createRegistry(config.registry).codec('Alert', alerts.name)
  const service = await startNotifying({
    config: config.notify,
    redis: config.redis,
    prefix: config.topics.prefix,
    notifiers,
    decodeAlert: async (topic, value) =>
      topic === audit.name ? alertOfAudit(value.toString('utf8')) : codec.decode(value),
    consume: onBatch =>
      consumeEach({
        kafka: createKafka({ config: config.kafka, log }),
        name: 'notify',
        group: `${config.topics.prefix}notify`,
        topics: [alerts.name, audit.name],
        log,
        onBatch,
      }),
    log,
    metrics,
  })
  return [service]
}

/** Sends a sample through every notifier, and says what came of it. */
const tryAll = async (
  notifiers: readonly Notifier[],
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<number> => {
  const sample = sampleNotification(Date.now())
  const outcomes = await Promise.allSettled(notifiers.map(notifier => notifier.send(sample, signal)))
  for (const [index, outcome] of outcomes.entries()) {
    const said = outcome.status === 'fulfilled' ? 'sent' : messageOf(outcome.reason)
    print(`${notifiers[index]?.name}: ${said}`)
  }
  return outcomes.every(({ status }) => status === 'fulfilled') ? EXIT.ok : EXIT.failure
}

const requireNotifiers = (notifiers: readonly unknown[]) => {
  if (notifiers.length > 0) return
  throw new SentinelError(
    'NS_CONFIG_INVALID',
    'nobody is to be notified: set NOTIFY_WEBHOOKS, NOTIFY_SLACK_URL or NOTIFY_MAIL_URL',
  )
}

/** `netsentinel notify`. */
export const notify: Command<NotifyConfig> = {
  summary: 'Tell people of alerts: webhooks, Slack, mail.',
  options: { test: { type: 'boolean', doc: 'Send a sample to each of them now, and end.' } },
  run: async context => {
    const notifiers = createNotifiers(context.config)
    requireNotifiers(notifiers)
    if (context.options['test'] === true) return tryAll(notifiers, context.print, context.interrupted)
    return context.supervise(await startConfiguredNotifying(context))
  },
}
