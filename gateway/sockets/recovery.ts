import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { createTurns } from '../../runtime/turns.ts'
import type { Lost, Place, Resume } from '../../schemas/wire.ts'
import type { HistoryReads, KeptChannel } from '../store/history-reads.ts'
import type { Feed } from './feed.ts'
import type { FeedMessage } from './line.ts'
import { createPages, type Page } from './pages.ts'

/** Reads of the store at the same time, for all clients of a gateway. */
const MAX_READS = 8

/** How long a client that is behind, or a store that is away, is waited for until the next look, in ms. */
const PAUSE_MS = 20
const RETRY_MS = 500

/** Somebody who comes back to a channel. */
export interface Returning {
  /** False when it is gone, has changed its mind, or may not read the channel any more: then it gets nothing further. */
  readonly isWaiting: () => boolean
  /** False while it is behind with what it was sent. */
  readonly hasRoom: () => boolean
  /** Tells where what follows begins. */
  readonly begin: (place: Place, lost?: Lost) => void
  /** Sends a message, if it may be seen and was asked for. */
  readonly send: (message: FeedMessage) => void
  /** From now on, it gets what is live. */
  readonly goLive: () => void
}

/** Where a client goes on. */
interface Start {
  readonly epoch: string
  /** The offset of each partition behind which it reads. */
  readonly from: Map<number, number>
}

type Outcome = Lost | 'complete' | 'left'

interface RecoveryDeps {
  readonly feed: Feed
  readonly history: Pick<HistoryReads, 'historyState' | 'readHistory'>
  readonly log: Log
  readonly metrics: Metrics
}

/** Brings clients that come back to what is live, without a gap and without a double. */
export interface Recovery {
  /**
   * Sends all that lies behind the positions of a client, in order per partition, then lets it go live; or does only that,
   * and says why. While the store is away, the client waits. Never throws.
   */
  recover(channel: KeptChannel, resume: Resume, client: Returning): Promise<void>
}

/** Makes the recovery of a gateway. */
export const createRecovery = ({ feed, history, log, metrics }: RecoveryDeps): Recovery => {
  const pages = createPages({ feed, history, turns: createTurns(MAX_READS) })
  let coming = 0

  /** Why a client cannot go on where it was, if so; and where each partition is read from otherwise. */
  const judge = async (channel: KeptChannel, { epoch, positions }: Resume): Promise<Lost | Start> => {
    const state = await pages.stateOf(channel)
    const seen = new Map(positions.map(({ partition, offset }) => [partition, offset]))
    const from = new Map(state.partitions.map(({ partition }) => [partition, seen.get(partition) ?? -1]))
    const heads = new Map(state.partitions.map(({ partition, head }) => [partition, head]))
    const isAhead = positions.some(({ partition, offset }) => offset > (heads.get(partition) ?? -1))
    if ((epoch ?? state.epoch) !== state.epoch || isAhead) return 'other-epoch'
    if (state.partitions.some(({ partition, forgotten }) => (from.get(partition) ?? -1) < forgotten))
      return 'too-old'
    // This gateway may be behind the one where the client was.
    for (const { partition } of state.partitions) {
      await feed.reach(channel, partition, seen.get(partition) ?? -1)
    }
    return feed.placeOf(channel).epoch === state.epoch ? { epoch: state.epoch, from } : 'other-epoch'
  }

  /** Sends as much of a page as there is room for; nothing of it is held while the client is waited for. */
  const sendPage = ({ messages, end = -1 }: Page, client: Returning) => {
    let offset = -1
    for (const [sent, message] of messages.entries()) {
      if (!client.isWaiting() || !client.hasRoom()) return { sent, offset }
      client.send(message)
      offset = message.delivery.position.offset
    }
    return { sent: messages.length, offset: Math.max(offset, end) }
  }

  const room = async (client: Returning) => {
    while (client.isWaiting() && !client.hasRoom()) await sleep(PAUSE_MS)
  }

  /**
   * Sends what is missing until nothing is, and lets the client go live at that very moment: a promise later, the feed may be
   * further. Gives a reason when that is not possible any more.
   */
  const replay = async (
    channel: KeptChannel,
    { epoch, from }: Start,
    client: Returning,
  ): Promise<Outcome> => {
    for (;;) {
      await room(client)
      if (!client.isWaiting()) return 'left'
      const { epoch: present, positions } = feed.placeOf(channel)
      if (present !== epoch) return 'other-epoch'
      const behind = positions.filter(({ partition, offset }) => (from.get(partition) ?? -1) < offset)
      if (behind.length === 0) {
        client.goLive()
        return 'complete'
      }
      for (const { partition } of behind) {
        const after = from.get(partition) ?? -1
        const page = await pages.page({ channel, epoch, partition, after })
        if (typeof page === 'string') return page
        const end = sendPage(page, client)
        metrics.recovered.inc({ channel }, end.sent)
        from.set(partition, Math.max(after, end.offset))
      }
    }
  }

  /** Tries again while the store is away, as long as the client waits. */
  const patiently = async <T>(client: Returning, attempt: () => Promise<T>): Promise<T | 'left'> => {
    while (client.isWaiting()) {
      try {
        return await attempt()
      } catch (error) {
        log.warn({ problem: messageOf(error) }, 'a client waits for what it missed')
        await sleep(RETRY_MS)
      }
    }
    return 'left'
  }

  return {
    recover: async (channel, resume, client) => {
      coming += 1
      const end = metrics.recoverySeconds.startTimer({ channel })
      const start = await patiently(client, () => judge(channel, resume))
      let outcome: Outcome
      if (typeof start === 'string') outcome = start
      else {
        const positions = [...start.from].flatMap(([partition, offset]) =>
          offset < 0 ? [] : [{ partition, offset }],
        )
        if (client.isWaiting()) client.begin({ epoch: start.epoch, positions })
        outcome = await patiently(client, () => replay(channel, start, client))
      }
      coming -= 1
      if (coming === 0) pages.clear()
      metrics.recoveries.inc({ channel, outcome })
      if (outcome === 'left') return
      if (outcome !== 'complete') {
        if (!client.isWaiting()) return
        client.begin(feed.placeOf(channel), outcome)
        client.goLive()
      }
      end()
    },
  }
}
