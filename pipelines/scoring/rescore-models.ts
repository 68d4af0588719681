import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createRegistry } from '../../connectors/registry.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { loadModel, MODEL_FILES } from '../../models/load.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { isSentinelError, SentinelError } from '../../runtime/errors.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { ScoringConfig } from './assemble.ts'
import { oneModel } from './models-at-work.ts'
import { type PastModels, readSwitches, replaySwitches } from './switches.ts'

interface RescoreModelsDeps {
  readonly kafka: Kafka
  readonly registry: Pick<ModelRegistry, 'read'>
  readonly config: ScoringConfig
}

const isFolder = (name: string): boolean => existsSync(join(name, MODEL_FILES.manifest))

/** The model of a version: the one that ships, or one of the registry. */
const modelOf = async (registry: Pick<ModelRegistry, 'read'>, version: string): Promise<TrainedModel> => {
  const shipped = loadBaseline()
  if (shipped.manifest.version === version) return shipped
  try {
    return await registry.read(version)
  } catch (error) {
    if (!isSentinelError(error, 'NS_USAGE')) throw error
    const message = `${error.message}: say with --model which one to score with`
    throw new SentinelError('NS_USAGE', message, { cause: error })
  }
}

/** One model for all events: a folder with its files, or a version. Throws NS_USAGE, NS_MODEL_REFUSED. */
export const chosenModel = async (
  { registry, config }: RescoreModelsDeps,
  name: string,
): Promise<PastModels> => {
  const model = isFolder(name) ? loadModel(name) : await modelOf(registry, name)
  const detector = await createOnnxDetector({ ...model, explainFrom: config.scoring.threshold })
  return {
    ...oneModel(detector),
    cut: records => [records],
    versions: () => [detector.manifest.version],
    close: () => detector.close(),
  }
}

/** The models that the live stage judged the events by. Throws as {@link readSwitches} does. */
export const pastModels = async ({ kafka, registry, config }: RescoreModelsDeps): Promise<PastModels> => {
  const { entityState } = topicCatalogue(config.topics)
  const codec = await createRegistry(config.registry).codec('EntityState', entityState.name)
  return replaySwitches({
    switches: await readSwitches({ kafka, topic: entityState.name, codec }),
    open: async version =>
      createOnnxDetector({
        ...(await modelOf(registry, version)),
        explainFrom: config.scoring.threshold,
      }),
    fallback: loadBaseline().manifest.version,
  })
}
