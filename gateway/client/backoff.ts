/** Longest delay, as a multiple of the first. */
const MOST = 150

/**
 * How long a client waits before it tries again: anything up to a bound that doubles (full jitter), so that the clients of a
 * gateway that went away do not come back all at once. `random` gives 0 to 1.
 */
export const createBackoff = (firstMs: number, random: () => number = Math.random) => {
  let attempts = 0
  return {
    /** The next delay, in ms. */
    next: (): number => {
      const bound = Math.min(firstMs * 2 ** attempts, firstMs * MOST)
      attempts += 1
      return bound * random()
    },
    /** The last attempt went well. */
    reset: (): void => {
      attempts = 0
    },
  }
}
