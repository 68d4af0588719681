import type { Codec } from '../../connectors/avro-codec.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import type { Alert, Event, Threat } from '../../schemas/generated.ts'
import type { Topics } from '../../schemas/topics.ts'

/** Offsets by partition. */
export type Offsets = ReadonlyMap<number, number>

/** Which raw records are counted: those from one set of offsets up to another. */
export interface RawRange {
  readonly from: Offsets
  readonly to: Offsets
}

/** What became of a range of raw records, by reading the topics with read_committed. */
export interface Account {
  /** Raw records in the range. */
  readonly raw: number
  /** Events that came of them; more than raw records where one held several. */
  readonly events: number
  readonly deadLetters: number
  /** Ids of the threats among the events. */
  readonly threats: ReadonlySet<string>
  /** Ids of the alerts that hold any of these threats, as far as they name them. */
  readonly alerts: ReadonlySet<string>
  /** Their revisions, by {@link revisionOf}. */
  readonly revisions: ReadonlySet<string>
  /** Raw records that are neither in events nor in dead letters, and things that are there twice, in words. */
  readonly problems: string[]
}

interface AccountDeps {
  readonly kafka: Kafka
  readonly topics: Topics
  readonly codecs: {
    readonly event: Codec<Event>
    readonly threat: Codec<Threat>
    readonly alert: Codec<Alert>
  }
  readonly range: RawRange
}

const within = ({ from, to }: RawRange, partition: number, offset: number): boolean =>
  offset >= (from.get(partition) ?? 0) && offset < (to.get(partition) ?? 0)

/** Those of some ids that are not among others. */
export const without = (ids: ReadonlySet<string>, others: ReadonlySet<string>): string[] =>
  [...ids].filter(id => !others.has(id))

/** What tells a revision of an alert from every other. */
export const revisionOf = ({ id, revision }: Pick<Alert, 'id' | 'revision'>): string => `${id}-${revision}`

const header = (record: InputRecord, name: string): string => String(record.headers[name] ?? '')

const listed = (what: string, ids: readonly string[]): string[] =>
  ids.length === 0
    ? []
    : [`${ids.length} ${what}: ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ', …' : ''}`]

/** Ids that occur more than once. */
const repeated = (ids: readonly string[]): string[] => {
  const seen = new Set<string>()
  return ids.filter(id => seen.size === seen.add(id).size)
}

/**
 * Accounts for every raw record of a range: each must have come out as events or as a dead letter, and nothing twice. An
 * alert must have each of its revisions once, in order.
 */
export const account = async ({ kafka, topics, codecs, range }: AccountDeps): Promise<Account> => {
  const raw = new Set<string>()
  const accounted = new Set<string>()
  const events: string[] = []
  const letters: string[] = []
  const threats: string[] = []
  const note = (list: string[], id: string, partition: number, offset: number) => {
    if (!within(range, partition, offset)) return
    list.push(id)
    accounted.add(`${partition}-${offset}`)
  }
  await readTopic({
    kafka,
    topic: topics.rawEvents.name,
    onRecords: async records => {
      for (const { partition, offset } of records) {
        if (within(range, partition, offset)) raw.add(`${partition}-${offset}`)
      }
    },
  })
  await readTopic({
    kafka,
    topic: topics.events.name,
    onRecords: async records => {
      for (const { value } of records) {
        if (value === null) continue
        const { id, origin } = await codecs.event.decode(value)
        if (origin.topic === topics.rawEvents.name) note(events, id, origin.partition, origin.offset)
      }
    },
  })
  await readTopic({
    kafka,
    topic: topics.deadLetters.name,
    onRecords: async records => {
      for (const record of records) {
        if (header(record, 'ns-topic') !== topics.rawEvents.name) continue
        const [partition, offset] = [header(record, 'ns-partition'), header(record, 'ns-offset')]
        note(letters, `${partition}-${offset}`, Number(partition), Number(offset))
      }
    },
  })
  await readTopic({
    kafka,
    topic: topics.threats.name,
    onRecords: async records => {
      for (const { value } of records) {
        if (value === null) continue
        const { id, event } = await codecs.threat.decode(value)
        if (within(range, event.origin.partition, event.origin.offset)) threats.push(id)
      }
    },
  })
  const known = new Set(threats)
  const alerts = new Set<string>()
  const revisions = new Set<string>()
  const latest = new Map<string, number>()
  const disordered: string[] = []
  await readTopic({
    kafka,
    topic: topics.alerts.name,
    onRecords: async records => {
      for (const { value } of records) {
        if (value === null) continue
        const alert = await codecs.alert.decode(value)
        // The first that is there may be a later one, when retention has taken those before it.
        const before = latest.get(alert.id)
        if (before !== undefined && alert.revision !== before + 1) disordered.push(revisionOf(alert))
        latest.set(alert.id, alert.revision)
        if (!alert.threatIds.some(id => known.has(id))) continue
        alerts.add(alert.id)
        revisions.add(revisionOf(alert))
      }
    },
  })
  return {
    raw: raw.size,
    events: events.length,
    deadLetters: letters.length,
    threats: known,
    alerts,
    revisions,
    problems: [
      ...listed(
        'raw records are in neither events nor dead-letters',
        [...raw].filter(id => !accounted.has(id)),
      ),
      ...listed('events are there twice', repeated(events)),
      ...listed('dead letters are there twice', repeated(letters)),
      ...listed('threats are there twice', repeated(threats)),
      ...listed('revisions of alerts are not in order', disordered),
    ],
  }
}
