import { describe, expect, it } from '@jest/globals'
import { loadBaseline } from '../../models/baseline/load.ts'
import { observe } from '../../models/features/observe.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { makeEvent } from '../../test/support/events.ts'
import { until } from '../../test/support/services.ts'
import type { ModelRegistry, RegistryView } from '../models/registry.ts'
import type { Observed } from './observed.ts'
import { startShadow } from './shadow.ts'

const baseline = loadBaseline()
const { training } = baseline.manifest
const lot = observe(Array.from({ length: 50 }, (_, i) => makeEvent({ id: `e-${i}`, dstPort: i })))

/** A shadow of a scorer, with a challenger or none. */
const makeShadow = async (challenger?: string, store: { fails?: boolean } = {}) => {
  const written: Observed[] = []
  const metrics = createMetrics()
  const view = { pointer: () => challenger && { version: challenger } } as unknown as RegistryView
  const registry = {
    follow: async () => ({ view, close: async () => undefined }),
    read: async () => baseline,
  } as unknown as Pick<ModelRegistry, 'follow' | 'read'>
  const shadow = await startShadow({
    registry,
    store: {
      read: async () => undefined,
      write: async (_, observed) => {
        if (store.fails === true) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'Redis is away')
        written.push(structuredClone(observed))
      },
    },
    log: silentLog(),
    metrics,
    pauseMs: 0,
  })
  return { shadow, written, metrics }
}

const champion = createMemoryDetector({ manifest: { training, threshold: 0.2 }, score: () => 0.25 })

const see = (shadow: Awaited<ReturnType<typeof startShadow>>) =>
  shadow.see(lot, champion.analyze(lot), champion)

describe('the shadow of scoring', () => {
  it('counts what both models say of the same events', async () => {
    const { shadow, written, metrics } = await makeShadow('new')
    // The challenger is opened beside what is scored.
    await until(async () => {
      see(shadow)
      return written.some(each => each.challenger !== null && each.events > 0)
    })
    await shadow.close()
    const last = written.at(-1)
    expect(last).toMatchObject({
      champion: 'memory-1',
      challenger: baseline.manifest.version,
      championAlerts: last?.events,
      problem: null,
    })
    expect(last?.championScores.reduce((sum, count) => sum + count, 0)).toBe(last?.events)
    expect(last?.challengerScores.reduce((sum, count) => sum + count, 0)).toBe(last?.events)
    expect(last?.pairs[0]?.[0]).toBe(0.25)
    expect(await metrics.registry.metrics()).toContain('netsentinel_rows_scored_total{version="memory-1"}')
  })

  it('shows how far live events are from training', async () => {
    const { shadow, metrics } = await makeShadow()
    see(shadow)
    await until(async () =>
      /netsentinel_score_drift\{version="memory-1"\} \d/.test(await metrics.registry.metrics()),
    )
    expect(await metrics.registry.metrics()).toMatch(/netsentinel_feature_drift\{feature="[^"]+"\} \d/)
    await shadow.close()
  })

  it('harms nobody when the champion fails or Redis is away', async () => {
    const { shadow, metrics } = await makeShadow(undefined, { fails: true })
    const failed = Promise.reject(new SentinelError('NS_SCORING_FAILED', 'NaN'))
    shadow.see(lot, failed, champion)
    await expect(failed).rejects.toThrow('NaN')
    await until(async () =>
      (await metrics.registry.metrics()).includes('netsentinel_scores_missing_total{version="memory-1"} 1'),
    )
    see(shadow)
    await shadow.close()
  })
})
