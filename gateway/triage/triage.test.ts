import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { silentLog } from '../../runtime/log.ts'
import type { AlertStatus } from '../../schemas/generated.ts'
import { tempDir } from '../../test/support/temp.ts'
import { createAudit } from '../auth/audit.ts'
import { openStore } from '../store/open-store.ts'
import { createTriage, type Decider } from './triage.ts'

const open: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const NOW = 1_700_000_000_000
const ANN: Decider = {
  principal: {
    userId: 'u1',
    username: 'ann',
    role: 'analyst',
    grants: [],
    rows: null,
    tokenId: 't',
    sessionId: null,
    issuedAt: NOW,
    expiresAt: NOW,
  },
  address: '192.0.2.7',
}

const create = async (status: AlertStatus = 'open') => {
  const store = await openStore({ address: join(tempDir(), 'gateway.db'), log: silentLog() })
  open.push(() => store.close())
  let woken = 0
  const triage = createTriage({
    store,
    findAlert: async id => (id === 'a1' ? { revision: 3, status, entity: 'ip:192.0.2.1' } : undefined),
    wake: () => {
      woken += 1
    },
    audit: createAudit({ store, log: silentLog(), now: () => NOW }),
    now: () => NOW,
  })
  return { triage, store, woken: () => woken }
}

describe('triage', () => {
  it('keeps who decided what and when, has it published, and writes it down', async () => {
    const { triage, store, woken } = await create()
    const made = await triage.act(ANN, {
      alertId: 'a1',
      kind: 'resolve',
      verdict: 'false_positive',
      comment: 'ours',
    })
    expect(made).toMatchObject({
      revision: 4,
      decision: {
        kind: 'resolve',
        by: 'ann',
        at: NOW,
        alertId: 'a1',
        verdict: 'false_positive',
        comment: 'ours',
        entity: null,
      },
    })
    expect(await store.listTriage('a1', { limit: 9 })).toMatchObject([{ actor: 'u1', revision: 4 }])
    expect(await store.unpublishedDecisions(9)).toHaveLength(1)
    expect(woken()).toBe(1)
    expect(await store.listAudit({ limit: 9 })).toMatchObject([
      { event: 'alert.resolve', outcome: 'accepted', actor: 'u1', subject: 'a1', address: '192.0.2.7' },
    ])
  })

  it('refuses what is unknown, what has changed since, and to acknowledge what has ended', async () => {
    const { triage, store, woken } = await create()
    expect(await triage.act(ANN, { alertId: 'a2', kind: 'acknowledge' })).toEqual({ refused: 'unknown' })
    expect(await triage.act(ANN, { alertId: 'a1', kind: 'acknowledge' }, 2)).toEqual({
      refused: 'stale',
      revision: 3,
    })
    const closed = (await create('closed')).triage
    expect(await closed.act(ANN, { alertId: 'a1', kind: 'acknowledge' })).toEqual({ refused: 'ended' })
    expect(await closed.act(ANN, { alertId: 'a1', kind: 'reopen' })).toMatchObject({ revision: 4 })
    expect(await store.unpublishedDecisions(9)).toEqual([])
    expect(woken()).toBe(0)
    expect(await store.listAudit({ limit: 9 })).toMatchObject([
      { event: 'alert.acknowledge', outcome: 'stale' },
    ])
  })

  it.each([
    ['nothing', {}, /names/],
    ['no more than a comment', { comment: 'x' }, /names/],
    ['a network that is none', { cidr: '192.0.2.0/33' }, /not a network/],
    ['a time that is over', { sensor: 'dmz', expiresAt: NOW }, /over/],
  ])('does not suppress %s', async (_name, wanted, why) => {
    const { triage, store } = await create()
    expect(await triage.suppress(ANN, wanted)).toMatch(why)
    expect(await store.unpublishedDecisions(9)).toEqual([])
  })

  it('suppresses until that is lifted; the audit log does not name the entity', async () => {
    const { triage, store, woken } = await create()
    const made = await triage.suppress(ANN, {
      entity: 'ip:192.0.2.9',
      technique: 'T1110',
      expiresAt: NOW + 5,
    })
    const { id } = made as { id: string }
    expect(await store.listSuppressions(NOW, { limit: 9 })).toMatchObject([
      { decision: made, actor: 'u1', entity: 'ip:192.0.2.9' },
    ])
    expect(await triage.lift(ANN, id)).toBe(true)
    expect(await triage.lift(ANN, id)).toBe(false)
    expect(woken()).toBe(2)
    const log = await store.listAudit({ limit: 9 })
    expect(log.map(({ event, subject }) => `${event} ${subject}`).toSorted()).toEqual([
      `suppression.create ${id}`,
      `suppression.delete ${id}`,
    ])
    expect(JSON.stringify(log)).not.toContain('192.0.2.9')
  })
})
