import { SentinelError } from '../../runtime/errors.ts'
import type { Broadcaster, Message } from './broadcaster.ts'

/** A Broadcaster for tests and for a single process: what is broadcast here is received here, at once. */
export const createMemoryBroadcaster = (): Broadcaster => {
  const receivers = new Set<(message: Message) => void>()
  let isOpen = true
  const broadcast = async (message: Message) => {
    if (!isOpen) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'the broadcaster is closed')
    for (const receive of receivers) receive(message)
  }
  return {
    broadcastThreat: broadcast,
    broadcastAlert: broadcast,
    subscribe: async receive => {
      // A function given twice is subscribed twice.
      const own = (message: Message) => receive(message)
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
