import type { Decoder } from '../../connectors/avro-codec.ts'
import { createKafka, type Kafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { type Precision, precisionOf } from '../../models/evaluation/gates.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { isPoison } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Alert, Decision, Threat, Verdict } from '../../schemas/generated.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'

/** What analysts found of the threats of one version. */
export interface VersionVerdicts extends Precision {
  /** The same by the week in which the events were: its Monday (UTC) as YYYY-MM-DD, the earliest first. */
  readonly weeks: ReadonlyMap<string, Precision>
}

/** What analysts found. */
export interface Verdicts {
  /** By id of the event. */
  readonly events: ReadonlyMap<string, Verdict>
  /** Of the threats that each version made, by version. */
  readonly byVersion: ReadonlyMap<string, VersionVerdicts>
}

interface VerdictDeps {
  readonly kafka: Kafka
  /** Full names of the topics. */
  readonly topics: { readonly decisions: string; readonly alerts: string; readonly threats: string }
  readonly codecs: {
    readonly decision: Pick<Decoder<Decision>, 'decode'>
    readonly alert: Pick<Decoder<Alert>, 'decode'>
    readonly threat: Pick<Decoder<Threat>, 'decode'>
  }
}

/** Most events whose verdict is kept; the latest alerts go first. */
const MOST_EVENTS = 10_000

/** Takes every value of a topic that decodes, and the key of every record that has none. */
const eachValue = async <T>(
  kafka: Kafka,
  topic: string,
  codec: Pick<Decoder<T>, 'decode'>,
  take: (value: T) => void,
  forget: (key: string) => void = () => undefined,
): Promise<void> =>
  readTopic({
    kafka,
    topic,
    onRecords: async records => {
      for (const record of records) {
        if (record.value === null) {
          forget(String(record.key))
          continue
        }
        try {
          take(await codec.decode(record.value))
        } catch (error) {
          if (!isPoison(error)) throw error
        }
      }
    },
  })

/** The latest verdict on each alert, of those that were not taken back. A decision is in every partition, once each. */
const alertVerdicts = async ({ kafka, topics, codecs }: VerdictDeps): Promise<Map<string, Decision>> => {
  const made = new Map<string, Decision>()
  const takenBack = new Set<string>()
  await eachValue(
    kafka,
    topics.decisions,
    codecs.decision,
    decision => {
      if (decision.alertId !== null && decision.verdict !== null) made.set(decision.id, decision)
    },
    key => takenBack.add(key),
  )
  const latest = new Map<string, Decision>()
  for (const [id, decision] of made) {
    const { alertId, at } = decision
    if (alertId === null || takenBack.has(id)) continue
    if (at >= (latest.get(alertId)?.at ?? 0)) latest.set(alertId, decision)
  }
  return latest
}

/**
 * Reads what analysts found of alerts, and hands it to their events, as far as an alert names them. An event of alerts with
 * different verdicts has the later one. Throws as {@link readTopic} does.
 */
export const readVerdicts = async (deps: VerdictDeps): Promise<Verdicts> => {
  const { kafka, topics, codecs } = deps
  const decided = await alertVerdicts(deps)
  const events = new Map<string, Verdict>()
  const byVersion = new Map<string, VersionVerdicts>()
  if (decided.size === 0) return { events, byVersion }
  const threatIds = new Map<string, readonly string[]>()
  await eachValue(kafka, topics.alerts, codecs.alert, ({ id, threatIds: ids }) => {
    if (decided.has(id)) threatIds.set(id, ids)
  })
  for (const [alertId, { verdict }] of [...decided].sort(([, a], [, b]) => a.at - b.at)) {
    for (const id of threatIds.get(alertId) ?? []) {
      events.delete(id)
      if (verdict !== null) events.set(id, verdict)
    }
  }
  for (const id of events.keys()) {
    if (events.size <= MOST_EVENTS) break
    events.delete(id)
  }
  await eachValue(kafka, topics.threats, codecs.threat, ({ id, modelVersion, time }) => {
    const verdict = events.get(id)
    if (verdict === undefined) return
    const known = byVersion.get(modelVersion) ?? { ...NOTHING, weeks: new Map<string, Precision>() }
    const week = mondayOf(time)
    const weeks = new Map(known.weeks).set(week, withVerdict(known.weeks.get(week) ?? NOTHING, verdict))
    byVersion.set(modelVersion, {
      ...withVerdict(known, verdict),
      weeks: new Map([...weeks].toSorted(([one], [other]) => (one < other ? -1 : 1))),
    })
  })
  return { events, byVersion }
}

/**
 * Opens where verdicts are, as the configuration has it; reads them each time that the function is called. Throws
 * NS_SERVICE_UNREACHABLE, NS_SCHEMA_INCOMPATIBLE, and as {@link readTopic} does.
 */
export const openVerdicts = async (deps: {
  readonly config: {
    readonly kafka: KafkaSettings
    readonly topics: SectionValues<typeof topicsConfig>
    readonly registry: SectionValues<typeof registryConfig>
  }
  readonly log: Log
}): Promise<() => Promise<Verdicts>> => {
  const { config, log } = deps
  const { decisions, alerts, threats } = topicCatalogue(config.topics)
  const schemas = createRegistry(config.registry)
  const [decision, alert, threat] = await Promise.all([
    schemas.codec('Decision', decisions.name),
    schemas.codec('Alert', alerts.name),
    schemas.codec('Threat', threats.name),
  ])
  const kafka = createKafka({ config: config.kafka, log })
  const topics = { decisions: decisions.name, alerts: alerts.name, threats: threats.name }
  return () => readVerdicts({ kafka, topics, codecs: { decision, alert, threat } })
}

const NOTHING: Precision = { truePositives: 0, falsePositives: 0 }
const DAY_MS = 24 * 3_600_000

const withVerdict = ({ truePositives, falsePositives }: Precision, verdict: Verdict): Precision =>
  verdict === 'true_positive'
    ? { truePositives: truePositives + 1, falsePositives }
    : { truePositives, falsePositives: falsePositives + 1 }

/** The Monday (UTC) of a time in ms since 1970, which was a Thursday. */
const mondayOf = (ms: number): string => {
  const days = Math.floor(ms / DAY_MS)
  return new Date((days - ((((days + 3) % 7) + 7) % 7)) * DAY_MS).toISOString().slice(0, 10)
}

/** What is to be said of the precision of a version, a line in Markdown for it and one for each week. */
export const precisionLines = (version: string, { weeks, ...all }: VersionVerdicts): string[] => {
  const saysOf = (precision: Precision): string => {
    const { truePositives, falsePositives } = precision
    const share = precisionOf(precision) ?? 0
    return `${truePositives} of ${truePositives + falsePositives} threats with a verdict were real (${(100 * share).toFixed(1)} %)`
  }
  return [
    `- ${version}: ${saysOf(all)}`,
    ...[...weeks].map(([monday, precision]) => `  - week of ${monday}: ${saysOf(precision)}`),
  ]
}
