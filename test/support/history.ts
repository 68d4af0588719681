import type { Message } from '../../gateway/sockets/broadcaster.ts'
import type { HistoryReads, KeptChannel } from '../../gateway/store/history-reads.ts'
import type { Delivery } from '../../schemas/wire.ts'
import { asMessage } from './threats.ts'

/** What a partition of a {@link createMemoryHistory} holds. */
interface Partition {
  head: number
  forgotten: number
  readonly deliveries: Delivery[]
}

/** A history in memory, as much of it as sockets read. Each read waits at `gate`, before and after it looks. */
export const createMemoryHistory = (gate: () => Promise<unknown> = async () => undefined) => {
  let epoch = 'epoch-1'
  let erasures = 0
  const channels = new Map<KeptChannel, Map<number, Partition>>()
  const partitionsOf = (channel: KeptChannel) => {
    const partitions = channels.get(channel) ?? new Map<number, Partition>()
    channels.set(channel, partitions)
    return partitions
  }
  const reads: HistoryReads = {
    historyState: async channel => {
      await gate()
      const partitions = [...partitionsOf(channel)].map(([partition, { head, forgotten }]) => ({
        partition,
        head,
        forgotten,
      }))
      const state = { epoch, erasures, partitions }
      await gate()
      return state
    },
    readHistory: async ({ channel, epoch: asked, partition, after, limit }) => {
      await gate()
      const { deliveries, forgotten } = partitionsOf(channel).get(partition) ?? {
        deliveries: [],
        forgotten: -1,
      }
      const page = deliveries.filter(({ position }) => position.offset > after).slice(0, limit)
      const outcome = asked !== epoch ? 'other-epoch' : after < forgotten ? 'too-old' : page
      await gate()
      return outcome
    },
    listHistory: async () => [],
    findHistory: async () => undefined,
  }
  return {
    ...reads,
    /** Adds a delivery behind those of its partition, with its `previous`. */
    add: (delivery: Delivery): Message => {
      const partitions = partitionsOf(delivery.type === 'threat' ? 'threats' : 'alerts')
      const { partition, offset } = delivery.position
      const known = partitions.get(partition)
      const line = known ?? { head: -1, forgotten: -1, deliveries: [] }
      partitions.set(partition, line)
      const added = { ...delivery, position: { partition, offset, previous: known?.head ?? null } }
      line.deliveries.push(added)
      line.head = offset
      return asMessage(added, epoch)
    },
    /** Forgets the deliveries of a partition of `threats` up to an offset. */
    forget: (partition: number, offset: number) => {
      const line = partitionsOf('threats').get(partition)
      if (line === undefined) return
      line.forgotten = offset
      line.deliveries.splice(0, line.deliveries.findLastIndex(each => each.position.offset <= offset) + 1)
    },
    /** Erases one delivery of partition 0 of `threats`. */
    erase: (offset: number) => {
      erasures += 1
      const deliveries = partitionsOf('threats').get(0)?.deliveries ?? []
      deliveries.splice(
        deliveries.findIndex(each => each.position.offset === offset),
        1,
      )
    },
    /** Makes the topics anew. */
    renew: (name: string) => {
      epoch = name
      channels.clear()
    },
  }
}
