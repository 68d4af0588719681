import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { type modelsConfig, readModelKeys } from '../../models/registry/keys.ts'
import type { SectionValues } from '../../runtime/config.ts'
import type { dataConfig } from '../../runtime/data.ts'
import type { Log } from '../../runtime/log.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { type ModelRegistry, openModelRegistry } from './registry.ts'

/** The settings that the registry of models reads. */
export interface ModelsConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly models: SectionValues<typeof modelsConfig>
  readonly data: SectionValues<typeof dataConfig>
}

/** Opens the registry as the configuration has it. Throws NS_CONFIG_INVALID, NS_MODEL_REFUSED. */
export const registryOf = (config: ModelsConfig, log: Log): ModelRegistry =>
  openModelRegistry({
    kafka: createKafka({ config: config.kafka, log }),
    topic: topicCatalogue(config.topics).models.name,
    keys: readModelKeys(config.models, config.data.dir),
    shipped: loadBaseline(),
  })

/** The model in force: where the champion's pointer stands, or the one that ships. Throws as {@link ModelRegistry} does. */
export const championOf = async (registry: Pick<ModelRegistry, 'list' | 'read'>): Promise<TrainedModel> => {
  const pointer = (await registry.list()).pointer('champion')
  return pointer === undefined ? loadBaseline() : registry.read(pointer.version)
}

/** Loads a model as a scorer does, and lets go of it. Throws NS_MODEL_REFUSED with the reason when none would serve it. */
export const assertServable = async (model: TrainedModel): Promise<void> => {
  const detector = await createOnnxDetector(model)
  await detector.close()
}
