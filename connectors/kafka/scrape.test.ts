import { describe, expect, it } from '@jest/globals'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { OwnedPartition } from './partition.ts'
import { measurePartitions } from './scrape.ts'
import type { Stage, StateSize } from './stage.ts'

interface Known {
  owned: boolean
  seconds?: number
  size?: StateSize
}

const partitionOf = (known: Known) =>
  ({
    owned: () => known.owned,
    lagSeconds: () => known.seconds,
    size: () => known.size,
  }) as unknown as OwnedPartition

const setUp = (
  partitions: Record<number, Known>,
  lag: (topic: string) => Promise<Map<number, number>>,
  metrics = createMetrics(),
) => {
  const stage = {
    name: 's',
    group: 'g',
    input: 'in',
    sideInputs: ['side'],
    changelog: 'log',
  } as unknown as Stage
  const stop = measurePartitions({
    stage,
    partitions: new Map(Object.entries(partitions).map(([n, known]) => [Number(n), partitionOf(known)])),
    positions: {
      committed: async () => undefined,
      range: async () => ({ low: 0, high: 0 }),
      lag: (_, topic) => lag(topic),
      close: async () => undefined,
    },
    metrics,
    log: silentLog(),
  })
  const lines = async () =>
    (await metrics.registry.metrics())
      .split('\n')
      .filter(line => /^netsentinel_(lag|state|alert)_/.test(line))
      .map(line => line.replace('netsentinel_', '').replace('stage="s",', ''))
      .toSorted()
  return { lines, stop }
}

describe('the gauges of partitions', () => {
  it('are those of the partitions that are owned, at the moment they are read', async () => {
    const lags = new Map([
      [0, 5],
      [1, 0],
      [2, 9],
    ])
    const metrics = createMetrics()
    const figures = [[metrics.alertGroups, 4]] as const
    const [first, second, foreign]: Known[] = [
      { owned: true, seconds: 2.5, size: { entries: 3, bytes: 100, figures } },
      { owned: true, seconds: 0 },
      { owned: false, seconds: 1, size: { entries: 1, bytes: 1 } },
    ] as const
    const known = { 0: { ...first }, 1: { ...second }, 2: { ...foreign } } as Record<number, Known>
    const lag = async (topic: string) => (topic === 'in' ? lags : new Map([[0, 1]]))
    const { lines, stop } = setUp(known, lag, metrics)
    expect(await lines()).toEqual([
      'alert_groups{topic="log",partition="0"} 4',
      'lag_records{topic="in",partition="0"} 5',
      'lag_records{topic="in",partition="1"} 0',
      'lag_records{topic="side",partition="0"} 1',
      'lag_seconds{topic="in",partition="0"} 2.5',
      'lag_seconds{topic="in",partition="1"} 0',
      'lag_seconds{topic="side",partition="0"} 2.5',
      'state_bytes{topic="log",partition="0"} 100',
      'state_entries{topic="log",partition="0"} 3',
    ])
    const [one, two] = [known[0], known[1]]
    if (one === undefined || two === undefined) throw new Error('no partitions')
    one.owned = false
    delete two.seconds
    lags.set(1, 7)
    expect(await lines()).toEqual(['lag_records{topic="in",partition="1"} 7'])
    stop()
    expect(await lines()).toEqual([])
  })

  it('say nothing of the lag while the broker does not answer, and ask it once at a time', async () => {
    let asked = 0
    const known = { 0: { owned: true, seconds: 1, size: { entries: 3, bytes: 9 } } }
    const late = Promise.withResolvers<Map<number, number>>()
    const away = setUp(known, () => {
      asked++
      return late.promise
    })
    const state = ['state_bytes{topic="log",partition="0"} 9', 'state_entries{topic="log",partition="0"} 3']
    expect(await away.lines()).toEqual(state)
    const again = away.lines()
    expect(asked).toBe(2)
    late.resolve(new Map([[0, 4]]))
    expect(await again).toContain('lag_records{topic="in",partition="0"} 4')

    const refused = setUp(known, () => Promise.reject(new Error('no')))
    expect(await refused.lines()).toEqual(state)
  })
})
