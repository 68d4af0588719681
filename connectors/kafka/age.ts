import type { InputRecord } from './stage.ts'

/** What is known of the age of the next record that a partition has to read of one input. */
export interface Age {
  /** Records are in hand that are not committed yet. */
  fetched(records: readonly InputRecord[]): void
  /** They are committed. `atEnd`: there was nothing behind them when they were fetched. */
  committed(records: readonly InputRecord[], atEnd: boolean): void
  /**
   * How long ago the next record was stamped, in s, given how many there are: 0 when there is none. Before it is fetched,
   * how long ago the latest moment was that it has to lie behind; undefined when no such moment is known.
   */
  seconds(records: number): number | undefined
}

/** Starts without knowledge, as the new owner of a partition does. */
export const createAge = (now: () => number = Date.now): Age => {
  let inHand: number | undefined
  /** A record that comes next was stamped, or at least appended, after this. */
  let after: number | undefined
  const notBefore = (time: number) => {
    after = Math.max(after ?? time, time)
  }
  return {
    fetched: ([first]) => {
      inHand = first?.timestamp
    },
    committed: (records, atEnd) => {
      inHand = undefined
      const last = records.at(-1)
      if (last !== undefined) notBefore(last.timestamp)
      if (atEnd) notBefore(now())
    },
    seconds: records => {
      if (records === 0) {
        notBefore(now())
        return 0
      }
      const since = inHand ?? after
      return since === undefined ? undefined : Math.max(0, now() - since) / 1000
    },
  }
}
