import { describe, expect, it } from '@jest/globals'
import type { Check } from '../runtime/lifecycle.ts'
import { silentLog } from '../runtime/log.ts'
import { until } from '../test/support/until.ts'
import { watchParts } from './parts.ts'
import { createNotices } from './sockets/notices.ts'

describe('the watch of parts', () => {
  it('tells what is away once, not why, and that it is back', async () => {
    let checks: readonly Check[] = [
      { name: 'redis' },
      { name: 'kafka (gateway)', problem: 'a secret address' },
    ]
    const told: string[] = []
    const notices = createNotices({
      deliver: (_channel, { frame }) => {
        told.push(frame().subarray(2).toString())
        return 1
      },
    })
    const watch = watchParts({ check: async () => checks, notices, intervalMs: 5, log: silentLog() })
    await until(() => told.length === 1)
    expect(told).toEqual(['{"type":"part","part":"kafka","state":"away"}'])
    expect(notices.latest('system')).toEqual([{ type: 'part', part: 'kafka', state: 'away' }])
    checks = [{ name: 'redis' }, { name: 'kafka (gateway)' }]
    await until(() => told.length === 2)
    await watch.close()
    expect(told[1]).toBe('{"type":"part","part":"kafka","state":"back"}')
    expect(notices.latest('system')).toEqual([])
  })
})
