import { setTimeout as sleep } from 'node:timers/promises'
import { groupLag, topicOffsets } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { type Account, account, type Offsets, type RawRange } from './accounting.ts'

interface OnceConfig {
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
}

/** How often lag and deliveries are looked at, and how long deliveries may take after the last commit, in ms. */
const POLL_MS = 50
const DELIVERY_MS = 30_000

/** Where `raw-events` ends now. */
export const rawEnds = async (kafka: Kafka, { topics }: OnceConfig): Promise<Offsets> => {
  const offsets = await topicOffsets(kafka, topicCatalogue(topics).rawEvents.name)
  return new Map(offsets.map(({ partition, high }) => [partition, high]))
}

const drained = async (kafka: Kafka, group: string, topic: string, stopped: AbortSignal) => {
  while (!stopped.aborted && (await groupLag(kafka, group, topic)) > 0) await sleep(POLL_MS)
}

/**
 * Waits until ingest and scoring have read everything and the threats of a range of raw records have been delivered, and
 * accounts for each of those records. Threats that have not arrived 30 s after the last commit count as not delivered.
 */
export const accountForReplay = async (deps: {
  readonly kafka: Kafka
  readonly config: OnceConfig
  readonly range: RawRange
  readonly delivered: ReadonlySet<string>
  readonly stopped: AbortSignal
}): Promise<Account> => {
  const { kafka, config, range, delivered, stopped } = deps
  const topics = topicCatalogue(config.topics)
  const { prefix } = config.topics
  await drained(kafka, `${prefix}ingest`, topics.rawEvents.name, stopped)
  await drained(kafka, `${prefix}scoring`, topics.events.name, stopped)
  const registry = createRegistry(config.registry)
  const codecs = {
    event: await registry.codec('Event', topics.events.name),
    threat: await registry.codec('Threat', topics.threats.name),
  }
  const result = await account({ kafka, topics, codecs, range })
  const deadline = Date.now() + DELIVERY_MS
  while (!stopped.aborted && Date.now() < deadline && [...result.threats].some(id => !delivered.has(id))) {
    await sleep(POLL_MS)
  }
  return result
}
