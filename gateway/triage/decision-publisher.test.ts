import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { makeDecision } from '../../test/contract/store-values.ts'
import { until } from '../../test/support/services.ts'
import { tempDir } from '../../test/support/temp.ts'
import { openStore } from '../store/open-store.ts'
import { type DecisionWriter, startDecisionPublisher } from './decision-publisher.ts'

const open: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const NOW = 1_700_000_000_000

/** A store, and a topic that takes what its latest writer writes, as the broker does. */
const create = async () => {
  const store = await openStore({ address: join(tempDir(), 'gateway.db'), log: silentLog() })
  open.push(() => store.close())
  let time = NOW
  const metrics = createMetrics()
  let writers = 0
  let fault: 'before' | 'after' | undefined
  const topic: string[] = []
  const openWriter = async (): Promise<DecisionWriter> => {
    writers += 1
    const own = writers
    return {
      write: async entries => {
        if (own !== writers) throw new SentinelError('NS_TRANSACTION_FAILED', 'fenced')
        if (fault === 'before') throw new SentinelError('NS_SERVICE_UNREACHABLE', 'kafka is away')
        topic.push(...entries.map(({ id, decision }) => (decision === null ? `-${id}` : id)))
        if (fault === 'after') throw new SentinelError('NS_SERVICE_UNREACHABLE', 'the answer was lost')
      },
      close: async () => undefined,
    }
  }
  const start = () => {
    const publisher = startDecisionPublisher({
      store,
      open: openWriter,
      intervalMs: 10,
      log: silentLog(),
      metrics,
      now: () => time,
    })
    open.push(publisher.close)
    return publisher
  }
  return {
    store,
    topic,
    start,
    waits: async () => (await metrics.decisionWait.get()).values[0]?.value,
    openWriter,
    decide: async (id: string) => {
      const decision = makeDecision({ id, kind: 'suppress', sensor: 'dmz', at: time })
      await store.addSuppression({ decision, actor: 'u', entity: null })
    },
    setFault: (next: typeof fault) => {
      fault = next
    },
    advance: (ms: number) => {
      time += ms
    },
  }
}

describe('the publisher of decisions', () => {
  it('publishes each once and in order, those of before its start too', async () => {
    const { decide, start, topic } = await create()
    const ids = Array.from({ length: 250 }, (_, i) => `d${i}`)
    for (const id of ids.slice(0, 240)) await decide(id)
    const publisher = start()
    for (const id of ids.slice(240)) {
      await decide(id)
      publisher.wake()
    }
    await until(() => topic.length >= ids.length)
    expect(topic).toEqual(ids)
  })

  it.each(['before', 'after'] as const)('loses nothing when it fails %s a write', async fault => {
    const { decide, start, topic, setFault, store } = await create()
    setFault(fault)
    const publisher = start()
    await decide('a')
    await store.endSuppression('a', NOW)
    await publisher.close()
    expect(await store.unpublishedDecisions(9)).toHaveLength(2)
    setFault(undefined)
    start()
    await until(async () => (await store.unpublishedDecisions(9)).length === 0)
    // At least once: what was there already comes again as a whole, so that the end is the same.
    expect(topic.slice(-2)).toEqual(['a', '-a'])
  })

  it('does not bring back what another gateway has lifted while it was held up', async () => {
    const { decide, start, topic, store, openWriter, setFault } = await create()
    await decide('a')
    const held = await openWriter()
    const [entry] = await store.unpublishedDecisions(9)
    const other = start()
    await until(() => topic.length === 1)
    await store.endSuppression('a', NOW)
    other.wake()
    await until(() => topic.length === 2)
    await expect(held.write(entry === undefined ? [] : [entry])).rejects.toThrow('fenced')
    expect(topic).toEqual(['a', '-a'])
    setFault(undefined)
  })

  it('leaves what others have just decided to them, until they have had the time', async () => {
    const { decide, start, topic, advance, store, waits } = await create()
    const publisher = start()
    await decide('first')
    publisher.wake()
    await until(() => topic.length === 1)
    let looks = 0
    const look = store.unpublishedDecisions
    store.unpublishedDecisions = limit => {
      looks += 1
      return look(limit)
    }
    await decide('second')
    await until(() => looks > 2)
    expect(topic).toEqual(['first'])
    advance(4_999)
    await until(async () => (await waits()) === 4.999)
    advance(1)
    await until(() => topic.length === 2)
    await until(async () => (await waits()) === 0)
  })
})
