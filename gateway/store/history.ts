import { z } from 'zod'
import { SEVERITIES } from '../../schemas/filter.ts'
import type { Content } from '../../schemas/wire.ts'
import type { Database, Sql, SqlValue } from './database.ts'
import { epochOf, renewEpoch } from './history-epochs.ts'
import { createHistoryReads, type HistoryReads, type KeptChannel } from './history-reads.ts'
import { createHistoryUpkeep, type HistoryUpkeep } from './history-upkeep.ts'

/** A threat or an alert on its way into the history. */
export interface HistoryRecord {
  readonly offset: number
  /** The record's timestamp in Kafka; with the id, it tells a record from one of another topic of the same name. */
  readonly stamp: number
  readonly content: Content
  /** What the content carries, as JSON, where it is written already. */
  readonly text?: string
}

/** Records of one partition, in order, at least one. */
export interface HistoryBatch {
  readonly channel: KeptChannel
  readonly partition: number
  readonly records: readonly HistoryRecord[]
  /** In ms since 1970 (UTC). */
  readonly now: number
}

/** Where records came to lie. */
export interface HistoryPlace {
  readonly epoch: string
  /** Offset of the record before the first of them; null when none is known. */
  readonly previous: number | null
}

/**
 * What the gateways delivered, by channel, partition and offset. It is written before it is broadcast, in order, by
 * whichever gateway consumes the partition: up to its head it has no holes.
 */
export interface HistoryStore extends HistoryReads, HistoryUpkeep {
  /**
   * Adds what is not there yet; what comes again changes nothing. When another record was at one of the offsets, the topic
   * was made anew, and the channel begins a new epoch.
   */
  addHistory(batch: HistoryBatch): Promise<HistoryPlace>
}

interface PartitionKey {
  readonly channel: KeptChannel
  readonly epoch: string
  readonly partition: number
}

const partitionRows = z.array(
  z.object({ head: z.number(), forgotten: z.number(), forgotten_stamp: z.number() }),
)
type PartitionRow = z.output<typeof partitionRows>[number]

const placeRows = z.array(
  z.object({ place: z.number(), id: z.string(), stamp: z.number(), data: z.string().nullable() }),
)

const previousRows = z.array(z.object({ place: z.number().nullable() }))

const COLUMNS =
  'channel, epoch, part, place, stamp, added_at, id, time, entity, severity, score, status, is_latest, data'
const ROW = `(${COLUMNS.split(', ')
  .map(() => '?')
  .join(', ')})`

const HERE = 'channel = ? AND epoch = ? AND part = ?'

const valuesOf = ({ channel, epoch, partition }: PartitionKey): readonly SqlValue[] => [
  channel,
  epoch,
  partition,
]

/** Whether records that were added before, by their offsets, are those that lie there now. */
const areThere = async (
  sql: Sql,
  key: PartitionKey,
  row: PartitionRow,
  records: readonly HistoryRecord[],
): Promise<boolean> => {
  const [first, last] = [records[0], records.at(-1)]
  if (first === undefined || last === undefined) return true
  const rows = placeRows.parse(
    await sql.all(
      `SELECT place, id, stamp, data FROM history WHERE ${HERE} AND place BETWEEN ? AND ?`,
      ...valuesOf(key),
      first.offset,
      last.offset,
    ),
  )
  const found = new Map(rows.map(each => [each.place, each]))
  return records.every(({ offset, stamp, content }) => {
    const there = found.get(offset)
    if (there !== undefined)
      return there.stamp === stamp && (there.data === null || there.id === content.data.id)
    return offset <= row.forgotten && stamp <= row.forgotten_stamp
  })
}

const rowOf = (key: PartitionKey, record: HistoryRecord, isLatest: boolean, now: number): SqlValue[] => {
  const { offset, stamp, content, text = JSON.stringify(content.data) } = record
  const { id, entity, severity, score } = content.data
  const [time, status] =
    content.type === 'threat'
      ? [content.data.time, null]
      : [content.data.updatedAt || content.data.lastSeen, content.data.status]
  const rank = SEVERITIES.indexOf(severity)
  return [...valuesOf(key), offset, stamp, now, id, time, entity, rank, score, status, isLatest ? 1 : 0, text]
}

const insert = async (sql: Sql, key: PartitionKey, records: readonly HistoryRecord[], now: number) => {
  const latest = new Map(records.map(({ content, offset }) => [content.data.id, offset]))
  if (key.channel === 'alerts') {
    await sql.run(
      `UPDATE history SET is_latest = 0
       WHERE channel = ? AND epoch = ? AND is_latest = 1 AND id IN (${[...latest].map(() => '?').join(', ')})`,
      key.channel,
      key.epoch,
      ...latest.keys(),
    )
  }
  await sql.run(
    `INSERT INTO history (${COLUMNS}) VALUES ${records.map(() => ROW).join(', ')}`,
    ...records.flatMap(record =>
      rowOf(key, record, latest.get(record.content.data.id) === record.offset, now),
    ),
  )
}

const partitionOf = async (sql: Sql, key: PartitionKey): Promise<PartitionRow | undefined> =>
  partitionRows.parse(
    await sql.all(
      `SELECT head, forgotten, forgotten_stamp FROM history_partitions WHERE ${HERE}`,
      ...valuesOf(key),
    ),
  )[0]

const previousOf = async (sql: Sql, key: PartitionKey, row: PartitionRow | undefined, offset: number) => {
  if (row === undefined || offset > row.head) return row?.head ?? null
  const [found] = previousRows.parse(
    await sql.all(
      `SELECT MAX(place) AS place FROM history WHERE ${HERE} AND place < ?`,
      ...valuesOf(key),
      offset,
    ),
  )
  return found?.place ?? null
}

/** The history in a database. */
export const createHistoryStore = (database: Database): HistoryStore => ({
  ...createHistoryReads(database),
  ...createHistoryUpkeep(database),
  addHistory: ({ channel, partition, records, now }) =>
    database.transaction(async sql => {
      const [first, last] = [records[0], records.at(-1)]
      let key: PartitionKey = { channel, epoch: await epochOf(sql, channel), partition }
      if (first === undefined || last === undefined) return { epoch: key.epoch, previous: null }
      let row = await partitionOf(sql, key)
      const head = row?.head ?? -1
      if (
        row !== undefined &&
        !(await areThere(
          sql,
          key,
          row,
          records.filter(({ offset }) => offset <= head),
        ))
      ) {
        key = { ...key, epoch: await renewEpoch(sql, channel) }
        row = undefined
      }
      const fresh = records.filter(({ offset }) => row === undefined || offset > row.head)
      const previous = await previousOf(sql, key, row, first.offset)
      if (fresh.length > 0) {
        await insert(sql, key, fresh, now)
        await sql.run(
          `INSERT INTO history_partitions (channel, epoch, part, head, forgotten) VALUES (?, ?, ?, ?, -1)
           ON CONFLICT (channel, epoch, part) DO UPDATE SET head = excluded.head`,
          ...valuesOf(key),
          last.offset,
        )
      }
      return { epoch: key.epoch, previous }
    }),
})
