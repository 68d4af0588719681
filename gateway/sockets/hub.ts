import { CHANNELS, type Channel } from '../../schemas/wire.ts'

/** Somebody who wants what a channel carries. */
export interface Subscriber {
  /** Takes a message that is framed already, and shared with others: it must not be changed. Never throws. */
  send(frame: Buffer): void
}

/** Who wants what. Knows neither sockets nor Redis. */
export interface Hub {
  subscribe(channel: Channel, subscriber: Subscriber): void
  unsubscribe(channel: Channel, subscriber: Subscriber): void
  isSubscribed(channel: Channel, subscriber: Subscriber): boolean
  /** Forgets somebody on every channel. */
  leave(subscriber: Subscriber): void
  /** Hands a frame to each subscriber of a channel; returns how many there were. */
  deliver(channel: Channel, frame: Buffer): number
  countOf(channel: Channel): number
}

/** Makes an empty hub. */
export const createHub = (): Hub => {
  const channels = new Map<Channel, Set<Subscriber>>(CHANNELS.map(channel => [channel, new Set()]))
  const subscribersOf = (channel: Channel) => channels.get(channel) ?? new Set<Subscriber>()
  return {
    subscribe: (channel, subscriber) => {
      subscribersOf(channel).add(subscriber)
    },
    unsubscribe: (channel, subscriber) => {
      subscribersOf(channel).delete(subscriber)
    },
    isSubscribed: (channel, subscriber) => subscribersOf(channel).has(subscriber),
    leave: subscriber => {
      for (const subscribers of channels.values()) subscribers.delete(subscriber)
    },
    deliver: (channel, frame) => {
      const subscribers = subscribersOf(channel)
      for (const subscriber of subscribers) subscriber.send(frame)
      return subscribers.size
    },
    countOf: channel => subscribersOf(channel).size,
  }
}
