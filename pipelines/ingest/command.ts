import { deadLetter } from '../../connectors/dead-letters.ts'
import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import type { sourcesConfig } from '../../connectors/sources/config.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { writeEvent } from '../../connectors/sources/write-event.ts'
import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { giveHeapRoom } from '../../runtime/heap.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { createIngestStage } from './ingest.ts'

/** The settings that ingest reads. */
export interface IngestConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly sources: SectionValues<typeof sourcesConfig>
}

interface IngestDeps {
  readonly config: IngestConfig
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Starts ingest: `raw-events` to `events` and `dead-letters`, exactly once. Throws NS_SCHEMA_INCOMPATIBLE,
 * NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const startIngest = async ({ config, log, metrics }: IngestDeps): Promise<Service> => {
  const topics = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const events = await registry.codec('Event', topics.events.name)
  const stage = createIngestStage({
    group: `${config.topics.prefix}ingest`,
    topics: {
      rawEvents: topics.rawEvents.name,
      events: topics.events.name,
      deadLetters: topics.deadLetters.name,
    },
    normalise: createNormalise(config.sources),
    encodeEvent: events.encoder(writeEvent),
    decodeFramed: bytes => registry.decodeAny(bytes),
    deadLetter: (record, error) =>
      deadLetter({ topic: topics.deadLetters.name, stage: 'ingest', record, error }),
  })
  return runStage({ kafka: createKafka({ config: config.kafka, log }), stage, log, metrics })
}

/** `netsentinel ingest`. */
export const ingest: Command<IngestConfig> = {
  summary: 'Turn raw events into the normal form: raw-events to events and dead-letters.',
  run: async context => {
    giveHeapRoom()
    return context.supervise([await startIngest(context)])
  },
}
