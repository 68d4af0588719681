import { z } from 'zod'
import type { Database } from './database.ts'

/** What keeps the history small, and clean. */
export interface HistoryUpkeep {
  /**
   * Forgets up to `limit` records of each partition that were added before a time, in ms since 1970 (UTC), and up to as
   * many of each one of a past epoch. Resolves with how many it were.
   */
  forgetHistory(before: number, limit: number): Promise<number>
  /**
   * Removes up to `limit` records about an entity; resolves with how many it were. Their places stay, and every gateway
   * sees by {@link HistoryState.erasures} that what it holds in memory may not be there any more.
   */
  eraseFromHistory(entity: string, limit: number): Promise<number>
}

const partitionRows = z.array(
  z.object({ channel: z.string(), epoch: z.string(), part: z.number(), is_past: z.number() }),
)
type Partition = z.output<typeof partitionRows>[number]

const oldestRows = z.array(z.object({ place: z.number(), stamp: z.number(), added_at: z.number() }))

const HERE = 'channel = ? AND epoch = ? AND part = ?'

/** Upkeep of the history in a database. */
export const createHistoryUpkeep = (database: Database): HistoryUpkeep => {
  const forget = ({ channel, epoch, part, is_past }: Partition, before: number, limit: number) =>
    database.transaction(async sql => {
      const oldest = oldestRows.parse(
        await sql.all(
          `SELECT place, stamp, added_at FROM history WHERE ${HERE} ORDER BY place LIMIT ?`,
          channel,
          epoch,
          part,
          limit,
        ),
      )
      if (is_past === 1 && oldest.length === 0) {
        await sql.run(`DELETE FROM history_partitions WHERE ${HERE}`, channel, epoch, part)
      }
      const firstKept = is_past === 1 ? -1 : oldest.findIndex(({ added_at }) => added_at >= before)
      const gone = firstKept === -1 ? oldest : oldest.slice(0, firstKept)
      const last = gone.at(-1)
      if (last === undefined) return 0
      const stamp = Math.max(...gone.map(each => each.stamp))
      await sql.run(`DELETE FROM history WHERE ${HERE} AND place <= ?`, channel, epoch, part, last.place)
      await sql.run(
        `UPDATE history_partitions SET forgotten = ?,
           forgotten_stamp = CASE WHEN forgotten_stamp > ? THEN forgotten_stamp ELSE ? END
         WHERE ${HERE} AND forgotten < ?`,
        last.place,
        stamp,
        stamp,
        channel,
        epoch,
        part,
        last.place,
      )
      return gone.length
    })

  return {
    forgetHistory: async (before, limit) => {
      const partitions = partitionRows.parse(
        await database.all(
          `SELECT p.channel, p.epoch, p.part, CASE WHEN p.epoch = c.epoch THEN 0 ELSE 1 END AS is_past
           FROM history_partitions p JOIN history_channels c ON c.channel = p.channel`,
        ),
      )
      let count = 0
      for (const partition of partitions) count += await forget(partition, before, limit)
      return count
    },
    eraseFromHistory: (entity, limit) =>
      database.transaction(async sql => {
        // The channels first, as whoever adds does, so that neither waits for the other.
        await sql.run('UPDATE history_channels SET erasures = erasures + 1')
        return sql.run(
          `UPDATE history SET data = NULL, id = '', entity = '', is_latest = 0
           WHERE (channel, epoch, part, place) IN
             (SELECT channel, epoch, part, place FROM history WHERE entity = ? LIMIT ?)`,
          entity,
          limit,
        )
      }),
  }
}
