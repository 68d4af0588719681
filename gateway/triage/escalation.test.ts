import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { silentLog } from '../../runtime/log.ts'
import type { Alert } from '../../schemas/generated.ts'
import { makeDecision } from '../../test/contract/store-values.ts'
import { tempDir } from '../../test/support/temp.ts'
import { makeAlert } from '../../test/support/threats.ts'
import { createAudit } from '../auth/audit.ts'
import { openStore } from '../store/open-store.ts'
import { startEscalation } from './escalation.ts'

const MINUTE = 60_000
const T0 = 1_700_000_000_000

const open: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const create = async () => {
  const store = await openStore({ address: join(tempDir(), 'gateway.db'), log: silentLog() })
  open.push(() => store.close())
  let time = T0
  let offset = 0
  const audit = createAudit({ store, log: silentLog(), now: () => time })
  return {
    store,
    /** A revision that comes at a minute. */
    write: (minute: number, fields: Partial<Alert>) => {
      const data = makeAlert({ id: 'a', severity: 'high', ...fields })
      const content = { type: 'alert' as const, data }
      const records = [{ offset: offset++, stamp: T0, content }]
      return store.addHistory({ channel: 'alerts', partition: 0, records, now: T0 + minute * MINUTE })
    },
    /** Two gateways look at a minute; what has been decided by then comes back. */
    look: async (minute: number) => {
      time = T0 + minute * MINUTE
      const gateways = [1, 2].map(() =>
        startEscalation({
          store,
          minSeverity: 'high',
          afterMs: 15 * MINUTE,
          intervalMs: MINUTE,
          wake: () => undefined,
          audit,
          log: silentLog(),
          now: () => time,
        }),
      )
      // They look once more when they end.
      await Promise.all(gateways.map(gateway => gateway.close()))
      return (await store.unpublishedDecisions(9)).map(
        ({ decision }) => `${decision?.kind} ${decision?.alertId}`,
      )
    },
  }
}

describe('escalation', () => {
  it('comes when an alert has been open for so long, once, whoever looks', async () => {
    const { write, look, store } = await create()
    await write(0, {})
    expect(await look(15)).toEqual([])
    expect(await look(16)).toEqual(['escalate a'])
    await write(17, { revision: 2, change: 'escalated', severity: 'critical' })
    expect(await look(60)).toEqual(['escalate a'])
    expect(await store.listTriage('a', { limit: 9 })).toMatchObject([
      { revision: 2, actor: 'netsentinel', entity: makeAlert().entity, decision: { by: 'netsentinel' } },
    ])
    expect(await store.listAudit({ limit: 9 })).toMatchObject([
      { event: 'alert.escalate', subject: 'a', actor: null },
    ])
  })

  it('does not come to a milder alert, to one that is acknowledged, or to one that has ended', async () => {
    const { write, look } = await create()
    await write(0, { severity: 'medium' })
    await write(0, { id: 'b', status: 'acknowledged' })
    await write(0, { id: 'c', status: 'closed' })
    expect(await look(60)).toEqual([])
  })

  it('does not come when somebody has acknowledged it and alerting has not said so yet', async () => {
    const { write, look, store } = await create()
    await write(0, {})
    const decision = makeDecision({ kind: 'acknowledge', alertId: 'a' })
    await store.addTriage({ decision, actor: 'u', alertId: 'a', entity: null }, { known: 1 })
    expect(await look(60)).toEqual(['acknowledge a'])
  })

  it('comes again when the alert was opened again, after the time from then', async () => {
    const { write, look } = await create()
    await write(0, {})
    await look(16)
    await write(20, { revision: 3, status: 'resolved', change: 'triaged' })
    await write(30, { revision: 4, change: 'reopened' })
    expect(await look(45)).toEqual(['escalate a'])
    expect(await look(46)).toEqual(['escalate a', 'escalate a'])
  })
})
