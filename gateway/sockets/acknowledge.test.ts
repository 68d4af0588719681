import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../../runtime/errors.ts'
import { GRANTS, type Role } from '../auth/permissions.ts'
import type { Principal } from '../auth/provider.ts'
import { BLANK_DECISION, type Triage } from '../triage/triage.ts'
import { acknowledge } from './acknowledge.ts'

const principalOf = (role: Role): Principal => ({
  userId: 'u',
  username: 'eve',
  role,
  grants: GRANTS[role],
  rows: null,
  tokenId: 't',
  sessionId: 's',
  issuedAt: 0,
  expiresAt: 1,
})

const ask = async (act: () => ReturnType<Triage['act']>, role: Role = 'analyst') => {
  const asked: unknown[] = []
  const triage: Pick<Triage, 'act'> = {
    act: (decider, ...wanted) => {
      asked.push([decider.principal.username, decider.address, ...wanted])
      return act()
    },
  }
  const decider = { principal: principalOf(role), address: '192.0.2.1' }
  const message = { type: 'acknowledge', alertId: 'a', revision: 3, comment: 'mine', id: '9' } as const
  return { answer: await acknowledge(triage, decider, message), asked }
}

describe('to acknowledge an alert', () => {
  it('is decided as its user, and answered with the revision', async () => {
    const decision = { ...BLANK_DECISION, id: 'd', kind: 'acknowledge', by: 'eve', at: 0 } as const
    const { answer, asked } = await ask(async () => ({ decision, revision: 4 }))
    expect(answer).toEqual({ type: 'acknowledged', alertId: 'a', revision: 4, id: '9' })
    expect(asked).toEqual([['eve', '192.0.2.1', { kind: 'acknowledge', alertId: 'a', comment: 'mine' }, 3]])
  })

  it('is refused with the reason', async () => {
    const away = new SentinelError('NS_SERVICE_UNREACHABLE', 'away')
    const answers = await Promise.all([
      ask(async () => ({ refused: 'unknown' })),
      ask(async () => ({ refused: 'ended' })),
      ask(async () => ({ refused: 'stale', revision: 4 })),
      ask(() => Promise.reject(away)),
    ])
    const codes = answers.map(({ answer }) => (answer.type === 'error' ? answer.code : answer.type))
    expect(codes).toEqual(['unknown', 'ended', 'stale', 'unavailable'])
  })

  it('needs the permission', async () => {
    const { answer, asked } = await ask(() => Promise.reject(new Error('asked')), 'viewer')
    expect(answer).toMatchObject({ type: 'error', code: 'forbidden', id: '9' })
    expect(asked).toEqual([])
  })
})
