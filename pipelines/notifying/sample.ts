import { randomBytes } from 'node:crypto'
import type { Notification } from '../../connectors/notifiers/notifier.ts'

/** A notification that says of itself that it is a test; with a key of its own each time, so that none is taken for old. */
export const sampleNotification = (now: number): Notification => ({
  key: `ntf_${randomBytes(16).toString('hex')}`,
  type: 'alert.opened',
  alert: {
    id: 'test',
    revision: 1,
    status: 'open',
    severity: 'low',
    rule: 'test',
    title: 'Test of NetSentinel',
    entity: 'ip:192.0.2.1',
    score: 0,
    techniques: [],
    firstSeen: now,
    lastSeen: now,
    count: 0,
    threatIds: [],
    sensors: [],
    change: 'opened',
    reason: 'somebody ran `netsentinel notify --test`: nothing has happened',
    group: {},
    field: null,
    values: [],
    distinct: 0,
    openedAt: now,
    updatedAt: now,
    verdict: null,
    assignee: null,
    comment: null,
    decidedBy: null,
  },
})
