import { createHash } from 'node:crypto'
import type { Codec, Decoder } from '../../connectors/avro-codec.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import type { Observation } from '../../models/detector.ts'
import type { JudgedEvent } from '../../models/features/event-fields.ts'
import { nextRecent, type RecentForm } from '../../models/features/recent.ts'
import { advance } from '../../models/features/state.ts'
import { isPoison, SentinelError } from '../../runtime/errors.ts'
import type { Behaviour, EntityState } from '../../schemas/generated.ts'
import { createEntityStates, type EntityStates } from '../scoring/entity-states.ts'

/** An event of the window with its entity's past. */
export interface Sampled {
  readonly observation: Observation
  /** Of its record, in ms since 1970. */
  readonly timestamp: number
}

/** What of a window is looked at. */
export interface WindowEvents {
  /** An even sample of its events, by time and then by id. */
  readonly sample: readonly Sampled[]
  /** Those of its events that were asked for, whether they are in the sample or not. */
  readonly wanted: ReadonlyMap<string, Sampled>
  readonly events: number
}

interface ReaderDeps {
  readonly codecs: {
    readonly judged: Decoder<JudgedEvent>
    readonly entityState: Pick<Codec<EntityState>, 'encode' | 'decodeKnown'>
  }
  /** Entities whose behaviour is kept in each partition, as scoring keeps them. */
  readonly maxEntities: number
  /** The windows that scoring keeps beside, for the model in force. */
  readonly recent?: RecentForm | undefined
  /** Most events of the sample. */
  readonly rows: number
  /** Ids of events that are wanted in any case; few. */
  readonly wanted: ReadonlySet<string>
}

/** A place in the sample, 0 to 2^48: the same for the same event, whenever and in whatever order it is read. */
const priorityOf = (id: string): number => createHash('sha1').update(id).digest().readUIntBE(0, 6)

/** Keeps the events of the lowest priorities, at most twice as many as are asked for at any time. */
const createSample = (rows: number) => {
  let kept: { priority: number; sampled: Sampled }[] = []
  let limit = Number.POSITIVE_INFINITY
  const cut = () => {
    kept = kept.sort((a, b) => a.priority - b.priority).slice(0, rows)
    if (kept.length === rows) limit = kept.at(-1)?.priority ?? limit
  }
  return {
    add: (priority: number, sampled: Sampled) => {
      if (priority > limit) return
      kept.push({ priority, sampled })
      if (kept.length >= 2 * rows) cut()
    },
    all: (): Sampled[] => {
      cut()
      return kept
        .map(({ sampled }) => sampled)
        .sort(
          (a, b) => a.timestamp - b.timestamp || (a.observation.event.id < b.observation.event.id ? -1 : 1),
        )
    },
  }
}

/**
 * Takes the records of `events`, in order within each partition, and gives a sample of bounded size of the events with
 * what was known of their entities: states advance as scoring advances them, from nothing at the first record.
 */
export const createWindowReader = ({ codecs, maxEntities, recent, rows, wanted }: ReaderDeps) => {
  const partitions = new Map<number, EntityStates>()
  const sample = createSample(rows)
  const found = new Map<string, Sampled>()
  let events = 0

  const decode = (bytes: Buffer): Behaviour => {
    const behaviour = codecs.entityState.decodeKnown(bytes)?.behaviour
    if (!behaviour) throw new SentinelError('NS_INTERNAL', 'a state in memory holds no behaviour')
    return behaviour
  }
  const statesOf = (partition: number): EntityStates => {
    const states =
      partitions.get(partition) ??
      createEntityStates({
        limit: maxEntities,
        encode: (id, behaviour) => codecs.entityState.encode({ id, behaviour, model: null }),
        decode,
      })
    partitions.set(partition, states)
    return states
  }
  /** The event of a record; undefined for one that scoring makes a dead letter of. */
  const eventOf = async (value: Buffer): Promise<JudgedEvent | undefined> => {
    try {
      return codecs.judged.decodeKnown(value) ?? (await codecs.judged.decode(value))
    } catch (error) {
      if (isPoison(error)) return undefined
      throw error
    }
  }

  return {
    take: async (records: readonly InputRecord[]): Promise<void> => {
      const [first] = records
      if (first === undefined) return
      const view = statesOf(first.partition).view()
      for (const { value, timestamp } of records) {
        const event = value === null ? undefined : await eventOf(value)
        if (event === undefined) continue
        events++
        const before = view.get(event.entity)
        const after = advance(before, event)
        view.set(
          event.entity,
          recent === undefined ? after : { ...after, recent: nextRecent(recent, before, event) },
        )
        const sampled = { observation: { event, before }, timestamp }
        sample.add(priorityOf(event.id), sampled)
        if (wanted.has(event.id)) found.set(event.id, sampled)
      }
      view.commit(view.changes())
    },
    end: (): WindowEvents => ({ sample: sample.all(), wanted: found, events }),
  }
}
