import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Sql } from './database.ts'

const EPOCH_BYTES = 6

const epochRows = z.array(z.object({ epoch: z.string() }))

const newEpoch = (): string => randomBytes(EPOCH_BYTES).toString('base64url')

/** The epoch of a channel, which nobody else changes until the transaction ends; the first one begins here. */
export const epochOf = async (sql: Sql, channel: string): Promise<string> => {
  const [row] = epochRows.parse(
    await sql.all(
      `INSERT INTO history_channels (channel, epoch) VALUES (?, ?)
       ON CONFLICT (channel) DO UPDATE SET epoch = history_channels.epoch RETURNING epoch`,
      channel,
      newEpoch(),
    ),
  )
  if (row === undefined) throw new Error(`the channel ${channel} has no epoch`)
  return row.epoch
}

/** Begins another epoch of a channel. */
export const renewEpoch = async (sql: Sql, channel: string): Promise<string> => {
  const epoch = newEpoch()
  await sql.run('UPDATE history_channels SET epoch = ? WHERE channel = ?', epoch, channel)
  return epoch
}
