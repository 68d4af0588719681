import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { createRedis, type redisConfig } from '../../connectors/redis.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { createSoloQueue, createSoloWorker, type SoloQueue } from '../../connectors/solo-queue.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { EVENT_FIELDS } from '../../models/features/event-fields.ts'
import { featureHash } from '../../models/features/features.ts'
import { readJudgedEvent } from '../../models/features/read-event.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { isSentinelError, messageOf } from '../../runtime/errors.ts'
import { createCloser, createFailure, type Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import { championOf, type ModelsConfig, registryOf } from '../models/open.ts'
import type { ModelRegistry } from '../models/registry.ts'
import { replaceOutdated } from '../models/upgrade.ts'
import { createObservedStore } from '../scoring/observed.ts'
import type { scoringConfig } from '../scoring/scoring.ts'
import type { retrainingConfig } from './config.ts'
import { addOnDrift, type DriftDeps } from './drift.ts'
import { type RetrainingData, type RetrainingResult, retrainOnce } from './job.ts'
import { type MakeDeps, makeChallenger, showPrecision } from './make.ts'
import { openVerdicts } from './verdicts.ts'

/** The settings that retraining reads. */
export interface RetrainConfig extends ModelsConfig {
  readonly kafka: KafkaSettings
  readonly registry: SectionValues<typeof registryConfig>
  readonly redis: SectionValues<typeof redisConfig>
  readonly scoring: SectionValues<typeof scoringConfig>
  readonly retraining: SectionValues<typeof retrainingConfig>
}

interface RetrainDeps {
  readonly config: RetrainConfig
  readonly log: Log
  readonly metrics: Metrics
}

/** The queue of retrainings. */
export type RetrainingQueue = SoloQueue<RetrainingData, RetrainingResult>

const NAME = 'retrain'
const DRIFT_MS = 60_000
const PRECISION_MS = 3_600_000

interface QueueDeps {
  readonly config: Pick<RetrainConfig, 'redis' | 'topics'>
  readonly log: Log
}

const placeOf = ({ config, log }: QueueDeps) => ({
  redis: config.redis,
  prefix: config.topics.prefix,
  name: NAME,
  log,
})

/** Opens the queue of retrainings. Throws NS_SERVICE_UNREACHABLE. */
export const openRetrainingQueue = (deps: QueueDeps): Promise<RetrainingQueue> =>
  createSoloQueue(placeOf(deps))

const makeDepsOf = async (
  { config, log, metrics }: RetrainDeps,
  registry: ModelRegistry,
): Promise<MakeDeps> => {
  const topics = topicCatalogue(config.topics)
  const kafka = createKafka({ config: config.kafka, log })
  const schemas = createRegistry(config.registry)
  const [event, entityState, verdicts] = await Promise.all([
    schemas.codec('Event', topics.events.name),
    schemas.codec('EntityState', topics.entityState.name),
    openVerdicts({ config, log }),
  ])
  return {
    config: config.retraining,
    kafka,
    events: topics.events.name,
    codecs: { judged: event.select(EVENT_FIELDS, readJudgedEvent), entityState },
    maxEntities: config.scoring.maxEntities,
    registry,
    champion: () => championOf(registry),
    readVerdicts: verdicts,
    metrics,
  }
}

/** Looks for drift now and then; never where the configuration asks for none. */
const watchDrift = ({ config, log }: RetrainDeps, parts: Omit<DriftDeps, 'most'>): (() => void) => {
  const most = config.retraining.drift
  if (most === 0) return () => undefined
  const timer = setInterval(() => {
    addOnDrift({ ...parts, most }).catch((error: unknown) =>
      log.warn({ problem: messageOf(error) }, 'drift cannot be looked at'),
    )
  }, DRIFT_MS)
  return () => clearInterval(timer)
}

/** Shows what analysts found of each version, now and every hour. */
const watchPrecision = ({ log, metrics }: RetrainDeps, { readVerdicts }: MakeDeps): (() => void) => {
  const look = () => {
    readVerdicts()
      .then(({ byVersion }) => showPrecision(metrics, byVersion))
      .catch((error: unknown) => log.warn({ problem: messageOf(error) }, 'verdicts cannot be read'))
  }
  look()
  const timer = setInterval(look, PRECISION_MS)
  return () => clearInterval(timer)
}

/**
 * Starts retraining: takes jobs off the queue, one at a time over all processes, and adds them by the clock and on drift,
 * as the configuration has it. Throws NS_CONFIG_INVALID, NS_SCHEMA_INCOMPATIBLE, NS_SERVICE_UNREACHABLE.
 */
export const startRetraining = async (deps: RetrainDeps): Promise<Service> => {
  const { config, log, metrics } = deps
  const closer = createCloser()
  try {
    const registry = registryOf(config, log)
    const isNew = await replaceOutdated({ registry, shipped: loadBaseline(), log })
    const makeDeps = await makeDepsOf(deps, registry)
    const redis = await createRedis({ config: config.redis, log })
    closer.add(() => redis.close())
    const store = createObservedStore(redis, config.topics.prefix)
    const queue = await openRetrainingQueue(deps)
    closer.add(() => queue.close())
    // What the model that is no longer served knew of the network is learnt anew, once.
    if (isNew) await queue.add({ trigger: 'the features of this version' }, `features-${featureHash}`)
    await queue.schedule(config.retraining.cron, { trigger: 'the clock' })
    const worker = createSoloWorker<unknown, RetrainingResult>({
      ...placeOf(deps),
      run: async (job, signal) => {
        log.info({ job: job.id }, 'retraining')
        const result = await retrainOnce(job, signal, {
          config: config.retraining,
          registry,
          store,
          make: (trigger, progress, stop) => makeChallenger(makeDeps, trigger, progress, stop),
          inForce: async () => (await championOf(registry)).manifest.version,
          log,
        }).catch(async (error: unknown) => {
          if (isSentinelError(error, 'NS_CANCELLED')) await registry.withdraw()
          throw error
        })
        metrics.retrainings.inc({ outcome: result.outcome })
        return result
      },
      onFailed: (id, error) => {
        metrics.retrainings.inc({ outcome: 'failed' })
        log.error({ job: id, problem: error.message }, 'a retraining failed')
      },
    })
    closer.add(() => worker.close())
    closer.add(watchPrecision(deps, makeDeps))
    closer.add(watchDrift(deps, { queue, store, champion: () => championOf(registry) }))
    const { failed } = createFailure()
    return {
      name: 'retrain',
      failed,
      check: async () => {
        const problem = await queue.problem()
        return [{ name: 'redis (retrain)', ...(problem === undefined ? {} : { problem }) }]
      },
      close: () => closer.close(),
    }
  } catch (error) {
    await closer.close()
    throw error
  }
}
