import { type AuditEntry, parseAuditEntry } from '../../schemas/audit.ts'
import type { Alert } from '../../schemas/generated.ts'

const fact = ({ detail }: AuditEntry, name: string): string => String(detail[name] ?? 'unknown')

/**
 * What in the gateway's own audit log people are told of at once, as of an alert: that a refresh token came a second
 * time, so that one of the two who had it has stolen it. Undefined of everything else, and of what is no entry.
 */
export const alertOfAudit = (text: string): Alert | undefined => {
  const entry = parseAuditEntry(text)
  if (entry?.event !== 'refresh' || entry.outcome !== 'reused') return undefined
  const user = fact(entry, 'username')
  return {
    // One alert for a session, which has ended with it.
    id: `refresh-reuse:${fact(entry, 'sessionId')}`,
    revision: 1,
    status: 'open',
    severity: 'high',
    rule: 'refresh-reuse',
    title: 'A login of NetSentinel was stolen',
    entity: `user:${user}`,
    score: 1,
    techniques: ['T1550.001'],
    firstSeen: entry.at,
    lastSeen: entry.at,
    count: 1,
    threatIds: [],
    sensors: [],
    change: 'opened',
    reason:
      `a refresh token of ${user}, who logged in from ${fact(entry, 'openedFrom')}, was used again ` +
      `from ${entry.address ?? 'unknown'}; the session has been ended`,
    group: { user },
    field: null,
    values: [],
    distinct: 0,
    openedAt: entry.at,
    updatedAt: entry.at,
    verdict: null,
    assignee: null,
    comment: null,
    decidedBy: null,
  }
}
