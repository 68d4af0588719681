import type { Turns } from '../../runtime/turns.ts'
import type { Lost } from '../../schemas/wire.ts'
import type { HistoryReads, HistoryState, KeptChannel } from '../store/history-reads.ts'
import type { Feed } from './feed.ts'
import { type FeedMessage, feedMessage } from './line.ts'

/**
 * Messages that are read at a time. A page ends before an offset that is a multiple of it, so that clients which come back
 * from different places soon ask for the same pages.
 */
const PAGE = 100

/** Pages of the store that are held. */
const HELD = 16

/** Where a page begins. */
export interface PageStart {
  readonly channel: KeptChannel
  readonly epoch: string
  readonly partition: number
  /** Only what lies behind this offset. */
  readonly after: number
}

/** Messages in order, none of them further than the feed. */
export interface Page {
  readonly messages: readonly FeedMessage[]
  /** The offset up to which nothing else lies behind the start, where that is known. */
  readonly end?: number
}

interface PagesDeps {
  readonly feed: Pick<Feed, 'lastOf' | 'after'>
  readonly history: Pick<HistoryReads, 'historyState' | 'readHistory'>
  /** For reads of the store. */
  readonly turns: Turns
}

/** What clients that come back are sent: read once for all who ask for the same, of memory where it goes back so far. */
export interface Pages {
  /** Where a channel stands, as of a moment after the call. Throws what the history throws. */
  stateOf(channel: KeptChannel): Promise<HistoryState>
  /** Throws what the history throws. */
  page(start: PageStart): Promise<Page | Lost>
  /** Forgets what is held. */
  clear(): void
}

/** One call of `read` for all who ask within a turn of the event loop, and after the last of them has asked. */
const together = <T>(turns: Turns, read: () => Promise<T>): (() => Promise<T>) => {
  let next: Promise<T> | undefined
  const begin = () => {
    next = undefined
    return read()
  }
  return () => {
    next ??= new Promise(resolve => setImmediate(resolve)).then(() => turns.take(begin))
    return next
  }
}

/** The messages up to the end of the page that the first of them lies on. */
const upToBorder = (messages: readonly FeedMessage[]): readonly FeedMessage[] => {
  const numberOf = ({ delivery }: FeedMessage) => Math.floor(delivery.position.offset / PAGE)
  const [first] = messages
  return first === undefined ? messages : messages.filter(each => numberOf(each) === numberOf(first))
}

/** Makes what clients that come back read from. */
export const createPages = ({ feed, history, turns }: PagesDeps): Pages => {
  const held = new Map<string, Promise<Page | Lost>>()
  const states = {
    threats: together(turns, () => history.historyState('threats')),
    alerts: together(turns, () => history.historyState('alerts')),
  }

  const read = async (start: PageStart): Promise<Page | Lost> => {
    // Before the read: all up to here is in the history, what comes later perhaps not in what is read.
    const last = feed.lastOf(start.channel, start.partition)
    const found = await turns.take(() => history.readHistory({ ...start, limit: PAGE }))
    if (typeof found === 'string') return found
    const messages = found.filter(({ position }) => position.offset <= last).map(each => feedMessage(each))
    return messages.length < PAGE ? { messages, end: last } : { messages: upToBorder(messages) }
  }

  const hold = (key: string, start: PageStart): Promise<Page | Lost> => {
    const reading = read(start)
    held.set(key, reading)
    const forget = () => {
      if (held.get(key) === reading) held.delete(key)
    }
    // Only a page that was full never changes.
    reading.then(page => {
      if (typeof page === 'string' || page.end !== undefined) forget()
    }, forget)
    const [oldest] = held.keys()
    if (held.size > HELD && oldest !== undefined) held.delete(oldest)
    return reading
  }

  const erasures = { threats: 0, alerts: 0 }

  return {
    stateOf: async channel => {
      const state = await states[channel]()
      if (state.erasures !== erasures[channel]) held.clear()
      erasures[channel] = state.erasures
      return state
    },
    page: async start => {
      const { channel, epoch, partition, after } = start
      const messages = feed.after(channel, partition, after, PAGE)
      if (messages !== undefined) {
        return messages.length < PAGE ? { messages, end: feed.lastOf(channel, partition) } : { messages }
      }
      const key = `${channel} ${epoch} ${partition} ${after}`
      return held.get(key) ?? hold(key, start)
    },
    clear: () => held.clear(),
  }
}
