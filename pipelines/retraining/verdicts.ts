import type { Decoder } from '../../connectors/avro-codec.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { Precision } from '../../models/evaluation/gates.ts'
import { isPoison } from '../../runtime/errors.ts'
import type { Alert, Decision, Threat, Verdict } from '../../schemas/generated.ts'

/** What analysts found. */
export interface Verdicts {
  /** By id of the event. */
  readonly events: ReadonlyMap<string, Verdict>
  /** Of the threats that each version made, by version. */
  readonly byVersion: ReadonlyMap<string, Precision>
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
  const byVersion = new Map<string, Precision>()
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
  await eachValue(kafka, topics.threats, codecs.threat, ({ id, modelVersion }) => {
    const verdict = events.get(id)
    if (verdict === undefined) return
    const { truePositives, falsePositives } = byVersion.get(modelVersion) ?? NOTHING
    const isReal = verdict === 'true_positive'
    byVersion.set(modelVersion, {
      truePositives: truePositives + (isReal ? 1 : 0),
      falsePositives: falsePositives + (isReal ? 0 : 1),
    })
  })
  return { events, byVersion }
}

const NOTHING: Precision = { truePositives: 0, falsePositives: 0 }
