import type { FilterExpression } from '../../schemas/filter.ts'
import type { Channel, Position } from '../../schemas/wire.ts'

/** What a client wants of a channel. */
export interface Wanted {
  readonly channel: Channel
  /** Which of its messages; all that the user may see when not given. */
  readonly filter?: FilterExpression
}

/** How far something has come in the partitions of a channel. */
type Places = readonly { readonly partition: number; readonly offset: number }[]

/** The part of the gateway's answer that says where a channel goes on. */
export interface Confirmation {
  readonly epoch?: string
  /** All that lies behind them follows. */
  readonly positions?: Places
  /** Answers `resume`: false when what follows does not begin where the client was. */
  readonly recovered?: boolean
  readonly reason?: string
}

/** Offsets that came one after the other, with nothing between them. */
interface Run {
  readonly from: number
  to: number
}

/** Runs that are remembered of a partition: there is more than one only where a filter, or the gateway, left something out. */
const MAX_RUNS = 1_024

/**
 * How far a client has come in one channel. It lives longer than connections: what was missed is asked for from there, and what
 * comes twice is known by its place.
 */
export interface Subscription {
  readonly channel: Channel
  /** What to send to begin, or to go on where nothing is missing yet. */
  request(): object
  /** The gateway confirms. Returns why messages are missing for good, when it says so. */
  confirmed(confirmation: Confirmation): string | undefined
  /** The gateway has left messages out, all of them behind these positions: they have to be asked for again. */
  thinned(positions: Places): void
  /** Takes the place of a message; false when it has come before. */
  isNew(position: Position): boolean
}

/** A subscription that has seen nothing. */
export const createSubscription = ({ channel, filter }: Wanted): Subscription => {
  let epoch: string | undefined
  /** The offset of each partition up to which nothing is missing. */
  const reached = new Map<number, number>()
  const runs = new Map<number, Run[]>()
  /** While messages are left out, what comes does not bring the client further. */
  let isThinned = false

  return {
    channel,
    request: () => {
      const positions = [...reached].flatMap(([partition, offset]) =>
        offset < 0 ? [] : [{ partition, offset }],
      )
      return {
        type: 'subscribe',
        channel,
        id: channel,
        ...(filter === undefined ? {} : { filter }),
        ...(epoch === undefined ? {} : { resume: { epoch, positions } }),
      }
    },
    confirmed: ({ epoch: present, positions = [], recovered, reason = 'unknown' }) => {
      if (present !== epoch) runs.clear()
      epoch = present
      isThinned = false
      reached.clear()
      for (const { partition, offset } of positions) reached.set(partition, offset)
      return recovered === false ? reason : undefined
    },
    thinned: positions => {
      isThinned = true
      for (const { partition, offset } of positions) {
        reached.set(partition, Math.min(offset, reached.get(partition) ?? -1))
      }
    },
    isNew: ({ partition, offset, previous }) => {
      if (!isThinned) reached.set(partition, offset)
      const known = runs.get(partition) ?? []
      if (known.some(({ from, to }) => from <= offset && offset <= to)) return false
      const run = known.findLast(({ to }) => to === previous)
      if (run === undefined) known.push({ from: offset, to: offset })
      else run.to = offset
      if (known.length > MAX_RUNS) known.shift()
      runs.set(partition, known)
      return true
    },
  }
}
