import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

/** By how much the old generation may grow before it is collected again, in bytes. */
const ROOM = 48 * 2 ** 20

/** By what share of what lives, in percent, it may grow so that there is {@link ROOM}: with much alive by a half or more. */
export const growthPercent = (liveBytes: number): number =>
  Math.round(Math.min(1_000, Math.max(50, (100 * ROOM) / liveBytes)))

/**
 * Gives the old generation of this process room to grow, within its `--max-old-space-size`. By itself V8 collects a small
 * heap whenever it has grown by some 8 MB. A stage with a backlog moves that much into it every few thousand events, since
 * what it has fetched outlives the young generation, and a third of its CPU went into marking the same live objects again.
 *
 * The flags that do this from the start are none that NODE_OPTIONS takes; this one is read at the end of each collection.
 */
export const giveHeapRoom = (): void => {
  const set = () =>
    setFlagsFromString(`--heap-growing-percent=${growthPercent(getHeapStatistics().used_heap_size)}`)
  const isMajor = (entry: PerformanceEntry & { readonly detail?: { readonly kind?: number } }): boolean =>
    entry.detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR
  new PerformanceObserver(list => {
    if (list.getEntries().some(isMajor)) set()
  }).observe({ entryTypes: ['gc'] })
  set()
}
