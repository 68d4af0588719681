import { SentinelError } from '../../runtime/errors.ts'
import { type Delivery, parseDelivery } from '../../schemas/wire.ts'
import type { Broadcaster } from './broadcaster.ts'

/** A Broadcaster for tests and for a single process: what is broadcast here is received here, at once. */
export const createMemoryBroadcaster = (): Broadcaster => {
  const receivers = new Set<(delivery: Delivery) => void>()
  let isOpen = true
  const broadcast = async (delivery: Delivery) => {
    if (!isOpen) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'the broadcaster is closed')
    if (parseDelivery(JSON.stringify(delivery)) === undefined) {
      throw new SentinelError('NS_MALFORMED', 'the delivery does not fit the wire schema')
    }
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
