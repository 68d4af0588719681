import { deadLetter } from '../../connectors/dead-letters.ts'
import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import type { Stage } from '../../connectors/kafka/stage.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { encodeAlertOcsf } from '../../connectors/sinks/ocsf-alert.ts'
import { loadRules, ruleFilesIn } from '../../models/rules/load.ts'
import type { RuleSet } from '../../models/rules/rule-set.ts'
import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { giveHeapRoom } from '../../runtime/heap.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { createAlertingStage } from './alerting.ts'
import type { alertingConfig } from './config.ts'

/** The settings that alerting reads. */
export interface AlertingConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly alerting: SectionValues<typeof alertingConfig>
}

interface AlertingDeps {
  readonly config: AlertingConfig
  readonly log: Log
  readonly metrics: Metrics
}

/** The rules that ship, and those of ALERTING_RULES_DIR. Throws NS_RULE_INVALID. */
export const configuredRules = ({ rulesDir }: AlertingConfig['alerting']): RuleSet =>
  loadRules(rulesDir === undefined ? [] : ruleFilesIn(rulesDir))

/**
 * Makes the alerting stage as the configuration has it. Throws NS_RULE_INVALID, NS_SCHEMA_INCOMPATIBLE,
 * NS_SERVICE_UNREACHABLE.
 */
export const assembleAlerting = async ({
  config,
  rules,
  metrics,
}: Pick<AlertingDeps, 'config' | 'metrics'> & { readonly rules: RuleSet }): Promise<Stage> => {
  const topics = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const [threat, decision, alert, alertState] = await Promise.all([
    registry.codec('Threat', topics.threats.name),
    registry.codec('Decision', topics.decisions.name),
    registry.codec('Alert', topics.alerts.name),
    registry.codec('AlertState', topics.alertState.name),
  ])
  const { quietMs, reopenMs, maxGroups, maxAlerts } = config.alerting
  return createAlertingStage({
    group: `${config.topics.prefix}alerting`,
    topics: {
      threats: topics.threats.name,
      decisions: topics.decisions.name,
      alerts: topics.alerts.name,
      alertState: topics.alertState.name,
      deadLetters: topics.deadLetters.name,
    },
    codecs: { threat, decision, alert, alertState },
    rules,
    sinks: [{ topic: topics.alertsOcsf.name, encode: encodeAlertOcsf }],
    deadLetter: (record, error) =>
      deadLetter({ topic: topics.deadLetters.name, stage: 'alerting', record, error }),
    quietMs,
    reopenMs,
    maxGroups,
    maxAlerts,
    metrics,
  })
}

/**
 * Starts alerting: `threats` and `decisions` to `alerts`, exactly once. Throws what {@link assembleAlerting} throws, and
 * NS_TOPIC_MISSING.
 */
export const startAlerting = async ({ config, log, metrics }: AlertingDeps): Promise<Service> => {
  const rules = configuredRules(config.alerting)
  const stage = await assembleAlerting({ config, rules, metrics })
  log.info({ rules: rules.correlations.filter(each => each.alerts).map(({ id }) => id) }, 'rules loaded')
  return runStage({ kafka: createKafka({ config: config.kafka, log }), stage, log, metrics })
}

/** `netsentinel alert`. */
export const alert: Command<AlertingConfig> = {
  summary: 'Correlate threats into alerts by the rules in force: threats and decisions to alerts.',
  run: async context => {
    giveHeapRoom()
    return context.supervise([await startAlerting(context)])
  },
}
