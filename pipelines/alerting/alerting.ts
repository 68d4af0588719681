import type { Codec } from '../../connectors/avro-codec.ts'
import type {
  InputRecord,
  OutputRecord,
  PartitionTask,
  Stage,
  StateChange,
} from '../../connectors/kafka/stage.ts'
import { correlate, type Firing } from '../../models/rules/correlate.ts'
import type { LinkedCorrelation } from '../../models/rules/rule-set.ts'
import { messageOf, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Alert, AlertRecord, AlertState, Decision, Threat } from '../../schemas/generated.ts'
import { growAlert, isUnderWay, type Moment, openAlert, reopenAlert } from './alert.ts'
import { type AlertTimes, createAlertStates, type PartitionView } from './alert-states.ts'
import { checkDecision, compileSuppression, decideAlert } from './decision.ts'

/** A further form in which every alert is written, in the same transaction. */
export interface AlertSink {
  /** Full name of its topic, which has as many partitions as `threats`. */
  readonly topic: string
  encode(alert: Alert): Buffer
}

/** What alerting is made of. */
export interface AlertingDeps extends AlertTimes {
  /** Consumer group, prefix included. */
  readonly group: string
  /** Full names of the topics. */
  readonly topics: {
    readonly threats: string
    readonly decisions: string
    readonly alerts: string
    readonly alertState: string
    readonly deadLetters: string
  }
  readonly codecs: {
    readonly threat: Pick<Codec<Threat>, 'decode'>
    readonly decision: Pick<Codec<Decision>, 'decode'>
    readonly alert: Pick<Codec<Alert>, 'encode'>
    readonly alertState: Pick<Codec<AlertState>, 'encode' | 'decode'>
  }
  readonly sinks: readonly AlertSink[]
  /** Makes the dead letter of a threat or a decision that cannot be taken. */
  readonly deadLetter: (record: InputRecord, error: SentinelError) => OutputRecord
  /** Groups that are followed, and alerts that are kept, in each partition. */
  readonly maxGroups: number
  readonly maxAlerts: number
  readonly metrics: Pick<Metrics, 'alerts' | 'alertsUnderWay' | 'alertGroups' | 'threatsSuppressed'>
}

const STAGE = 'alerting'

const unreadable = (record: InputRecord, why: string, cause?: unknown) =>
  new SentinelError(
    'NS_STATE_UNREADABLE',
    `${record.topic}-${record.partition} cannot be read at offset ${record.offset}: ${why}`,
    { cause },
  )

/** What a batch has come to so far. */
interface Batch {
  readonly view: PartitionView
  readonly outputs: OutputRecord[]
  /** Revisions that are written, in order. */
  readonly written: Alert[]
  suppressed: number
}

const createTask = (deps: AlertingDeps, partition: number): PartitionTask => {
  const { codecs, topics, rules, metrics } = deps
  const states = createAlertStates(deps)
  /** Bytes of each committed changelog record, and of all of them. */
  const sizes = new Map<string, number>()
  let bytes = 0

  const measure = (key: string, value: Buffer | null) => {
    bytes -= sizes.get(key) ?? 0
    sizes.delete(key)
    if (value === null) return
    const size = Buffer.byteLength(key) + value.length
    sizes.set(key, size)
    bytes += size
  }

  const readState = async (record: InputRecord): Promise<AlertState | null> => {
    try {
      return record.value === null ? null : await codecs.alertState.decode(record.value)
    } catch (error) {
      // Transient trouble with the registry is tried again; bytes that are no state never will be one.
      if (toSentinelError(error).outcome === 'retriable') throw error
      throw unreadable(record, messageOf(error), error)
    }
  }

  /** Writes the latest revision of an alert; `cause` is the record that it was made of, whose trace it carries on. */
  const write = (batch: Batch, { alert }: AlertRecord, { timestamp }: Moment, cause?: InputRecord) => {
    const output = (topic: string, value: Buffer): OutputRecord => ({
      topic,
      partition,
      key: alert.id,
      value,
      timestamp,
      ...(cause === undefined ? {} : { cause }),
    })
    batch.outputs.push(
      output(topics.alerts, codecs.alert.encode(alert)),
      ...deps.sinks.map(sink => output(sink.topic, sink.encode(alert))),
    )
    batch.written.push(alert)
  }

  /** Keeps an alert; writes it when it has a new revision, and those that had to go for it. */
  const put = (
    batch: Batch,
    group: string,
    before: AlertRecord | null,
    after: AlertRecord,
    moment: Moment,
    cause: InputRecord,
  ) => {
    if (after === before) return
    const closed = batch.view.setAlert(group, after, moment)
    if (after.alert.revision !== before?.alert.revision) write(batch, after, moment, cause)
    for (const each of closed) write(batch, each, moment)
  }

  const fire = (batch: Batch, firing: Firing, threat: Threat, moment: Moment, cause: InputRecord) => {
    const before = batch.view.alerts.get(firing.group)
    const after =
      before === null
        ? openAlert(firing, threat, moment)
        : isUnderWay(before)
          ? growAlert(before, firing, threat, moment)
          : reopenAlert(before, firing, moment)
    put(batch, firing.group, before, after, moment, cause)
  }

  /** Rules that pass over a threat; undefined when all of them do. */
  const suppressedRules = (view: PartitionView, threat: Threat, timestamp: number) => {
    const ruled = new Set<string>()
    for (const suppression of view.suppressionsOf(threat.entity)) {
      if (!suppression.covers(threat, timestamp)) continue
      if (suppression.decision.rule === null) return undefined
      ruled.add(suppression.decision.rule)
    }
    return ruled
  }

  const takeThreat = async (batch: Batch, record: InputRecord) => {
    if (record.value === null) throw new SentinelError('NS_EMPTY', 'the record has no value')
    const threat = await codecs.threat.decode(record.value)
    const { view } = batch
    const { timestamp } = record
    const closed = view.moveTo(timestamp)
    const moment = { timestamp, time: view.time() }
    for (const each of closed) write(batch, each, moment)
    const ruled = suppressedRules(view, threat, timestamp)
    if (ruled === undefined) {
      batch.suppressed++
      return
    }
    const firings = correlate(rules, threat, {
      isUnderWay: group => {
        const alert = view.alerts.get(group)
        return alert !== null && isUnderWay(alert)
      },
      window: group => view.windows.get(group),
      setWindow: (group, window) => {
        if (window === null) view.windows.delete(group)
        else view.windows.set(group, window)
      },
      isSuppressed: (rule: LinkedCorrelation) => ruled.has(rule.id) || ruled.has(rule.name),
    })
    for (const firing of firings) fire(batch, firing, threat, moment, record)
  }

  const takeDecision = async (batch: Batch, record: InputRecord) => {
    const { view } = batch
    const key = record.key?.toString('utf8')
    if (key === undefined) throw new SentinelError('NS_MALFORMED', 'not a decision: it has no key')
    if (record.value === null) {
      view.lift(key)
      return
    }
    const decision = await codecs.decision.decode(record.value)
    if (decision.id !== key)
      throw new SentinelError('NS_MALFORMED', `not a decision: its key is not its id, ${decision.id}`)
    checkDecision(decision)
    if (decision.kind === 'suppress') {
      view.suppress(compileSuppression(decision))
      return
    }
    for (const [group, alert] of view.alerts.entries()) {
      if (alert.alert.id !== decision.alertId) continue
      const moment = { timestamp: record.timestamp, time: view.time() }
      const after = decideAlert(alert, decision, moment)
      // Nothing that was gathered for opening it again is counted twice.
      if (isUnderWay(after)) view.windows.delete(group)
      put(batch, group, alert, after, moment, record)
      return
    }
  }

  const take = async (batch: Batch, record: InputRecord) => {
    try {
      await (record.topic === topics.decisions ? takeDecision(batch, record) : takeThreat(batch, record))
    } catch (error) {
      const poison = toSentinelError(error)
      if (poison.outcome !== 'poison') throw poison
      batch.outputs.push(deps.deadLetter(record, poison))
    }
  }

  const observe = ({ written, suppressed }: Batch) => {
    for (const { rule, severity, change } of written) metrics.alerts.inc({ rule, severity, change })
    if (suppressed > 0) metrics.threatsSuppressed.inc(suppressed)
  }

  const figures = () => {
    const { alerts, windows } = states.view()
    let underWay = 0
    for (const [, record] of alerts.entries()) if (isUnderWay(record)) underWay++
    return [[metrics.alertsUnderWay, underWay] as const, [metrics.alertGroups, windows.size()] as const]
  }

  return {
    restore: async records => {
      for (const record of records) {
        if (record.key === null) throw unreadable(record, 'it has no key')
        const key = record.key.toString('utf8')
        const isState = states.restore(key, await readState(record))
        if (!isState) throw unreadable(record, 'it holds nothing that its key names')
        measure(key, record.value)
      }
    },
    process: async records => {
      const batch: Batch = { view: states.view(), outputs: [], written: [], suppressed: 0 }
      for (const record of records) await take(batch, record)
      const changes = batch.view.changes().map(([key, state]): StateChange => {
        const value = state && codecs.alertState.encode(state)
        return { key, value }
      })
      return {
        outputs: batch.outputs,
        changes,
        committed: () => {
          batch.view.commit()
          for (const { key, value } of changes) measure(key, value)
          observe(batch)
        },
      }
    },
    size: () => ({ entries: sizes.size, bytes, figures: figures() }),
  }
}

/**
 * The alerting stage: threats of an entity that fulfil a rule become one alert, which grows, escalates and closes. Alerts
 * of a partition are a function of its threats and decisions in the order they are read: the same whatever the batches
 * and restarts. An alert goes to the partition number of its threats, keyed by its id, with the timestamp of the record
 * that it comes from.
 *
 * Its tasks throw NS_STATE_UNREADABLE when a partition's changelog does not decode.
 */
export const createAlertingStage = (deps: AlertingDeps): Stage => ({
  name: STAGE,
  group: deps.group,
  input: deps.topics.threats,
  sideInputs: [deps.topics.decisions],
  outputs: [
    { topic: deps.topics.alerts },
    ...deps.sinks.map(({ topic }) => ({ topic })),
    { topic: deps.topics.deadLetters, everywhere: true },
  ],
  changelog: deps.topics.alertState,
  createTask: partition => createTask(deps, partition),
  tooLarge: deps.deadLetter,
})
