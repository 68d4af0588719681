import { deadLetter } from '../../connectors/dead-letters.ts'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import type { InputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { createRegistry, registryConfig } from '../../connectors/registry.ts'
import { sourcesConfig } from '../../connectors/sources/config.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { assembleAlerting, configuredRules } from '../../pipelines/alerting/command.ts'
import { alertingConfig } from '../../pipelines/alerting/config.ts'
import { createIngestStage } from '../../pipelines/ingest/ingest.ts'
import { assembleScoring } from '../../pipelines/scoring/assemble.ts'
import { scoringConfig } from '../../pipelines/scoring/scoring.ts'
import { type Environment, loadConfig } from '../../runtime/config.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Event } from '../../schemas/generated.ts'
import { type Topics, topicCatalogue, topicsConfig } from '../../schemas/topics.ts'

/** The stages as pure functions, to work out what an undisturbed run would have written. */
export interface Oracle {
  readonly topics: Topics
  readonly ingest: Stage
  readonly scoring: Stage
  readonly alerting: Stage
  readEvent(record: InputRecord): Promise<Event>
  close(): Promise<void>
}

/** Makes the stages with the settings that the processes have, but without any consumer. */
export const createOracle = async (env: Environment): Promise<Oracle> => {
  const config = loadConfig(
    {
      kafka: kafkaConfig,
      topics: topicsConfig,
      registry: registryConfig,
      sources: sourcesConfig,
      scoring: scoringConfig,
      alerting: alertingConfig,
    },
    env,
  )
  const topics = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const event = await registry.codec('Event', topics.events.name)
  const { stage: scoring, close } = await assembleScoring({ config })
  const alerting = await assembleAlerting({
    config,
    rules: configuredRules(config.alerting),
    metrics: createMetrics(),
  })
  const ingest = createIngestStage({
    group: 'oracle',
    topics: {
      rawEvents: topics.rawEvents.name,
      events: topics.events.name,
      deadLetters: topics.deadLetters.name,
    },
    normalise: createNormalise(config.sources),
    encodeEvent: value => event.encode(value),
    decodeFramed: bytes => registry.decodeAny(bytes),
    deadLetter: (record, error) =>
      deadLetter({ topic: topics.deadLetters.name, stage: 'ingest', record, error }),
  })
  return {
    topics,
    ingest,
    scoring,
    alerting,
    readEvent: async ({ value }) => event.decode(value ?? Buffer.alloc(0)),
    close,
  }
}
