/** A batch's own view of some states: what it changes is seen by itself only, until it is committed. */
export interface StatesView<T> {
  /** The state of a key; null when there is none. */
  get(key: string): T | null
  /** Sets a state and makes it the most recent one. Gives the states that had to go, least recent first. */
  set(key: string, state: T): [key: string, state: T][]
  delete(key: string): void
  /** All states, least recent first. May not be changed while it is read. */
  entries(): Iterable<[key: string, state: T]>
  size(): number
  /**
   * What the batch changes, once per key: removals (null) first, then states in order of their latest update, so that a
   * changelog of them, read back in log order, is in the order of eviction again.
   */
  changes(): [key: string, state: T | null][]
  /** Makes the changes visible to later views. */
  commit(): void
}

/** States by key, at most `limit` of them. */
export interface BoundedStates<T> {
  /** Takes one record of a changelog, in log order; null removes the key. */
  restore(key: string, state: T | null): void
  view(): StatesView<T>
}

/**
 * Keeps states in order of their latest update, which is the order of a JavaScript Map when each update removes the key
 * before it sets it. Which one goes at the limit depends on the order of updates alone, never on how they were cut into
 * batches or on the clock.
 */
export const createBoundedStates = <T extends object>(limit: number): BoundedStates<T> => {
  const committed = new Map<string, T>()

  const view = (): StatesView<T> => {
    const touched = new Map<string, T>()
    /** Committed keys that are gone here; one may have come back since, and is then in `touched` too. */
    const gone = new Set<string>()
    let size = committed.size

    const get = (key: string): T | null =>
      touched.get(key) ?? (gone.has(key) ? null : (committed.get(key) ?? null))

    // A key that was touched is more recent than all that were not.
    function* entries(): Generator<[string, T]> {
      for (const [key, state] of committed) if (!touched.has(key) && !gone.has(key)) yield [key, state]
      yield* touched
    }

    const remove = (key: string) => {
      if (get(key) === null) return
      size--
      touched.delete(key)
      if (committed.has(key)) gone.add(key)
    }

    const oldest = committed.entries()
    const evictOne = (): [string, T] | undefined => {
      for (let next = oldest.next(); !next.done; next = oldest.next()) {
        const [key, state] = next.value
        if (touched.has(key) || gone.has(key)) continue
        remove(key)
        return [key, state]
      }
      for (const [key, state] of touched) {
        remove(key)
        return [key, state]
      }
      return undefined
    }

    return {
      get,
      set: (key, state) => {
        if (get(key) === null) size++
        touched.delete(key)
        touched.set(key, state)
        const evicted: [string, T][] = []
        while (size > limit) evicted.push(...[evictOne()].filter(each => each !== undefined))
        return evicted
      },
      delete: remove,
      entries,
      size: () => size,
      changes: () => [
        ...[...gone].filter(key => !touched.has(key)).map((key): [string, null] => [key, null]),
        ...touched,
      ],
      commit: () => {
        for (const key of gone) committed.delete(key)
        for (const [key, state] of touched) {
          committed.delete(key)
          committed.set(key, state)
        }
      },
    }
  }

  return {
    restore: (key, state) => {
      committed.delete(key)
      if (state !== null) committed.set(key, state)
    },
    view,
  }
}
