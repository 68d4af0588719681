import { redisConfig } from '../../connectors/redis.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { modelsConfig, readModelKeys } from '../../models/registry/keys.ts'
import { openModelRegistry } from '../../pipelines/models/registry.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { makeScoringSystem, type ScoringSystem, scanEvents } from './scoring.ts'
import { services } from './services.ts'
import { drained, readAll } from './stages.ts'
import { tempDir } from './temp.ts'

/** A scoring system with a directory of its own, and the registry of its models. */
export const makeWorld = async () => {
  const system = await makeScoringSystem()
  const dataDir = tempDir()
  const config = {
    ...system.config,
    ...loadConfig(
      { models: modelsConfig, data: dataConfig, redis: redisConfig },
      { DATA_DIR: dataDir, REDIS_URL: services().redisUrl },
    ),
  }
  const keys = readModelKeys(config.models, dataDir)
  const { kafka, topics } = system
  const registry = openModelRegistry({ kafka, topic: topics.models.name, keys, shipped: loadBaseline() })
  const env = {
    DATA_DIR: dataDir,
    TOPIC_PREFIX: config.topics.prefix,
    TOPIC_PARTITIONS: '2',
    SCORING_THRESHOLD: '0',
  }
  let produced = 0
  const produce = async (count: number) => {
    await system.produce(scanEvents(count, 20))
    produced += count
  }
  return { system, config, keys, registry, dataDir, env, produce, produced: () => produced }
}

/** The version that each threat of a partition names, in order. */
export const versionsOf = async ({ kafka, topics, codecs }: ScoringSystem): Promise<string[][]> => {
  const partitions: string[][] = [[], []]
  const ids = new Set<string>()
  for (const { partition, value } of await readAll(kafka, topics.threats.name)) {
    const { modelVersion, id } = await codecs.threat.decode(value ?? Buffer.alloc(0))
    if (ids.has(id)) throw new Error(`${id} is there twice`)
    ids.add(id)
    partitions[partition]?.push(modelVersion)
  }
  return partitions
}

/** Each run of equal versions once. */
export const runsOf = (versions: readonly string[]): string[] =>
  versions.filter((version, i) => version !== versions[i - 1])

/** Waits until the scorers have scored all that there is. */
export const scored = ({ config, topics }: ScoringSystem) =>
  drained(`${config.topics.prefix}scoring`, topics.events.name)
