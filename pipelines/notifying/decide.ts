import { createHash } from 'node:crypto'
import type { Notification } from '../../connectors/notifiers/notifier.ts'
import type { Alert, AlertChange, AlertSeverity } from '../../schemas/generated.ts'

/** Severities, the mildest first. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const satisfies readonly AlertSeverity[]

/** Which alerts people are told of. */
export interface NotifyRules {
  /** The mildest severity that is worth it. */
  readonly minSeverity: AlertSeverity
  /** Whether they are told that such an alert has closed. */
  readonly closed: boolean
}

/** Changes that are told; that an alert grew, or that somebody looks after it, is not. */
const TYPES: Readonly<Partial<Record<AlertChange, Notification['type']>>> = {
  opened: 'alert.opened',
  escalated: 'alert.escalated',
  reopened: 'alert.reopened',
  closed: 'alert.closed',
}

/** The same for the same revision of the same alert, whenever and wherever it is read. */
const keyOf = ({ id, revision }: Alert): string =>
  `ntf_${createHash('sha256').update(`${revision}:${id}`).digest('hex').slice(0, 32)}`

/** What people are told of a record of `alerts`; undefined for nothing. */
export const notificationOf = (
  alert: Alert,
  { minSeverity, closed }: NotifyRules,
): Notification | undefined => {
  const type = TYPES[alert.change]
  if (type === undefined || (type === 'alert.closed' && !closed)) return undefined
  if (SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(minSeverity)) return undefined
  return { key: keyOf(alert), type, alert }
}
