import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import { type Topic, topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { createRegistry, type registryConfig } from '../registry.ts'
import { ensureTopics, type TopicsReport } from './admin.ts'
import { createKafka, type KafkaSettings } from './client.ts'

/** The settings that `netsentinel topics` reads. */
export interface TopicsCommandConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
}

/**
 * Creates every topic of the catalogue that is missing, checks the others, and registers the schemas of their values
 * with BACKWARD compatibility. Throws NS_TOPIC_MISMATCH, NS_SCHEMA_INCOMPATIBLE, NS_SERVICE_UNREACHABLE.
 */
export const prepareTopics = async (deps: {
  readonly config: TopicsCommandConfig
  readonly log: Log
  /** Whether settings that differ from the catalogue are changed. */
  readonly apply: boolean
}): Promise<TopicsReport> => {
  const { config, log, apply } = deps
  const catalogue: Topic[] = Object.values(topicCatalogue(config.topics))
  const report = await ensureTopics(createKafka({ config: config.kafka, log }), catalogue, { apply })
  const registry = createRegistry(config.registry)
  for (const { name, schema } of catalogue) if (schema !== undefined) await registry.codec(schema, name)
  return report
}

/** `netsentinel topics`. */
export const topics: Command<TopicsCommandConfig> = {
  summary: 'Create the topics that are missing, check the others, register the schemas.',
  details: 'A changed number of partitions is refused: keys would move away from their state.',
  options: { apply: { type: 'boolean', doc: 'Change settings of topics that differ from the catalogue.' } },
  run: async ({ config, log, options, print }) => {
    const apply = options['apply'] === true
    const { created, differences } = await prepareTopics({ config, log, apply })
    for (const name of created) print(`created ${name}`)
    for (const { topic, setting, wanted, actual } of differences) {
      print(`${topic}: ${setting} ${apply ? 'was' : 'is'} ${actual}, the catalogue says ${wanted}`)
    }
    if (differences.length > 0 && !apply) print('run it with --apply to change these settings')
    if (created.length === 0 && differences.length === 0) print('all topics are as the catalogue says')
    return EXIT.ok
  },
}
