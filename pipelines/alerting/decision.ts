import { inNetwork } from '../../models/rules/field-test.ts'
import { SEVERITIES, severityRank } from '../../models/rules/fields.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { AlertRecord, AlertStatus, Decision, Threat } from '../../schemas/generated.ts'
import { isUnderWay, type Moment, revised } from './alert.ts'

/** Most characters of a comment or a name that an alert carries. */
const LONGEST_TEXT = 2_000

/** How many decisions on an alert are known again when they are read once more. */
const KNOWN_DECISIONS = 64

/** A suppression, compiled. */
export interface Suppression {
  readonly decision: Decision
  /** Whether it is about this threat, whatever the rule. `timestamp` is that of the threat's record. */
  covers(threat: Threat, timestamp: number): boolean
}

const malformed = (problem: string, cause?: unknown) =>
  new SentinelError('NS_MALFORMED', `not a decision: ${problem}`, { cause })

const networkOf = (cidr: string): ((address: string) => boolean) => {
  try {
    return inNetwork(cidr)
  } catch (error) {
    throw malformed(messageOf(error), error)
  }
}

/**
 * Compiles a suppression. All that it names must hold of a threat. It is in force for threats whose records are stamped
 * from its own time until it expires: so what it covers does not depend on when it is read, or on the clock.
 *
 * Throws NS_MALFORMED when it names nothing, or a network that is none.
 */
export const compileSuppression = (decision: Decision): Suppression => {
  const { entity, cidr, sensor, technique, rule, at, expiresAt } = decision
  if ([entity, cidr, sensor, technique, rule].every(each => each === null))
    throw malformed('a suppression names an entity, a network, a sensor, a technique or a rule')
  const isWithin = cidr === null ? undefined : networkOf(cidr)
  return {
    decision,
    covers: ({ entity: whose, techniques, event }, timestamp) =>
      timestamp >= at &&
      (expiresAt === null || timestamp < expiresAt) &&
      (entity === null || entity === whose) &&
      (isWithin === undefined || (event.srcIp !== null && isWithin(event.srcIp))) &&
      (sensor === null || sensor === event.sensor) &&
      (technique === null || techniques.some(each => each === technique || each.startsWith(`${technique}.`))),
  }
}

/** Checks that a decision holds what its kind needs. Throws NS_MALFORMED. */
export const checkDecision = (decision: Decision): void => {
  if (decision.kind === 'suppress') {
    compileSuppression(decision)
    return
  }
  if (decision.alertId === null) throw malformed(`${decision.kind} needs the id of an alert`)
  if (decision.kind === 'verdict' && decision.verdict === null) throw malformed('verdict needs a verdict')
}

const cut = (text: string): string => text.slice(0, LONGEST_TEXT).toWellFormed()

const statusAfter = (record: AlertRecord, { kind }: Decision): AlertStatus => {
  const { status } = record.alert
  switch (kind) {
    case 'acknowledge':
      return isUnderWay(record) ? 'acknowledged' : status
    case 'resolve':
      return 'resolved'
    case 'reopen':
      return 'open'
    case 'suppress':
    case 'assign':
    case 'comment':
    case 'verdict':
    case 'escalate':
      return status
  }
}

/** One step more severe, so that people are told who are told of worse alerts only; the worst stays as it is. */
const escalateAlert = (record: AlertRecord, decision: Decision, moment: Moment): AlertRecord => {
  const { alert } = record
  const severity = SEVERITIES[severityRank(alert.severity) + 1] ?? alert.severity
  return revised(
    { ...record, alert: { ...alert, severity, decidedBy: cut(decision.by) } },
    'escalated',
    moment,
  )
}

/**
 * What a decision makes of its alert: a new revision, with who decided. The same record comes back for a decision that has
 * been made on it before, and for the escalation of an alert that somebody has acknowledged meanwhile, or that has ended.
 */
export const decideAlert = (record: AlertRecord, decision: Decision, moment: Moment): AlertRecord => {
  if (record.decisions.includes(decision.id)) return record
  const known = { ...record, decisions: [...record.decisions, decision.id].slice(-KNOWN_DECISIONS) }
  if (decision.kind === 'escalate') {
    return record.alert.status === 'open' ? escalateAlert(known, decision, moment) : record
  }
  const { alert } = record
  const { verdict, assignee, comment } = decision
  const decided: AlertRecord = {
    ...known,
    alert: {
      ...alert,
      status: statusAfter(record, decision),
      verdict: verdict ?? alert.verdict,
      assignee: decision.kind === 'assign' ? assignee && cut(assignee) : alert.assignee,
      comment: comment === null ? alert.comment : cut(comment),
      decidedBy: cut(decision.by),
    },
    quietSince: decision.kind === 'resolve' || decision.kind === 'reopen' ? moment.time : record.quietSince,
  }
  return revised(decided, decision.kind === 'reopen' ? 'reopened' : 'triaged', moment)
}
