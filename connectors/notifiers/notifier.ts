import { z } from 'zod'
import { SentinelError } from '../../runtime/errors.ts'
import type { Alert } from '../../schemas/generated.ts'

/** What people are told: a change of an alert. */
export interface Notification {
  /**
   * Idempotency key: equal for every attempt, and for every notifier, to tell of this change; of letters, digits and `_`
   * only, so that it fits into any header.
   */
  readonly key: string
  readonly type: 'alert.opened' | 'alert.escalated' | 'alert.reopened' | 'alert.closed'
  /** The alert as it was after the change. */
  readonly alert: Alert
}

const fields = z.looseObject({
  id: z.string(),
  revision: z.number(),
  status: z.string(),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  title: z.string(),
  entity: z.string(),
  score: z.number(),
  count: z.number(),
  firstSeen: z.number(),
  lastSeen: z.number(),
  updatedAt: z.number(),
  rule: z.string(),
  reason: z.string(),
  techniques: z.array(z.string()),
  sensors: z.array(z.string()),
})

const schema = z.strictObject({
  key: z.string().regex(/^[A-Za-z0-9_]{1,64}$/),
  type: z.enum(['alert.opened', 'alert.escalated', 'alert.reopened', 'alert.closed']),
  alert: fields,
})

/** Checks a notification that comes out of a queue. Throws NS_NOTIFICATION_REFUSED. */
export const parseNotification = (value: unknown): Notification => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data as unknown as Notification
  throw new SentinelError('NS_NOTIFICATION_REFUSED', 'the queue holds something that is no notification')
}

/** Tells people, in one way. A new one is a file here and a line in the catalogue. */
export interface Notifier {
  /**
   * Names the receiver in metrics and logs, and its queue, which no other shares: one that is away delays itself only.
   * It is the same after every start with the same settings, and tells no secret.
   */
  readonly name: string
  /**
   * Sends a notification once; the caller repeats it. Throws NS_NOTIFICATION_FAILED (retriable; with `retryAfterMs` when
   * the receiver says how long to wait) or NS_NOTIFICATION_REFUSED.
   */
  send(notification: Notification, signal: AbortSignal): Promise<void>
}
