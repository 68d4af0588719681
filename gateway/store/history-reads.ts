import { z } from 'zod'
import { SEVERITIES } from '../../schemas/filter.ts'
import type { Alert, AlertStatus, Severity, Threat } from '../../schemas/generated.ts'
import type { Channel, Content, Delivery, Position } from '../../schemas/wire.ts'
import type { Database, SqlValue } from './database.ts'
import { epochOf } from './history-epochs.ts'

/** A channel whose messages are kept. */
export type KeptChannel = Extract<Channel, 'threats' | 'alerts'>

/** Where a channel stands. */
export interface HistoryState {
  /** Names the topic that the offsets belong to: it is another one when the topic was made anew. */
  readonly epoch: string
  /** Is another number whenever something was erased. */
  readonly erasures: number
  readonly partitions: readonly {
    readonly partition: number
    /** The highest offset that was ever added. */
    readonly head: number
    /** What lies behind this offset is complete; -1 when all is. */
    readonly forgotten: number
  }[]
}

/** Which page of a partition is read. */
export interface HistoryRange {
  readonly channel: KeptChannel
  readonly epoch: string
  readonly partition: number
  /** Only offsets behind this one. */
  readonly after: number
  readonly limit: number
}

/** A threat or an alert that was kept, with its place and its time: a threat's own, an alert's latest change. */
export type HistoryEntry = Content & {
  readonly partition: number
  readonly offset: number
  /** In ms since 1970 (UTC). */
  readonly time: number
}

/** Which threats or alerts are asked for; all of what is given must fit. */
export interface HistoryFilter {
  readonly entity?: string
  /** This severity or a worse one. */
  readonly minSeverity?: Severity
  readonly minScore?: number
  /** Of alerts. */
  readonly status?: AlertStatus
  /** Times from here on, and times before. In ms since 1970 (UTC). */
  readonly from?: number
  readonly to?: number
  /** Only entries that come after this one in the list. */
  readonly after?: Pick<HistoryEntry, 'time' | 'partition' | 'offset'>
  readonly limit: number
}

/** What the history is asked. */
export interface HistoryReads {
  historyState(channel: KeptChannel): Promise<HistoryState>
  /**
   * Messages of a partition in order. `too-old` when some behind `after` are not kept any more, `other-epoch` when offsets
   * of that epoch mean nothing any more: never only a part of them.
   */
  readHistory(range: HistoryRange): Promise<readonly Delivery[] | 'too-old' | 'other-epoch'>
  /** Threats, or alerts as they stand, by time, the latest first. */
  listHistory(channel: KeptChannel, filter: HistoryFilter): Promise<readonly HistoryEntry[]>
  /** A threat, or an alert as it stands. */
  findHistory(channel: KeptChannel, id: string): Promise<HistoryEntry | undefined>
}

const stateRows = z.array(
  z.object({
    epoch: z.string(),
    erasures: z.number(),
    part: z.number().nullable(),
    head: z.number().nullable(),
    forgotten: z.number().nullable(),
  }),
)

const entryRows = z.array(
  z.object({ part: z.number(), place: z.number(), time: z.number(), data: z.string() }),
)

/** What was checked against the wire schema before it was written. */
const contentOf = (channel: KeptChannel, data: string): Content =>
  channel === 'threats'
    ? { type: 'threat', data: JSON.parse(data) as Threat }
    : { type: 'alert', data: JSON.parse(data) as Alert }

/** As a message that was never kept: its position first. */
const deliveryOf = (channel: KeptChannel, position: Position, text: string): Delivery => {
  const content = contentOf(channel, text)
  return content.type === 'threat'
    ? { type: content.type, position, data: content.data }
    : { type: content.type, position, data: content.data }
}

/** Reads of the history in a database. */
export const createHistoryReads = (database: Database): HistoryReads => {
  const historyState = async (channel: KeptChannel): Promise<HistoryState> => {
    const select = () =>
      database.all(
        `SELECT c.epoch, c.erasures, p.part, p.head, p.forgotten FROM history_channels c
         LEFT JOIN history_partitions p ON p.channel = c.channel AND p.epoch = c.epoch
         WHERE c.channel = ? ORDER BY p.part`,
        channel,
      )
    const found = stateRows.parse(await select())
    if (found.length === 0) await database.transaction(sql => epochOf(sql, channel))
    const rows = found.length === 0 ? stateRows.parse(await select()) : found
    return {
      epoch: rows[0]?.epoch ?? '',
      erasures: rows[0]?.erasures ?? 0,
      partitions: rows.flatMap(({ part, head, forgotten }) =>
        part === null || head === null || forgotten === null ? [] : [{ partition: part, head, forgotten }],
      ),
    }
  }

  const listWhere = async (
    channel: KeptChannel,
    wanted: ReadonlyArray<readonly [string, readonly SqlValue[] | undefined]>,
    limit: number,
  ): Promise<readonly HistoryEntry[]> => {
    const given = wanted.flatMap(([condition, values]) =>
      values === undefined ? [] : [{ condition: `AND ${condition}`, values }],
    )
    const rows = await database.all(
      `SELECT part, place, time, data FROM history
       WHERE channel = ? AND epoch = (SELECT epoch FROM history_channels WHERE channel = ?) AND is_latest = 1
       ${given.map(each => each.condition).join(' ')}
       ORDER BY time DESC, part DESC, place DESC LIMIT ?`,
      channel,
      channel,
      ...given.flatMap(each => each.values),
      limit,
    )
    return entryRows.parse(rows).map(({ part, place, time, data }) => ({
      ...contentOf(channel, data),
      partition: part,
      offset: place,
      time,
    }))
  }

  return {
    historyState,
    readHistory: async ({ channel, epoch, partition, after, limit }) => {
      const rows = entryRows.parse(
        await database.all(
          `SELECT part, place, time, data FROM history
           WHERE channel = ? AND epoch = ? AND part = ? AND place > ? AND data IS NOT NULL
           ORDER BY place LIMIT ?`,
          channel,
          epoch,
          partition,
          after,
          limit,
        ),
      )
      // Looked at after the rows: what has been forgotten by now was perhaps not there to be read.
      const state = await historyState(channel)
      if (state.epoch !== epoch) return 'other-epoch'
      const forgotten = state.partitions.find(each => each.partition === partition)?.forgotten ?? -1
      if (after < forgotten) return 'too-old'
      let previous = after < 0 ? null : after
      return rows.map(({ place, data }) => {
        const position = { partition, offset: place, previous }
        previous = place
        return deliveryOf(channel, position, data)
      })
    },
    listHistory: (channel, filter) => {
      const { entity, minSeverity, minScore, status, from, to, after } = filter
      return listWhere(
        channel,
        [
          ['entity = ?', entity === undefined ? undefined : [entity]],
          ['severity >= ?', minSeverity === undefined ? undefined : [SEVERITIES.indexOf(minSeverity)]],
          ['score >= ?', minScore === undefined ? undefined : [minScore]],
          ['status = ?', status === undefined ? undefined : [status]],
          ['time >= ?', from === undefined ? undefined : [from]],
          ['time < ?', to === undefined ? undefined : [to]],
          [
            '(time, part, place) < (?, ?, ?)',
            after === undefined ? undefined : [after.time, after.partition, after.offset],
          ],
        ],
        filter.limit,
      )
    },
    findHistory: async (channel, id) => (await listWhere(channel, [['id = ?', [id]]], 1))[0],
  }
}
