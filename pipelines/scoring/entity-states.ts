import type { Behaviour } from '../../schemas/generated.ts'

/** A batch's own view of the states: what it sets is seen by itself only, until it is committed. */
export interface StatesView {
  /** State of an entity; null when it is not known. */
  get(id: string): Behaviour | null
  /** Sets the state of an entity and makes it the most recent one; may evict the least recent. */
  set(id: string, behaviour: Behaviour): void
  /**
   * What the batch changes, once per entity: tombstones (null) first, then states in order of their latest update, so
   * that a changelog of them, read back in log order, is in the order of eviction again.
   */
  changes(): [id: string, behaviour: Behaviour | null][]
  /** Makes the changes visible to later views. */
  commit(): void
}

/** The states of a partition's entities, at most `limit` of them. */
export interface EntityStates {
  /** Takes one record of the changelog, in log order; null removes the entity. */
  restore(id: string, behaviour: Behaviour | null): void
  view(): StatesView
  /** How many entities have a committed state. */
  count(): number
}

/**
 * Keeps states in order of their latest update, least recent first: that is the order of a JavaScript Map when each
 * update removes the key before it sets it. Which entity is evicted depends on the order of updates alone, never on how
 * they were cut into batches or on the clock.
 */
export const createEntityStates = (limit: number): EntityStates => {
  const committed = new Map<string, Behaviour>()

  const view = (): StatesView => {
    const touched = new Map<string, Behaviour>()
    /** Committed entities that were evicted here; one may have come back since, and is then in `touched` too. */
    const evicted = new Set<string>()
    const untouched = committed.keys()
    let size = committed.size

    const get = (id: string): Behaviour | null =>
      touched.get(id) ?? (evicted.has(id) ? null : (committed.get(id) ?? null))

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
      get,
      set: (id, behaviour) => {
        if (get(id) === null) size++
        touched.delete(id)
        touched.set(id, behaviour)
        for (; size > limit; size--) evictOldest()
      },
      changes: () => [
        ...[...evicted].filter(id => !touched.has(id)).map((id): [string, null] => [id, null]),
        ...touched,
      ],
      commit: () => {
        for (const id of evicted) committed.delete(id)
        for (const [id, behaviour] of touched) {
          committed.delete(id)
          committed.set(id, behaviour)
        }
      },
    }
  }

  return {
    restore: (id, behaviour) => {
      committed.delete(id)
      if (behaviour !== null) committed.set(id, behaviour)
    },
    view,
    count: () => committed.size,
  }
}
