import type { Delivery } from '../../schemas/wire.ts'
import type { Broadcaster } from './broadcaster.ts'

/** A Broadcaster for tests and for a single process: what is broadcast here is received here, at once. */
export const createMemoryBroadcaster = (): Broadcaster => {
  const receivers = new Set<(delivery: Delivery) => void>()
  let isOpen = true
  const broadcast = async (delivery: Delivery) => {
    if (!isOpen) return
    for (const receive of receivers) receive(delivery)
  }
  return {
    broadcastThreat: broadcast,
    broadcastAlert: broadcast,
    subscribe: async receive => {
      // A function given twice is subscribed twice.
      const own = (delivery: Delivery) => receive(delivery)
      receivers.add(own)
      return async () => {
        receivers.delete(own)
      }
    },
    problem: async () => (isOpen ? undefined : 'closed'),
    close: async () => {
      isOpen = false
      receivers.clear()
    },
  }
}
