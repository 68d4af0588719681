import { CHANNELS, type Channel } from '../../schemas/wire.ts'
import type { Origin } from './dropped.ts'
import { EVERYTHING, type Filter, type Filtered } from './filter.ts'

/** Somebody who wants what a channel carries. */
export interface Subscriber {
  /**
   * Takes a message that is framed already, and shared with others: it must not be changed. One with an origin may be left
   * out when the subscriber is behind. Never throws.
   */
  send(frame: Buffer, origin?: Origin): void
}

/** A message on its way to subscribers. */
export interface Shared {
  /** The frame; called once, when there is somebody to send it to. */
  readonly frame: () => Buffer
  /** What filters look at; not given where a channel has none, and everybody gets all. */
  readonly data?: Filtered
  /** Where it comes from; not given where a message is never to be left out. */
  readonly origin?: Origin
}

/** Who wants what. Knows neither sockets nor Redis. */
export interface Hub {
  /** Subscribes somebody to what passes a filter; another subscription to the same channel takes its place. */
  subscribe(channel: Channel, subscriber: Subscriber, filter?: Filter): void
  unsubscribe(channel: Channel, subscriber: Subscriber): void
  isSubscribed(channel: Channel, subscriber: Subscriber): boolean
  /** Forgets somebody on every channel. */
  leave(subscriber: Subscriber): void
  /** Hands a message to each subscriber of a channel whose filter it passes; returns how many there were. */
  deliver(channel: Channel, message: Shared): number
  countOf(channel: Channel): number
}

/** Subscribers whose filters are equal: it is asked once for all of them. */
interface Group {
  readonly filter: Filter
  readonly subscribers: Set<Subscriber>
}

/** The subscribers of one channel. */
const createTopic = () => {
  const groups = new Map<string, Group>()
  const groupOf = new Map<Subscriber, Group>()
  const remove = (subscriber: Subscriber) => {
    const group = groupOf.get(subscriber)
    if (group === undefined) return
    groupOf.delete(subscriber)
    group.subscribers.delete(subscriber)
    if (group.subscribers.size === 0) groups.delete(group.filter.key)
  }
  return {
    groups,
    groupOf,
    remove,
    add: (subscriber: Subscriber, filter: Filter) => {
      remove(subscriber)
      const group = groups.get(filter.key) ?? { filter, subscribers: new Set() }
      groups.set(filter.key, group)
      group.subscribers.add(subscriber)
      groupOf.set(subscriber, group)
    },
  }
}

/** Makes an empty hub. */
export const createHub = (): Hub => {
  const topics = Object.fromEntries(CHANNELS.map(channel => [channel, createTopic()])) as Readonly<
    Record<Channel, ReturnType<typeof createTopic>>
  >
  return {
    subscribe: (channel, subscriber, filter = EVERYTHING) => topics[channel].add(subscriber, filter),
    unsubscribe: (channel, subscriber) => topics[channel].remove(subscriber),
    isSubscribed: (channel, subscriber) => topics[channel].groupOf.has(subscriber),
    leave: subscriber => {
      for (const channel of CHANNELS) topics[channel].remove(subscriber)
    },
    deliver: (channel, { frame: make, data, origin }) => {
      let frame: Buffer | undefined
      let count = 0
      for (const { filter, subscribers } of topics[channel].groups.values()) {
        if (data !== undefined && !filter.matches(data)) continue
        frame ??= make()
        for (const subscriber of subscribers) subscriber.send(frame, origin)
        count += subscribers.size
      }
      return count
    },
    countOf: channel => topics[channel].groupOf.size,
  }
}
