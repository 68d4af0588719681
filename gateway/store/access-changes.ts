import { randomUUID } from 'node:crypto'
import type { Sql } from './database.ts'

/** How long a change can be learnt of, in ms: gateways look every few seconds. */
const KEPT_MS = 10 * 60_000

/**
 * Notes, in the transaction that changes it, that what a user may do has changed, so that every gateway looks at that
 * user's open sockets again.
 */
export const noteAccessChange = async (sql: Sql, userId: string, now: number): Promise<void> => {
  await sql.run('DELETE FROM access_changes WHERE changed_at < ?', now - KEPT_MS)
  await sql.run(
    'INSERT INTO access_changes (id, user_id, changed_at) VALUES (?, ?, ?)',
    randomUUID(),
    userId,
    now,
  )
}
