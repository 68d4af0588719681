import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'
import { type AlertingDeps, createAlertingStage } from '../../pipelines/alerting/alerting.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Alert, Decision, Event, Threat } from '../../schemas/generated.ts'
import { makeEvent } from './events.ts'
import { correlationRule, fileOf, rulesOf, serviceRule } from './rules.ts'
import { makeThreat } from './threats.ts'

export const PARTITION = 5
export const MINUTE = 60_000
/** Event time and arrival of what happens at minute 0. */
export const T0 = 1_700_000_000_000

const json = <T>() => ({
  encode: (value: T) => Buffer.from(JSON.stringify(value)),
  decode: async (bytes: Buffer): Promise<T> => {
    const text = bytes.toString('utf8')
    if (text === 'unavailable') throw new SentinelError('NS_SCHEMA_UNKNOWN', 'the registry does not answer')
    if (!text.startsWith('{')) throw new SentinelError('NS_UNDECODABLE', 'not what it should be')
    return JSON.parse(text)
  },
})

/** Three threats of SSH within five minutes; three users of FTP within ten; one threat of SMB. */
export const testRules = rulesOf(
  fileOf(
    serviceRule('ssh'),
    serviceRule('ftp'),
    serviceRule('smb'),
    correlationRule(
      'three',
      ['type: event_count', 'rules: [ssh]', 'timespan: 5m', 'condition: {gte: 3}'],
      'level: medium\ntags: [attack.t1110]\n',
    ),
    correlationRule(
      'users',
      ['type: value_count', 'rules: [ftp]', 'timespan: 10m', 'condition: {gte: 3, field: user}'],
      'level: high\n',
    ),
    correlationRule(
      'one',
      ['type: event_count', 'rules: [smb]', 'timespan: 1m', 'condition: {gte: 1}'],
      'level: low\n',
    ),
  ),
)

/** Metrics that no test looks at. */
const ignored = createMetrics()

/** A task of the alerting stage, with values in JSON. Alerts close after 30 min, and open again within an hour. */
export const alertingTask = (deps: Partial<AlertingDeps> = {}) =>
  createAlertingStage({
    group: 'alerting',
    topics: {
      threats: 'threats',
      decisions: 'decisions',
      alerts: 'alerts',
      alertState: 'alert-state',
      deadLetters: 'dead-letters',
    },
    codecs: { threat: json(), decision: json(), alert: json(), alertState: json() },
    rules: testRules,
    sinks: [],
    deadLetter: (record, error) => ({
      topic: 'dead-letters',
      key: record.key,
      value: record.value,
      headers: { code: error.code, offset: String(record.offset) },
      timestamp: record.timestamp,
    }),
    quietMs: 30 * MINUTE,
    reopenMs: 60 * MINUTE,
    maxGroups: 1000,
    maxAlerts: 1000,
    metrics: ignored,
    ...deps,
  }).createTask(PARTITION)

let offset = 0

/** A record of `threats` or `decisions` that arrived at a minute. */
export const recordAt = (
  topic: 'threats' | 'decisions',
  minutes: number,
  key: string | null,
  value: string | null,
): InputRecord => ({
  topic,
  partition: PARTITION,
  offset: offset++,
  timestamp: T0 + minutes * MINUTE,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: {},
})

/** A threat that happened and arrived at a minute, a failed SSH login unless `event` says otherwise. */
export const threatRecord = (
  minutes: number,
  event: Partial<Event> = {},
  threat: Partial<Threat> = {},
): InputRecord => {
  const id = event.id ?? `t${offset}`
  const whole = makeEvent({ id, time: T0 + minutes * MINUTE, techniques: [], ...event })
  const value = makeThreat({ id, event: whole, severity: 'low', score: 0.6, ...threat })
  return recordAt('threats', minutes, whole.entity, JSON.stringify(value))
}

/** A decision, made and read at a minute. */
export const decisionRecord = (
  minutes: number,
  fields: Partial<Decision> & Pick<Decision, 'kind'>,
): InputRecord => {
  const decision: Decision = {
    id: `d${offset}`,
    by: 'ann',
    at: T0 + minutes * MINUTE,
    comment: null,
    alertId: null,
    assignee: null,
    verdict: null,
    entity: null,
    cidr: null,
    sensor: null,
    technique: null,
    rule: null,
    expiresAt: null,
    ...fields,
  }
  return recordAt('decisions', minutes, decision.id, JSON.stringify(decision))
}

/** The alerts among outputs, in order. */
export const alertsOf = (outputs: readonly OutputRecord[]): Alert[] =>
  outputs
    .filter(({ topic }) => topic === 'alerts')
    .map(({ value }) => JSON.parse(String(value)) as unknown as Alert)
