import { createKafka } from '../../connectors/kafka/client.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import { createRedis, type redisConfig } from '../../connectors/redis.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { giveHeapRoom } from '../../runtime/heap.ts'
import { createCloser, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { type ModelsConfig, registryOf } from '../models/open.ts'
import type { ModelRegistry } from '../models/registry.ts'
import { assembleScoring, type ScoringConfig } from './assemble.ts'
import { serveChampion } from './champion.ts'
import { createObservedStore } from './observed.ts'
import { rescoreOptions, runRescore } from './rescore-command.ts'
import { type Shadow, startShadow } from './shadow.ts'

/** The settings that `netsentinel score` reads. */
export interface ScoreConfig extends ScoringConfig, ModelsConfig {
  readonly redis: SectionValues<typeof redisConfig>
}

interface ScoringDeps {
  readonly config: ScoreConfig
  readonly log: Log
  readonly metrics: Metrics
}

/** Opens the shadow as the configuration has it. Redis need not be there: what is seen is then shown as metrics only. */
const openShadow = async (
  { config, log, metrics }: ScoringDeps,
  registry: ModelRegistry,
): Promise<Shadow> => {
  const redis = await createRedis({ config: config.redis, log, mayBeAway: true })
  const shadow = await startShadow({
    registry,
    store: createObservedStore(redis, config.topics.prefix),
    log,
    metrics,
  })
  return {
    see: shadow.see,
    close: async () => {
      await shadow.close()
      await redis.close()
    },
  }
}

/**
 * Starts scoring: `events` to `threats`, with the champion of the registry or else the model that ships, exactly once.
 * Throws NS_MODEL_REFUSED, NS_SCHEMA_INCOMPATIBLE, NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const startScoring = async ({ config, log, metrics }: ScoringDeps): Promise<Service> => {
  const closer = createCloser()
  const registry = registryOf(config, log)
  try {
    const champion = await serveChampion({
      registry,
      shipped: loadBaseline(),
      explainFrom: config.scoring.threshold,
      log,
      metrics,
    })
    closer.add(() => champion.close())
    const shadow = await openShadow({ config, log, metrics }, registry)
    closer.add(() => shadow.close())
    const { stage } = await assembleScoring({ config, models: champion, shadow })
    const service = await runStage({ kafka: createKafka({ config: config.kafka, log }), stage, log, metrics })
    closer.add(() => service.close())
    const failed = Promise.race([service.failed, champion.failed])
    // Whoever supervises the service awaits it later.
    failed.catch(() => undefined)
    return {
      name: service.name,
      failed,
      check: async () => (await Promise.all([service.check(), champion.check()])).flat(),
      close: () => closer.close(),
    }
  } catch (error) {
    await closer.close()
    throw error
  }
}

/** `netsentinel score`. */
export const score: Command<ScoreConfig> = {
  summary: 'Score events with the model in force: events to threats. With --into, score them again.',
  details: [
    'Without options this is the live stage. With --into TOPIC it reads events once more from where the topic begins to',
    'where it ends now, scores them from empty state as the live stage did, writes the threats to TOPIC and ends. Live',
    'offsets, states and threats are not touched. Each event is judged by the model that was in force at its offset, unless',
    '--model names another for all of them. Events before --from still make state, as far as they are kept: what an',
    'entity did before decides how its next event scores. SCORING_MAX_ENTITIES must be what it was. TOPIC is made when it',
    'is missing, and must be empty otherwise; TOPIC_PREFIX is put before it. All threats of a run become readable at its',
    'end, or none: it is one transaction. Compare with: netsentinel diff threats TOPIC.',
  ].join('\n'),
  options: rescoreOptions,
  run: async context => {
    if (context.options['into'] !== undefined) return runRescore(context)
    const given = Object.keys(rescoreOptions).filter(name => context.options[name] !== undefined)
    if (given.length > 0) {
      throw new SentinelError('NS_USAGE', `score: --${given[0]} is for scoring again: it needs --into TOPIC`)
    }
    giveHeapRoom()
    return context.supervise([await startScoring(context)])
  },
}
