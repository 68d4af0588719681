/** Who is let in a few at a time, in the order in which they came. */
export interface Turns {
  /** Does something when it is its turn. Rejects as that does; the next one is let in all the same. */
  take<T>(work: () => Promise<T>): Promise<T>
  /** How many wait. */
  readonly waiting: number
}

/** Lets `most` at a time do what costs. */
export const createTurns = (most: number): Turns => {
  const waiting: Array<() => void> = []
  let free = most
  return {
    take: async work => {
      if (free > 0) free -= 1
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        // A place is handed on, not freed, while somebody waits: nobody can overtake.
        if (next === undefined) free += 1
        else next()
      }
    },
    get waiting() {
      return waiting.length
    },
  }
}
