import { aborted } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Flow } from './flow.ts'
import type { Positions } from './positions.ts'
import type { InputRecord, PartitionTask, Stage } from './stage.ts'

/** A task with the state of its changelog, and how many records made it. */
interface Restored {
  readonly task: PartitionTask
  readonly records: number
}

/** Makes tasks of one partition whose state is that of its changelog. */
export interface Changelog {
  /**
   * A new task that has read the changelog up to the end that it has now, when the producer before is fenced: nothing is
   * written behind it meanwhile, since this partition's own producer is the only writer. Throws what the task throws, and
   * the reason of `signal` when that is aborted.
   */
  restore(signal: AbortSignal): Promise<Restored>
  /** Takes what was fetched: records, or nothing readable (markers, aborted ones, holes), up to `next`. */
  feed(records: readonly InputRecord[], next: number): Promise<void>
}

interface Reading {
  readonly task: PartitionTask
  readonly end: number
  count: number
  readonly done: PromiseWithResolvers<void>
}

/** Makes the changelog of one partition; a stage without one gets empty tasks. */
export const createChangelog = (deps: {
  readonly stage: Stage
  readonly partition: number
  readonly positions: Positions
  readonly flow: Flow
  readonly log: Log
  readonly metrics: Metrics
}): Changelog => {
  const { stage, partition, positions, flow, log, metrics } = deps
  const { changelog: topic } = stage
  let reading: Reading | undefined

  const read = async (
    task: PartitionTask,
    low: number,
    end: number,
    signal: AbortSignal,
  ): Promise<number> => {
    if (topic === undefined || low >= end) return 0
    const started = performance.now()
    const mine: Reading = { task, end, count: 0, done: Promise.withResolvers() }
    reading = mine
    try {
      flow.start(topic, partition, low)
      await Promise.race([mine.done.promise, aborted(signal)])
      signal.throwIfAborted()
    } finally {
      reading = undefined
      if (!signal.aborted) flow.pause(topic, partition)
    }
    const ms = performance.now() - started
    metrics.restores.inc({ stage: stage.name })
    metrics.restoredRecords.inc({ stage: stage.name }, mine.count)
    metrics.restoreSeconds.observe({ stage: stage.name }, ms / 1000)
    log.info({ records: mine.count, ms: Math.round(ms) }, 'state restored')
    return mine.count
  }

  return {
    restore: async signal => {
      const task = stage.createTask(partition)
      if (topic === undefined) return { task, records: 0 }
      const { low, high } = await positions.range(topic, partition)
      signal.throwIfAborted()
      return { task, records: await read(task, low, high, signal) }
    },
    feed: async (records, next) => {
      const mine = reading
      if (mine === undefined) return
      try {
        if (records.length > 0) await mine.task.restore(records)
        mine.count += records.length
        if (next >= mine.end) mine.done.resolve()
      } catch (error) {
        mine.done.reject(error)
      }
    },
  }
}
