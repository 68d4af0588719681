import { describe, expect, it } from '@jest/globals'
import { alertOfAudit } from './security-alert.ts'

const REUSE = {
  id: '000001700000000000abcdef',
  at: 1_700_000_000_000,
  event: 'refresh',
  outcome: 'reused',
  actor: null,
  subject: 'user-1',
  address: '203.0.113.9',
  detail: { client: 'curl', sessionId: 'session-1', openedFrom: '198.51.100.1', username: 'eve' },
}

describe('what people are told of the audit log', () => {
  it('is that a refresh token was used twice, by whom and from where', () => {
    const alert = alertOfAudit(JSON.stringify(REUSE))
    expect(alert).toMatchObject({
      id: 'refresh-reuse:session-1',
      severity: 'high',
      change: 'opened',
      entity: 'user:eve',
      openedAt: REUSE.at,
    })
    expect(alert?.reason).toMatch(/eve.*198\.51\.100\.1.*203\.0\.113\.9/)
  })

  it.each([
    ['another event', JSON.stringify({ ...REUSE, event: 'login' })],
    ['another outcome', JSON.stringify({ ...REUSE, outcome: 'accepted' })],
    ['not JSON', 'x'],
    ['no entry', '{}'],
  ])('is nothing of what is %s', (_name, text) => {
    expect(alertOfAudit(text)).toBeUndefined()
  })
})
