import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { SentinelError } from '../runtime/errors.ts'
import { silentLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { AuditEntry } from '../schemas/audit.ts'
import { until } from '../test/support/services.ts'
import { tempDir } from '../test/support/temp.ts'
import { type AuditPublisher, startAuditPublisher } from './audit-publisher.ts'
import { createAudit } from './auth/audit.ts'
import { openStore } from './store/open-store.ts'

const DAY_MS = 86_400_000

const open: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const create = async () => {
  const store = await openStore({ address: join(tempDir(), 'gateway.db'), log: silentLog() })
  open.push(() => store.close())
  let time = 1_700_000_000_000
  let isAway = false
  const published: string[] = []
  const metrics = createMetrics()
  const audit = createAudit({ store, log: silentLog(), now: () => time })
  const start = (): AuditPublisher => {
    const publisher = startAuditPublisher({
      store,
      publish: async (entries: readonly AuditEntry[]) => {
        if (isAway) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'kafka is away')
        published.push(...entries.map(({ event }) => event))
      },
      intervalMs: 10,
      keptDays: 30,
      log: silentLog(),
      metrics,
      now: () => time,
    })
    open.push(publisher.close)
    return publisher
  }
  return {
    store,
    published,
    waits: async () => (await metrics.auditWait.get()).values[0]?.value,
    start,
    note: (event: string) => audit.note({ event, outcome: 'accepted' }),
    setAway: (away: boolean) => {
      isAway = away
    },
    advance: (ms: number) => {
      time += ms
    },
  }
}

describe('the publisher of the audit log', () => {
  it('publishes every entry once and in order, those of before its start too', async () => {
    const { note, start, published, advance } = await create()
    const names = Array.from({ length: 450 }, (_, i) => `event ${i}`)
    for (const name of names.slice(0, 440)) {
      advance(1)
      await note(name)
    }
    start()
    for (const name of names.slice(440)) {
      advance(1)
      await note(name)
    }
    await until(() => published.length >= names.length)
    expect(published).toEqual(names)
  })

  it('goes on where it stood when what it writes to was away', async () => {
    const { note, start, published, setAway, store, advance, waits } = await create()
    setAway(true)
    await note('a')
    advance(5_000)
    await start().close()
    expect(published).toEqual([])
    expect(await waits()).toBe(5)
    expect(await store.unpublishedAudit(9)).toHaveLength(1)
    setAway(false)
    await start().close()
    expect(published).toEqual(['a'])
    expect(await waits()).toBe(0)
    expect(await store.unpublishedAudit(9)).toHaveLength(0)
  })

  it('has published what there is when it ends', async () => {
    const { note, start, published } = await create()
    const publisher = start()
    await note('last')
    await publisher.close()
    expect(published).toEqual(['last'])
  })

  it('forgets what is older than it is to be kept, once it is published', async () => {
    const { note, start, store, advance, setAway } = await create()
    setAway(true)
    await note('old')
    advance(31 * DAY_MS)
    await note('new')
    const first = start()
    await first.close()
    expect(await store.listAudit({ limit: 9 })).toHaveLength(2)
    setAway(false)
    start()
    await until(async () => (await store.listAudit({ limit: 9 })).length === 1)
    expect(await store.listAudit({ limit: 9 })).toMatchObject([{ event: 'new' }])
  })
})
