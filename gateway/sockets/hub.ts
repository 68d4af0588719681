import { CHANNELS, type Channel } from '../../schemas/wire.ts'
import type { Origin } from './dropped.ts'
import { EVERYTHING, type Filter, type Filtered } from './filter.ts'

/** Messages that are framed already, in order, and shared by all who get them: nothing of it may be changed. */
export interface Batch {
  readonly frames: readonly Buffer[]
  /** Where each comes from, where it may be left out for those who are behind. */
  readonly origins: readonly (Origin | undefined)[]
  /** Of all frames. */
  readonly bytes: number
}

/** Somebody who wants what a channel carries. */
export interface Subscriber {
  /** Takes messages. Never throws. */
  send(batch: Batch): void
}

/** Has something done before the next round of writes. */
export type Gather = (work: () => void) => void

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
  /** Hands a message to each subscriber of a channel whose filter it passes, in the next round; returns how many there are. */
  deliver(channel: Channel, message: Shared): number
  countOf(channel: Channel): number
}

/** Bytes of a group that are handed over without waiting for the next round. */
const MOST_GATHERED = 65_536

/** Subscribers whose filters are equal: it is asked once for all of them, and all get the same messages. */
class Group {
  readonly filter: Filter
  readonly subscribers = new Set<Subscriber>()
  readonly #gather: Gather
  #frames: Buffer[] = []
  #origins: (Origin | undefined)[] = []
  #bytes = 0

  constructor(filter: Filter, gather: Gather) {
    this.filter = filter
    this.#gather = gather
  }

  add(frame: Buffer, origin: Origin | undefined): void {
    this.#frames.push(frame)
    this.#origins.push(origin)
    this.#bytes += frame.length
    if (this.#frames.length === 1) this.#gather(() => this.settle())
    if (this.#bytes >= MOST_GATHERED) this.settle()
  }

  /** Hands over what was gathered. Each subscriber is gone to once for all of it: to go there is most of what it costs. */
  settle(): void {
    if (this.#frames.length === 0) return
    const batch = { frames: this.#frames, origins: this.#origins, bytes: this.#bytes }
    this.#frames = []
    this.#origins = []
    this.#bytes = 0
    for (const subscriber of this.subscribers) subscriber.send(batch)
  }
}

/** The subscribers of one channel. Who comes gets nothing from before, who goes gets all of it: so what was gathered is handed over first. */
const createTopic = (gather: Gather) => {
  const groups = new Map<string, Group>()
  const groupOf = new Map<Subscriber, Group>()
  const remove = (subscriber: Subscriber) => {
    const group = groupOf.get(subscriber)
    if (group === undefined) return
    group.settle()
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
      const group = groups.get(filter.key) ?? new Group(filter, gather)
      group.settle()
      groups.set(filter.key, group)
      group.subscribers.add(subscriber)
      groupOf.set(subscriber, group)
    },
  }
}

/** Makes an empty hub. What it is given waits for the next round that `gather` tells of; for none when that is not given. */
export const createHub = (gather: Gather = work => work()): Hub => {
  const topics = Object.fromEntries(CHANNELS.map(channel => [channel, createTopic(gather)])) as Readonly<
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
      for (const group of topics[channel].groups.values()) {
        if (data !== undefined && !group.filter.matches(data)) continue
        frame ??= make()
        count += group.subscribers.size
        group.add(frame, origin)
      }
      return count
    },
    countOf: channel => topics[channel].groupOf.size,
  }
}
