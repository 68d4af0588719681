import { type BacklogResult, scoringOf, workThrough } from './backlog.ts'
import type { Bed } from './bed.ts'
import { type FeedOptions, feedEvents, openCanaryLines } from './feed.ts'
import { note } from './processes.ts'

/** One thing that differs from the rest. */
export interface Variant {
  readonly name: string
  readonly partitions?: number
  readonly instances?: number
  readonly feed?: Omit<FeedOptions, 'events'>
}

/** What is varied; the first is what the others are compared with. */
const VARIANTS: readonly Variant[] = [
  { name: '8 partitions, 1 instance, 2,000 entities, 314-byte lines' },
  { name: '1 partition', partitions: 1 },
  { name: '32 partitions', partitions: 32 },
  { name: '2 instances', instances: 2 },
  { name: '100,000 entities', feed: { entities: 100_000 } },
  { name: '2,000-byte lines', feed: { padding: 1_686 } },
]

/** Scoring of a backlog, in each variant. */
export const growthOf = async (
  bed: Bed,
  events: number,
  threshold: number,
): Promise<(readonly [Variant, BacklogResult])[]> => {
  const results: (readonly [Variant, BacklogResult])[] = []
  for (const variant of VARIANTS) {
    const { partitions = 8, instances = 1, feed = {} } = variant
    note(`scoring: ${variant.name} …`)
    const pipeline = await bed.pipeline({ partitions, env: { SCORING_THRESHOLD: String(threshold) } })
    await feedEvents(pipeline, openCanaryLines({ events, ...feed }))
    const commands = Array.from({ length: instances }, () => 'score')
    results.push([variant, await workThrough({ ...scoringOf(pipeline, events, bed.brokerPid), commands })])
  }
  return results
}
