import { deadLetter } from '../../connectors/dead-letters.ts'
import type { KafkaSettings } from '../../connectors/kafka/client.ts'
import type { Stage } from '../../connectors/kafka/stage.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { encodeOcsf } from '../../connectors/sinks/ocsf.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { EVENT_FIELDS } from '../../models/features/event-fields.ts'
import { readJudgedEvent } from '../../models/features/read-event.ts'
import { writeEntityState } from '../../models/features/write-state.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { type ModelsAtWork, oneModel } from './models-at-work.ts'
import { createScoringStage, type ScoringDeps, type scoringConfig } from './scoring.ts'

/** The settings that scoring reads. */
export interface ScoringConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly scoring: SectionValues<typeof scoringConfig>
}

/** What the stage is made of. */
interface AssembleDeps {
  readonly config: ScoringConfig
  /** Which model judges what; the one that ships judges everything when not given. */
  readonly models?: ModelsAtWork
  /** Full name of the topic that threats go to, in place of the live one; changes of state are not written then. */
  readonly threats?: string
  /** Makes the dead letter of a record that cannot be scored, in place of the live ones. */
  readonly deadLetter?: ScoringDeps['deadLetter']
  /** Sees what is scored. */
  readonly shadow?: ScoringDeps['shadow']
}

const shippedAlone = async ({ scoring }: ScoringConfig) => {
  const detector = await createOnnxDetector({ ...loadBaseline(), explainFrom: scoring.threshold })
  return { models: oneModel(detector), close: () => detector.close() }
}

/**
 * Makes the scoring stage as the configuration has it; `close` lets go of the model that ships, where it is used. Throws
 * NS_MODEL_REFUSED, NS_SCHEMA_INCOMPATIBLE, NS_SERVICE_UNREACHABLE.
 */
export const assembleScoring = async ({
  config,
  ...chosen
}: AssembleDeps): Promise<{ stage: Stage; close: () => Promise<void> }> => {
  const topics = topicCatalogue(config.topics)
  const threats = chosen.threats ?? topics.threats.name
  const registry = createRegistry(config.registry)
  const [event, threat, entityState] = await Promise.all([
    registry.codec('Event', topics.events.name),
    registry.codec('Threat', threats),
    registry.codec('EntityState', topics.entityState.name),
  ])
  const { models, close } =
    chosen.models === undefined
      ? await shippedAlone(config)
      : { models: chosen.models, close: async () => undefined }
  const stage = createScoringStage({
    group: `${config.topics.prefix}scoring`,
    topics: {
      events: topics.events.name,
      threats,
      entityState: topics.entityState.name,
      deadLetters: topics.deadLetters.name,
    },
    codecs: {
      event,
      judged: event.select(EVENT_FIELDS, readJudgedEvent),
      threat,
      entityState: { ...entityState, encode: entityState.encoder(writeEntityState) },
    },
    models,
    sinks: [{ topic: topics.threatsOcsf.name, encode: encodeOcsf }],
    deadLetter:
      chosen.deadLetter ??
      ((record, error) => deadLetter({ topic: topics.deadLetters.name, stage: 'scoring', record, error })),
    shadow: chosen.shadow,
    threshold: config.scoring.threshold,
    maxEntities: config.scoring.maxEntities,
  })
  return { stage, close }
}
