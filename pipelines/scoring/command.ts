import { deadLetter } from '../../connectors/dead-letters.ts'
import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { encodeOcsf } from '../../connectors/sinks/ocsf.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { createScoringStage, type scoringConfig } from './scoring.ts'

/** The settings that scoring reads. */
export interface ScoringConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly scoring: SectionValues<typeof scoringConfig>
}

interface ScoringDeps {
  readonly config: ScoringConfig
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Starts scoring: `events` to `threats`, with the model that ships, exactly once. Throws NS_MODEL_REFUSED,
 * NS_SCHEMA_INCOMPATIBLE, NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const startScoring = async ({ config, log, metrics }: ScoringDeps): Promise<Service> => {
  const topics = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const [event, threat, entityState] = await Promise.all([
    registry.codec('Event', topics.events.name),
    registry.codec('Threat', topics.threats.name),
    registry.codec('EntityState', topics.entityState.name),
  ])
  const detector = await createOnnxDetector(loadBaseline())
  const stage = createScoringStage({
    group: `${config.topics.prefix}scoring`,
    topics: {
      events: topics.events.name,
      threats: topics.threats.name,
      entityState: topics.entityState.name,
    },
    codecs: { event, threat, entityState },
    detector,
    sinks: [{ topic: topics.threatsOcsf.name, encode: encodeOcsf }],
    deadLetter: (record, error) =>
      deadLetter({ topic: topics.deadLetters.name, stage: 'scoring', record, error }),
    metrics,
    threshold: config.scoring.threshold,
    maxEntities: config.scoring.maxEntities,
    maxRecordBytes: config.kafka.maxRecordBytes,
  })
  const service = await runStage({ kafka: createKafka({ config: config.kafka, log }), stage, log, metrics })
  return {
    ...service,
    close: async () => {
      await service.close()
      await detector.close()
    },
  }
}

/** `netsentinel score`. */
export const score: Command<ScoringConfig> = {
  summary: 'Score events with the model in force: events to threats.',
  run: async context => context.supervise([await startScoring(context)]),
}
