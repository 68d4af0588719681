import { createHash } from 'node:crypto'
import type { Firing } from '../../models/rules/correlate.ts'
import { mergeEvidence, worse } from '../../models/rules/evidence.ts'
import { SEVERITIES, severityRank } from '../../models/rules/fields.ts'
import type { LinkedCorrelation } from '../../models/rules/rule-set.ts'
import type { Alert, AlertChange, AlertRecord, Evidence, Severity, Threat } from '../../schemas/generated.ts'

/** When something happens to an alert. */
export interface Moment {
  /** Timestamp of the record that it comes from, in ms since 1970 (UTC). */
  readonly timestamp: number
  /** Time of the partition, in ms since 1970 (UTC). */
  readonly time: number
}

/** From so many distinct techniques on, and from so many threats on, an alert is one step more severe each. */
const TECHNIQUES_OF_A_STEP = 8
const COUNT_OF_A_STEP = 100

/** Ids of the latest threats that are known again, distinct values that are told apart, and how many of them are shown. */
const RECENT_THREATS = 32
const MOST_VALUES = 100
const SHOWN_VALUES = 20

/**
 * The id of an alert: the first 20 hex digits of SHA-256 over the JSON array of its rule, the values of its group and
 * the id of the threat that opened it. So the same threats make the same ids, wherever and whenever.
 */
const alertId = ({ group }: Firing, threat: Threat): string =>
  createHash('sha256')
    .update(JSON.stringify([...(JSON.parse(group) as string[]), threat.id]))
    .digest('hex')
    .slice(0, 20)

/** Severity by the rule's level and the highest of its threats, one step up for breadth and one for mass. */
const severityOf = (level: Severity, { severity, techniques, count }: Evidence): Severity => {
  const breadth = techniques.length >= TECHNIQUES_OF_A_STEP ? 1 : 0
  const mass = count >= COUNT_OF_A_STEP ? 1 : 0
  return SEVERITIES[severityRank(worse(level, severity)) + breadth + mass] ?? 'critical'
}

const threats = (count: number) => (count === 1 ? '1 threat' : `${count} threats`)

/** What the rule says of the threats, in words. */
const findingOf = (rule: LinkedCorrelation, { count }: Evidence, distinct: number): string => {
  const names = rule.parts.map(({ written }) => written).join(', ')
  const within = `${rule.count.words} within ${rule.timespan} make an alert`
  switch (rule.type) {
    case 'event_count':
      return rule.count.capacity === 1 && rule.count.holds(1)
        ? `${threats(count)} (${names}), one is enough for an alert`
        : `${threats(count)} (${names}), ${within}`
    case 'value_count':
      return `${distinct}${distinct < MOST_VALUES ? '' : ' or more'} values of ${rule.field?.name} in ${threats(count)}, ${within}`
    case 'temporal':
      return `${rule.count.words} of ${names} within ${rule.timespan}, in ${threats(count)}`
    case 'temporal_ordered':
      return `${names}, in this order within ${rule.timespan}, in ${threats(count)}`
    case 'event_regularity':
      return `${threats(count)} at regular intervals, ${within}`
  }
}

/** Why it is an alert, in words. */
const reasonOf = (rule: LinkedCorrelation, evidence: Evidence, distinct: number): string =>
  `${findingOf(rule, evidence, distinct)}; ${evidence.count === 1 ? 'it is' : 'most unusual'}: ${evidence.title}`

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])]

/** The alert with what its threats come to now. Severity never goes down. */
const withEvidence = (
  alert: Alert,
  rule: LinkedCorrelation,
  evidence: Evidence,
  values: readonly string[],
): Alert => ({
  ...alert,
  severity: worse(alert.severity, severityOf(rule.level, evidence)),
  title: rule.title,
  score: evidence.score,
  techniques: union(rule.techniques, evidence.techniques),
  firstSeen: evidence.firstSeen,
  lastSeen: evidence.lastSeen,
  count: evidence.count,
  threatIds: evidence.threatIds,
  sensors: evidence.sensors,
  reason: reasonOf(rule, evidence, values.length),
  field: rule.field?.name ?? null,
  values: values.slice(0, SHOWN_VALUES),
  distinct: values.length,
})

/** The record with one more revision, which is to be written. */
export const revised = (record: AlertRecord, change: AlertChange, { timestamp }: Moment): AlertRecord => ({
  ...record,
  alert: { ...record.alert, revision: record.alert.revision + 1, change, updatedAt: timestamp },
})

/** Whether it takes threats: it is open or acknowledged, not resolved or closed. */
export const isUnderWay = ({ alert }: AlertRecord): boolean =>
  alert.status === 'open' || alert.status === 'acknowledged'

const recentOf = (record: Pick<AlertRecord, 'recent'>, ids: readonly string[]) =>
  [...record.recent, ...ids].slice(-RECENT_THREATS)

/** Opens an alert with the threats of a window, the last of which is `threat`. */
export const openAlert = (firing: Firing, threat: Threat, moment: Moment): AlertRecord => {
  const { rule, evidence } = firing
  const values = firing.counted.slice(0, MOST_VALUES)
  const blank: Alert = {
    id: alertId(firing, threat),
    revision: 0,
    status: 'open',
    severity: rule.level,
    rule: rule.id,
    title: rule.title,
    entity: threat.entity,
    score: 0,
    techniques: [],
    firstSeen: 0,
    lastSeen: 0,
    count: 0,
    threatIds: [],
    sensors: [],
    change: 'opened',
    reason: '',
    group: firing.values,
    field: null,
    values: [],
    distinct: 0,
    openedAt: moment.timestamp,
    updatedAt: moment.timestamp,
    verdict: null,
    assignee: null,
    comment: null,
    decidedBy: null,
  }
  const record: AlertRecord = {
    alert: withEvidence(blank, rule, evidence, values),
    evidence,
    values,
    recent: recentOf({ recent: [] }, evidence.threatIds),
    quietSince: moment.time,
    decisions: [],
  }
  return revised(record, 'opened', moment)
}

const isPowerOfTwo = (count: number): boolean => Number.isInteger(Math.log2(count))

/** Why an alert that has grown is worth a record; undefined when it is not. */
const noteworthy = (before: Alert, after: Alert): AlertChange | undefined => {
  if (after.severity !== before.severity) return 'escalated'
  const isBroader =
    after.techniques.length > before.techniques.length || after.sensors.length > before.sensors.length
  return isBroader || isPowerOfTwo(after.count) ? 'grew' : undefined
}

const withThreats = (record: AlertRecord, firing: Firing, moment: Moment): AlertRecord => {
  const evidence = mergeEvidence(record.evidence, firing.evidence)
  const values = union(record.values, firing.counted).slice(0, MOST_VALUES)
  return {
    ...record,
    alert: withEvidence(record.alert, firing.rule, evidence, values),
    evidence,
    values,
    recent: recentOf(record, firing.evidence.threatIds),
    quietSince: moment.time,
  }
}

/**
 * Takes one more threat into an alert under way. There is a new revision when the severity rises, a technique or a sensor
 * is new, or the count reaches a power of two, so that their number grows with the logarithm of the count. The same
 * record comes back for a threat that is among its latest already.
 */
export const growAlert = (
  record: AlertRecord,
  firing: Firing,
  threat: Threat,
  moment: Moment,
): AlertRecord => {
  if (record.recent.includes(threat.id)) return record
  const grown = withThreats(record, firing, moment)
  const change = noteworthy(record.alert, grown.alert)
  return change === undefined ? grown : revised(grown, change, moment)
}

/** Opens an alert again that had ended, with the threats of the window that fired since. */
export const reopenAlert = (record: AlertRecord, firing: Firing, moment: Moment): AlertRecord => {
  const grown = withThreats(record, firing, moment)
  return revised({ ...grown, alert: { ...grown.alert, status: 'open' } }, 'reopened', moment)
}

/** Ends an alert that has been quiet; `at` is when its time was over, in ms of the partition's time. */
export const closeAlert = (record: AlertRecord, at: number, moment: Moment): AlertRecord =>
  revised({ ...record, alert: { ...record.alert, status: 'closed' }, quietSince: at }, 'closed', moment)
