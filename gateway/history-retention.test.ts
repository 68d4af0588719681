import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../runtime/errors.ts'
import { silentLog } from '../runtime/log.ts'
import { until } from '../test/support/until.ts'
import { startHistoryRetention } from './history-retention.ts'

const DAY_MS = 86_400_000

type Forget = (before: number, limit: number) => Promise<number>

const start = (forgetHistory: Forget, forgetOldDecisions: Forget = async () => 0) =>
  startHistoryRetention({
    store: { forgetHistory, forgetOldDecisions },
    keptDays: 30,
    log: silentLog(),
    now: () => 40 * DAY_MS,
  })

describe('the retention of the history', () => {
  it('forgets, when it starts, all that is older, a little at a time', async () => {
    const befores: number[] = []
    const left = [500, 500, 20, 0]
    const retention = start(async before => {
      befores.push(before)
      return left.shift() ?? 0
    })
    await until(() => left.length === 0)
    await retention.close()
    expect(befores).toEqual(Array.from({ length: 4 }, () => 10 * DAY_MS))
  })

  it('forgets what was decided about it behind it', async () => {
    const done: string[] = []
    const retention = start(
      async () => done.push('history') % 2,
      async before => done.push(`decisions ${before / DAY_MS}`) % 2,
    )
    await until(() => done.length === 4)
    await retention.close()
    expect(done).toEqual(['history', 'history', 'decisions 10', 'decisions 10'])
  })

  it('does not mind that the store is away, and ends in the middle of its work', async () => {
    await start(async () => {
      throw new SentinelError('NS_SERVICE_UNREACHABLE', 'away')
    }).close()
    await start(async () => 500).close()
  })
})
