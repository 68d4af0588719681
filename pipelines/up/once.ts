import { setTimeout as sleep } from 'node:timers/promises'
import { groupLag, topicOffsets } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { type Account, account, type Offsets, type RawRange, without } from './accounting.ts'

interface OnceConfig {
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
}

/** What has arrived over the WebSocket: ids of threats, and revisions of alerts. */
export interface Arrivals {
  readonly threats: Set<string>
  readonly revisions: Set<string>
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
 * Waits until ingest, scoring and alerting have read everything and what came of a range of raw records has been
 * delivered, and accounts for each of those records. What has not arrived 30 s after the last commit counts as not
 * delivered.
 */
export const accountForReplay = async (deps: {
  readonly kafka: Kafka
  readonly config: OnceConfig
  readonly range: RawRange
  readonly arrivals: Arrivals
  readonly stopped: AbortSignal
}): Promise<Account> => {
  const { kafka, config, range, arrivals, stopped } = deps
  const topics = topicCatalogue(config.topics)
  const { prefix } = config.topics
  await drained(kafka, `${prefix}ingest`, topics.rawEvents.name, stopped)
  await drained(kafka, `${prefix}scoring`, topics.events.name, stopped)
  await drained(kafka, `${prefix}alerting`, topics.threats.name, stopped)
  const registry = createRegistry(config.registry)
  const codecs = {
    event: await registry.codec('Event', topics.events.name),
    threat: await registry.codec('Threat', topics.threats.name),
    alert: await registry.codec('Alert', topics.alerts.name),
  }
  const result = await account({ kafka, topics, codecs, range })
  const deadline = Date.now() + DELIVERY_MS
  const isMissing = () =>
    without(result.threats, arrivals.threats).length + without(result.revisions, arrivals.revisions).length >
    0
  while (!stopped.aborted && Date.now() < deadline && isMissing()) await sleep(POLL_MS)
  return result
}
