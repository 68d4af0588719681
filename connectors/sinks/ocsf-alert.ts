import { VERSION } from '../../runtime/version.ts'
import type { Alert, AlertStatus, Verdict } from '../../schemas/generated.ts'
import {
  attacksOf,
  compact,
  cut,
  type Json,
  OCSF_VERSION,
  oneLine,
  SEVERITIES,
  TEXT_CHARS,
} from './ocsf-parts.ts'

/** A closed alert was not looked at by anybody, so it is none of OCSF's own ends. */
const STATUSES: Readonly<Record<AlertStatus, { id: number; caption: string }>> = {
  open: { id: 1, caption: 'New' },
  acknowledged: { id: 2, caption: 'In Progress' },
  resolved: { id: 4, caption: 'Resolved' },
  closed: { id: 99, caption: 'Closed' },
}

const VERDICTS: Readonly<Record<Verdict, { id: number; caption: string }>> = {
  false_positive: { id: 1, caption: 'False Positive' },
  true_positive: { id: 2, caption: 'True Positive' },
}

const ACTIVITIES = { create: [1, 'Create'], update: [2, 'Update'], close: [3, 'Close'] } as const

const activityOf = ({ revision, status }: Alert): (typeof ACTIVITIES)[keyof typeof ACTIVITIES] => {
  if (revision === 1) return ACTIVITIES.create
  return status === 'resolved' || status === 'closed' ? ACTIVITIES.close : ACTIVITIES.update
}

const IP = /^ip:(.+)$/
const HOST = /^host:(.+)$/
const USER = /^user:(.+)$/

/** The entity as OCSF's observables have it; a sensor is none. */
const observablesOf = (entity: string): Json[] =>
  [
    { type_id: 2, type: 'IP Address', value: IP.exec(entity)?.[1] },
    { type_id: 1, type: 'Hostname', value: HOST.exec(entity)?.[1] },
    { type_id: 4, type: 'User Name', value: USER.exec(entity)?.[1] },
  ]
    .filter(({ value }) => value !== undefined)
    .map(each => ({ ...each, name: 'unmapped.entity' }))

/**
 * An OCSF Detection Finding (class 2004) for one revision of an alert: Create for the first, Close when it is resolved
 * or closed, Update for every other. `finding_info.uid` is the alert's id in all of them, `metadata.uid` names the
 * revision. Like a threat's finding it is a function of its input and of the version of NetSentinel.
 */
export const alertToOcsf = (alert: Alert): Json => {
  const severity = SEVERITIES[alert.severity]
  const status = STATUSES[alert.status]
  const verdict = alert.verdict === null ? undefined : VERDICTS[alert.verdict]
  const [activity_id, activity_name] = activityOf(alert)
  const title = cut(alert.title, TEXT_CHARS)
  return compact({
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    activity_id,
    activity_name,
    type_uid: 200_400 + activity_id,
    type_name: `Detection Finding: ${activity_name}`,
    time: alert.updatedAt,
    start_time: alert.firstSeen,
    end_time: alert.lastSeen,
    severity_id: severity.id,
    severity: severity.caption,
    status_id: status.id,
    status: status.caption,
    is_alert: true,
    risk_score: Math.round(Math.min(1, Math.max(0, alert.score)) * 100),
    risk_level_id: severity.risk,
    risk_level: severity.caption,
    verdict_id: verdict?.id,
    verdict: verdict?.caption,
    assignee: { name: alert.assignee },
    comment: alert.comment,
    count: alert.count,
    message: `${title}: ${alert.reason}`,
    metadata: {
      version: OCSF_VERSION,
      uid: `${alert.id}-${alert.revision}`,
      product: { name: 'NetSentinel', vendor_name: 'NetSentinel', version: VERSION },
      event_code: alert.rule,
      loggers: alert.sensors.map(name => ({ name: cut(name, TEXT_CHARS) })),
    },
    finding_info: {
      uid: alert.id,
      title,
      desc: alert.reason,
      created_time: alert.openedAt,
      modified_time: alert.updatedAt,
      first_seen_time: alert.firstSeen,
      last_seen_time: alert.lastSeen,
      analytic: { name: title, uid: alert.rule, type_id: 1, type: 'Rule' },
      attacks: attacksOf(alert.techniques),
      related_events: alert.threatIds.map(uid => ({ uid, type_uid: 200_401 })),
      related_events_count: alert.count,
    },
    observables: observablesOf(cut(alert.entity, TEXT_CHARS)),
    unmapped: {
      entity: cut(alert.entity, TEXT_CHARS),
      score: alert.score,
      revision: alert.revision,
      change: alert.change,
      group: alert.group,
      field: alert.field,
      values: alert.values,
      distinct: alert.field === null ? undefined : alert.distinct,
      techniques: alert.techniques,
      decided_by: alert.decidedBy,
    },
  }) as Json
}

/** The finding as a record's value. */
export const encodeAlertOcsf = (alert: Alert): Buffer => oneLine(alertToOcsf(alert))
