import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../runtime/errors.ts'
import { silentLog } from '../runtime/log.ts'
import { until } from '../test/support/until.ts'
import { startHistoryRetention } from './history-retention.ts'

const DAY_MS = 86_400_000

const start = (forgetHistory: (before: number, limit: number) => Promise<number>) =>
  startHistoryRetention({
    store: { forgetHistory },
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

  it('does not mind that the store is away, and ends in the middle of its work', async () => {
    await start(async () => {
      throw new SentinelError('NS_SERVICE_UNREACHABLE', 'away')
    }).close()
    await start(async () => 500).close()
  })
})
