import { createKafka } from '../../connectors/kafka/client.ts'
import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'
import { type CommandContext, type CommandOption, numberOption } from '../../runtime/command.ts'
import { type ErrorCode, SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { furtherThreats, topicCatalogue } from '../../schemas/topics.ts'
import { type ModelsConfig, registryOf } from '../models/open.ts'
import { assembleScoring, type ScoringConfig } from './assemble.ts'
import { eventsRange, type RescoreProgress, rescore } from './rescore.ts'
import { chosenModel, pastModels } from './rescore-models.ts'
import { windowOf, windowOptions } from './window.ts'

/** The options of `netsentinel score` that make it score again. */
export const rescoreOptions: Readonly<Record<string, CommandOption>> = {
  into: { type: 'string', value: 'TOPIC', doc: 'Score events again and write the threats to TOPIC.' },
  ...windowOptions,
  model: {
    type: 'string',
    value: 'V',
    doc: 'Version of the model, or its folder; when not given, each event is judged by the one in force at its offset.',
  },
  threshold: {
    type: 'string',
    value: 'N',
    doc: 'Score from which an event is a threat, 0 to 1; SCORING_THRESHOLD or the model’s own when not given.',
  },
}

/** What Kafka takes as a name. */
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,200}$/

const PROGRESS_MS = 2_000

const textOption = (options: CommandContext<never>['options'], name: string): string | undefined => {
  const value = options[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const reporter = (tell: (line: string) => void) => {
  let last = Date.now()
  return ({ events, threats, offsets }: RescoreProgress) => {
    if (Date.now() - last < PROGRESS_MS) return
    last = Date.now()
    tell(`… ${events} of at most ${offsets} events read, ${threats} threats`)
  }
}

/** Counts dead letters by code; they are written nowhere. */
const createTally = () => {
  const codes: Partial<Record<ErrorCode, number>> = {}
  return {
    codes,
    deadLetter: (record: InputRecord, error: SentinelError): OutputRecord => {
      codes[error.code] = (codes[error.code] ?? 0) + 1
      return { topic: 'none', key: record.key, value: null, timestamp: record.timestamp }
    },
  }
}

/** `netsentinel score --into TOPIC`. */
export const runRescore = async (context: CommandContext<ScoringConfig & ModelsConfig>): Promise<number> => {
  const { log, options, print, tell, interrupted } = context
  const target = textOption(options, 'into')
  if (target === undefined || !TOPIC_NAME.test(target)) {
    throw new SentinelError(
      'NS_USAGE',
      'score: --into takes the name of a topic: letters, digits, dot, dash, _',
    )
  }
  const window = windowOf(options)
  const threshold =
    options['threshold'] === undefined
      ? context.config.scoring.threshold
      : numberOption(options, 'threshold', 0, { max: 1 })
  const config = { ...context.config, scoring: { ...context.config.scoring, threshold } }
  const name = textOption(options, 'model')
  const started = performance.now()

  const kafka = createKafka({ config: config.kafka, log })
  const events = topicCatalogue(config.topics).events.name
  const { partitions, gone } = await eventsRange(kafka, events)
  const into = furtherThreats(config.topics, target, partitions)
  if (into === undefined) {
    throw new SentinelError('NS_USAGE', `score: ${target} is a topic of the pipeline: name another`)
  }
  if (gone > 0) {
    tell(`${events} no longer begins at its first event: what entities did before is not known here`)
  }
  const tally = createTally()
  const deps = { kafka, config, registry: registryOf(context.config, log) }
  const models = await (name === undefined ? pastModels(deps) : chosenModel(deps, name))
  try {
    const { stage } = await assembleScoring({
      config,
      threats: into.name,
      deadLetter: tally.deadLetter,
      models,
    })
    const done = await rescore({
      kafka,
      stage,
      into,
      window,
      cut: models.cut,
      signal: interrupted,
      onProgress: reporter(tell),
    })
    if (done === undefined) {
      tell('interrupted: nothing was written')
      return EXIT.failure
    }
    print(
      JSON.stringify({
        topic: into.name,
        events: done.events,
        threats: done.threats,
        poison: tally.codes,
        seconds: Math.round(performance.now() - started) / 1000,
        models: models.versions(),
      }),
    )
    return EXIT.ok
  } finally {
    await models.close()
  }
}
