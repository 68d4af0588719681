import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../runtime/log.ts'
import type { Metrics, PartitionGauge } from '../../runtime/metrics.ts'
import { inputsOf } from './inputs.ts'
import type { OwnedPartition } from './partition.ts'
import type { Positions } from './positions.ts'
import type { Stage } from './stage.ts'

/** How long a scrape waits for the broker, in ms. */
const ANSWER_MS = 1_000

interface ScrapeDeps {
  readonly stage: Stage
  readonly partitions: ReadonlyMap<number, OwnedPartition>
  readonly positions: Positions
  readonly metrics: Metrics
  readonly log: Log
}

/**
 * Sets the gauges of the partitions that this process owns whenever the metrics are read: how far they are behind, by
 * the broker's account and whether they are read at that moment or not, and how large their state is. What has left is
 * gone from the metrics. Returns what ends it.
 */
export const measurePartitions = (deps: ScrapeDeps): (() => void) => {
  const { stage, partitions, positions, metrics, log } = deps
  let shown: (() => void)[] = []
  const asking = new Map<string, Promise<Map<number, number> | undefined>>()

  const lagOf = async (topic: string): Promise<Map<number, number> | undefined> => {
    try {
      return await positions.lag(stage.group, topic)
    } catch (error) {
      log.debug({ err: error, topic }, 'the lag is not known')
      return undefined
    } finally {
      asking.delete(topic)
    }
  }
  /** One question at a time, however often the metrics are read while the broker is away. */
  const ask = (topic: string) => {
    const asked = asking.get(topic) ?? lagOf(topic)
    asking.set(topic, asked)
    return Promise.race([asked, sleep(ANSWER_MS, undefined, { ref: false })])
  }

  const clear = () => {
    for (const remove of shown) remove()
    shown = []
  }
  const show = (gauge: PartitionGauge, topic: string, partition: number, value: number) => {
    const labels = { stage: stage.name, topic, partition }
    gauge.set(labels, value)
    shown.push(() => gauge.remove(labels))
  }

  const read = async () => {
    const lags = await Promise.all(
      inputsOf(stage).map(async topic => ({ topic, byPartition: await ask(topic) })),
    )
    clear()
    const owned = [...partitions].filter(([, each]) => each.owned())
    for (const { topic, byPartition } of lags) {
      for (const [partition, each] of owned) {
        const records = byPartition?.get(partition)
        if (records === undefined) continue
        show(metrics.lagRecords, topic, partition, records)
        const seconds = each.lagSeconds(topic, records)
        if (seconds !== undefined) show(metrics.lagSeconds, topic, partition, seconds)
      }
    }
    if (stage.changelog === undefined) return
    for (const [partition, each] of owned) {
      const size = each.size()
      if (size === undefined) continue
      const { entries, bytes, figures = [] } = size
      const all = [[metrics.stateEntries, entries] as const, [metrics.stateBytes, bytes] as const, ...figures]
      for (const [gauge, value] of all) show(gauge, stage.changelog, partition, value)
    }
  }

  const stop = metrics.onScrape(read)
  return () => {
    stop()
    clear()
  }
}
