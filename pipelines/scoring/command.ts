import { createKafka } from '../../connectors/kafka/client.ts'
import { runStage } from '../../connectors/kafka/run-stage.ts'
import type { Command } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Service } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { assembleScoring, type ScoringConfig } from './assemble.ts'
import { rescoreOptions, runRescore } from './rescore-command.ts'

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
  const { stage, detector } = await assembleScoring({ config })
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
  summary: 'Score events with the model in force: events to threats. With --into, score them again.',
  details: [
    'Without options this is the live stage. With --into TOPIC it reads events once more from where the topic begins to',
    'where it ends now, scores them from empty state as the live stage did, writes the threats to TOPIC and ends. Live',
    'offsets, states and threats are not touched. Events before --from still make state, as far as they are kept: what an',
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
    return context.supervise([await startScoring(context)])
  },
}
