import { messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Delivery, Lost, Place } from '../../schemas/wire.ts'
import { startRepeating } from '../repeating.ts'
import type { HistoryReads, HistoryState, KeptChannel } from '../store/history-reads.ts'
import type { Message } from './broadcaster.ts'
import { type FeedMessage, feedMessage, forgetTail, type Line, lineAt, remember, TAIL } from './line.ts'

/** Channels that are kept. */
const KEPT_CHANNELS = ['threats', 'alerts'] as const satisfies readonly KeptChannel[]

/** The channel of a delivery. */
const CHANNEL_OF: Readonly<Record<Delivery['type'], KeptChannel>> = {
  threat: 'threats',
  alert: 'alerts',
}

/** Messages of a partition that are read at a time. */
const PAGE = 200

interface FeedDeps {
  readonly history: Pick<HistoryReads, 'historyState' | 'readHistory'>
  /** Takes each message of a channel once, in order per partition. */
  readonly deliver: (channel: KeptChannel, message: FeedMessage) => void
  /** What comes next does not follow what was delivered before: the place says where it begins. */
  readonly onLost: (channel: KeptChannel, place: Place, reason: Lost) => void
  /** How often the history is asked whether something has not arrived, in ms. */
  readonly intervalMs: number
  /** Messages of a partition that are held in memory; {@link TAIL} when not given. */
  readonly held?: number
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Makes of what comes from the other gateways, with doubles and gaps, what went into the history: every message once, in
 * order per partition. What is missing is read there, also when nothing comes behind it that would show it.
 */
export interface Feed {
  /** Takes a message from the transport. */
  receive(message: Message): void
  /** Looks for what is in the history and has not arrived since the last look. */
  look(): Promise<void>
  /** Where a channel stands. */
  placeOf(channel: KeptChannel): Place
  /** The last offset that was delivered of a partition; -1 when none was. */
  lastOf(channel: KeptChannel, partition: number): number
  /** Up to `limit` messages behind an offset; undefined when the memory does not go back so far. */
  after(
    channel: KeptChannel,
    partition: number,
    offset: number,
    limit: number,
  ): readonly FeedMessage[] | undefined
  /** Resolves when all up to an offset, which must be in the history, was delivered. Throws what the history throws. */
  reach(channel: KeptChannel, partition: number, offset: number): Promise<void>
  /** Ends looking. */
  close(): Promise<void>
}

interface ChannelState {
  readonly epoch: string
  readonly lines: Map<number, Line>
  /** Erasures as of the last look, and as of the one before. */
  erasures: readonly [number, number]
}

/** Starts a feed at the head of the history. Throws NS_SERVICE_UNREACHABLE when the store is away. */
export const startFeed = async (deps: FeedDeps): Promise<Feed> => {
  const { history, metrics, log, held = TAIL } = deps

  const open = async (channel: KeptChannel): Promise<ChannelState> => {
    const { epoch, erasures, partitions } = await history.historyState(channel)
    const lines = new Map<number, Line>()
    for (const { partition, head, forgotten } of partitions) {
      const after = Math.max(forgotten, head - held)
      const page = await history.readHistory({ channel, epoch, partition, after, limit: held })
      const line = lineAt(partition, after)
      if (typeof page !== 'string') for (const delivery of page) remember(line, feedMessage(delivery), held)
      line.last = Math.max(line.last, head)
      if (typeof page === 'string') line.tailFrom = line.last
      lines.set(partition, line)
    }
    return { epoch, lines, erasures: [erasures, erasures] }
  }

  const states: Record<KeptChannel, ChannelState> = {
    threats: await open('threats'),
    alerts: await open('alerts'),
  }

  const lineOf = (channel: KeptChannel, partition: number): Line => {
    const { lines } = states[channel]
    const line = lines.get(partition) ?? lineAt(partition, -1)
    lines.set(partition, line)
    return line
  }

  const placeOf = (channel: KeptChannel): Place => {
    const { epoch, lines } = states[channel]
    const positions = [...lines.values()].flatMap(({ partition, last }) =>
      last < 0 ? [] : [{ partition, offset: last }],
    )
    return { epoch, positions }
  }

  const accept = (channel: KeptChannel, line: Line, message: FeedMessage) => {
    remember(line, message, held)
    deps.deliver(channel, message)
  }

  /**
   * Begins where the history begins: what was delivered before does not lead there. `before` is what that was found out of:
   * whoever finds it out second has nothing left to do.
   */
  const restart = (
    channel: KeptChannel,
    before: ChannelState,
    { epoch, partitions }: HistoryState,
    reason: Lost,
  ) => {
    if (states[channel] !== before) return
    const lines = partitions.map(({ partition, head, forgotten }) => {
      const known = reason === 'too-old' ? before.lines.get(partition) : undefined
      const line = known !== undefined && known.last >= forgotten ? known : lineAt(partition, forgotten)
      line.target = Math.max(line.target, head)
      return line
    })
    states[channel] = {
      epoch,
      lines: new Map(lines.map(line => [line.partition, line])),
      erasures: before.erasures,
    }
    log.warn({ channel, reason }, 'what was delivered of a channel is not continued')
    deps.onLost(channel, placeOf(channel), reason)
    for (const line of lines) fillLater(channel, line)
  }

  const fillOnce = async (channel: KeptChannel, line: Line): Promise<void> => {
    const state = states[channel]
    while (line.last < line.target && state.lines.get(line.partition) === line) {
      const { last: after, target } = line
      const { epoch } = state
      const page = await history.readHistory({
        channel,
        epoch,
        partition: line.partition,
        after,
        limit: PAGE,
      })
      if (states[channel] !== state) return
      if (typeof page === 'string') return restart(channel, state, await history.historyState(channel), page)
      for (const delivery of page) accept(channel, line, feedMessage(delivery))
      // What lies in between is nowhere any more: it was erased.
      if (page.length < PAGE) line.last = Math.max(line.last, target)
    }
  }

  const fill = (channel: KeptChannel, line: Line): Promise<void> => {
    line.filling ??= fillOnce(channel, line).finally(() => {
      line.filling = undefined
    })
    return line.filling
  }

  /** What fails is tried again with the next message, or the next look. */
  const fillLater = (channel: KeptChannel, line: Line): void => {
    fill(channel, line).catch((error: unknown) =>
      log.warn({ channel, partition: line.partition, problem: messageOf(error) }, 'a gap is not filled yet'),
    )
  }

  /** Holds nothing that was erased: not what is held now, and not what was on its way then and has come since. */
  const forgetErased = (state: ChannelState, erasures: number) => {
    if (state.erasures.some(before => before !== erasures)) {
      for (const line of state.lines.values()) forgetTail(line)
    }
    state.erasures = [erasures, state.erasures[0]]
  }

  const look = async () => {
    const fills: Promise<void>[] = []
    for (const channel of KEPT_CHANNELS) {
      const before = states[channel]
      const state = await history.historyState(channel)
      if (state.epoch !== before.epoch) {
        restart(channel, before, state, 'other-epoch')
        continue
      }
      if (states[channel] !== before) continue
      forgetErased(before, state.erasures)
      for (const { partition, head } of state.partitions) {
        const line = lineOf(channel, partition)
        // What was there at the last look has had the time to arrive.
        line.target = Math.max(line.target, line.seen)
        if (line.last < line.target) {
          metrics.gaps.inc({ channel })
          fills.push(fill(channel, line))
        }
        line.seen = head
      }
    }
    await Promise.all(fills)
  }

  const looking = startRepeating({
    work: look,
    intervalMs: deps.intervalMs,
    says: { failing: 'the history cannot be looked at', working: 'the history is looked at again' },
    log,
  })

  return {
    receive: ({ epoch, delivery, text }) => {
      const channel = CHANNEL_OF[delivery.type]
      // The topic was made anew, which the history knows, or this is from before.
      if (epoch !== states[channel].epoch) return looking.run()
      const { partition, offset, previous } = delivery.position
      const line = lineOf(channel, partition)
      if (offset <= line.last) return
      if (line.filling === undefined && (previous ?? -1) === line.last) {
        return accept(channel, line, feedMessage(delivery, text))
      }
      if (line.filling === undefined) metrics.gaps.inc({ channel })
      line.target = Math.max(line.target, offset)
      fillLater(channel, line)
    },
    look,
    placeOf,
    lastOf: (channel, partition) => states[channel].lines.get(partition)?.last ?? -1,
    after: (channel, partition, offset, limit) => {
      const { tail, tailFrom } = states[channel].lines.get(partition) ?? lineAt(partition, -1)
      if (offset < tailFrom) return undefined
      const first = tail.findIndex(({ delivery }) => delivery.position.offset > offset)
      return first === -1 ? [] : tail.slice(first, first + limit)
    },
    reach: async (channel, partition, offset) => {
      const line = lineOf(channel, partition)
      line.target = Math.max(line.target, offset)
      while (line.last < offset && states[channel].lines.get(partition) === line) await fill(channel, line)
    },
    close: async () => {
      await looking.stop()
      const lines = KEPT_CHANNELS.flatMap(channel => [...states[channel].lines.values()])
      await Promise.allSettled(lines.flatMap(({ filling }) => filling ?? []))
    },
  }
}
