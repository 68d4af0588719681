import type { StateChange } from '../../connectors/kafka/stage.ts'
import type { Behaviour } from '../../schemas/generated.ts'

/** A batch's own view of the states: what it sets is seen by itself only, until it is committed. */
export interface StatesView {
  /** State of an entity; null when it is not known. */
  get(id: string): Behaviour | null
  /** Sets the state of an entity and makes it the most recent one; may evict the least recent. */
  set(id: string, behaviour: Behaviour): void
  /**
   * What the batch changes, once per entity, encoded: tombstones (null) first, then states in order of their latest update,
   * so that a changelog of them, read back in log order, is in the order of eviction again.
   */
  changes(): StateChange[]
  /** Makes the changes, as `changes()` gave them, visible to later views. */
  commit(changes: readonly StateChange[]): void
}

/** The states of a partition's entities, at most `limit` of them. */
export interface EntityStates {
  /** Takes one record of the changelog, in log order; null removes the entity. */
  restore(id: string, bytes: Buffer | null): void
  view(): StatesView
  /** How many entities have a committed state. */
  count(): number
}

/** How states are kept. */
interface EntityStatesDeps {
  /** Most entities. */
  readonly limit: number
  /** The bytes that a state has in the changelog, and back: `decode(encode(id, state))` is the same state to the bit. */
  readonly encode: (id: string, behaviour: Behaviour) => Buffer
  readonly decode: (bytes: Buffer) => Behaviour
  /** Entities whose states are kept decoded as well: those that most of the next events are of. */
  readonly recent?: number
}

/** A committed state. */
interface Entry {
  /** Its bytes, a character each: as a text it takes a tenth of the memory of the objects, and none that is not its own. */
  readonly packed: string
  /** Decoded, while its entity is one of the most recent ones. */
  behaviour: Behaviour | undefined
}

const RECENT = 512

/**
 * Keeps states in order of their latest update, least recent first: that is the order of a JavaScript Map when each
 * update removes the key before it sets it. Which entity is evicted depends on the order of updates alone, never on how
 * they were cut into batches or on the clock.
 */
export const createEntityStates = ({
  limit,
  encode,
  decode,
  recent: most = RECENT,
}: EntityStatesDeps): EntityStates => {
  const committed = new Map<string, Entry>()
  const recent = new Map<string, Entry>()

  const keep = (id: string, entry: Entry) => {
    committed.delete(id)
    committed.set(id, entry)
    recent.delete(id)
    if (entry.behaviour === undefined) return
    recent.set(id, entry)
    if (recent.size <= most) return
    for (const [oldest, quiet] of recent) {
      quiet.behaviour = undefined
      recent.delete(oldest)
      return
    }
  }

  const forget = (id: string) => {
    committed.delete(id)
    recent.delete(id)
  }

  const view = (): StatesView => {
    const touched = new Map<string, Behaviour>()
    /** Committed entities that were evicted here; one may have come back since, and is then in `touched` too. */
    const evicted = new Set<string>()
    const untouched = committed.keys()
    let size = committed.size

    const committedState = (id: string): Behaviour | null => {
      const entry = evicted.has(id) ? undefined : committed.get(id)
      if (entry === undefined) return null
      return entry.behaviour ?? decode(Buffer.from(entry.packed, 'latin1'))
    }
    const isKnown = (id: string): boolean => touched.has(id) || (committed.has(id) && !evicted.has(id))

    // An entity that was touched is more recent than all that were not, so one pass over the committed ones is enough.
    const evictOldest = () => {
      for (let next = untouched.next(); !next.done; next = untouched.next()) {
        if (touched.has(next.value) || evicted.has(next.value)) continue
        evicted.add(next.value)
        return
      }
      for (const id of touched.keys()) {
        touched.delete(id)
        if (committed.has(id)) evicted.add(id)
        return
      }
    }

    return {
      get: id => touched.get(id) ?? committedState(id),
      set: (id, behaviour) => {
        if (!isKnown(id)) size++
        touched.delete(id)
        touched.set(id, behaviour)
        for (; size > limit; size--) evictOldest()
      },
      changes: () => {
        const changes: StateChange[] = []
        for (const id of evicted) if (!touched.has(id)) changes.push({ key: id, value: null })
        for (const [id, behaviour] of touched) changes.push({ key: id, value: encode(id, behaviour) })
        return changes
      },
      commit: changes => {
        for (const id of evicted) forget(id)
        for (const { key, value } of changes) {
          const behaviour = touched.get(key)
          if (value !== null && behaviour !== undefined)
            keep(key, { packed: value.toString('latin1'), behaviour })
        }
      },
    }
  }

  return {
    restore: (id, bytes) => {
      if (bytes === null) forget(id)
      else keep(id, { packed: bytes.toString('latin1'), behaviour: undefined })
    },
    view,
    count: () => committed.size,
  }
}
