import { z } from 'zod'
import { type AuditEntry, auditDetail } from '../../schemas/audit.ts'
import type { Database, SqlValue } from './database.ts'

/** Which entries are asked for; all of what is given must fit. */
export interface AuditFilter {
  readonly event?: string
  readonly actor?: string
  readonly subject?: string
  /** Only entries before this one, by id. */
  readonly before?: string
  readonly limit: number
}

/** The audit log: written to, read, published, and nothing else. */
export interface AuditStore {
  addAudit(entry: AuditEntry): Promise<void>
  /** Entries, the latest first. */
  listAudit(filter: AuditFilter): Promise<readonly AuditEntry[]>
  /** Entries that have not been published yet, the oldest first. */
  unpublishedAudit(limit: number): Promise<readonly AuditEntry[]>
  markAuditPublished(ids: readonly string[]): Promise<void>
  /** Forgets published entries from before a time, in ms since 1970 (UTC). */
  forgetAudit(before: number): Promise<void>
}

const entryRows = z.array(
  z
    .object({
      id: z.string(),
      at: z.number(),
      event: z.string(),
      outcome: z.string(),
      actor: z.string().nullable(),
      subject: z.string().nullable(),
      address: z.string().nullable(),
      detail: z.string(),
    })
    .transform((row): AuditEntry => ({ ...row, detail: auditDetail.parse(JSON.parse(row.detail)) })),
)

const COLUMNS = 'id, at, event, outcome, actor, subject, address, detail'

/** The audit log in a database. */
export const createAuditStore = (database: Database): AuditStore => ({
  addAudit: async entry => {
    await database.run(
      `INSERT INTO audit (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      entry.id,
      entry.at,
      entry.event,
      entry.outcome,
      entry.actor,
      entry.subject,
      entry.address,
      JSON.stringify(entry.detail),
    )
  },
  listAudit: async ({ event, actor, subject, before, limit }) => {
    const wanted: ReadonlyArray<readonly [string, SqlValue | undefined]> = [
      ['event = ?', event],
      ['actor = ?', actor],
      ['subject = ?', subject],
      ['id < ?', before],
    ]
    const given = wanted.flatMap(([condition, value]) => (value === undefined ? [] : [{ condition, value }]))
    const where = given.length === 0 ? '' : `WHERE ${given.map(each => each.condition).join(' AND ')}`
    return entryRows.parse(
      await database.all(
        `SELECT ${COLUMNS} FROM audit ${where} ORDER BY id DESC LIMIT ?`,
        ...given.map(each => each.value),
        limit,
      ),
    )
  },
  unpublishedAudit: async limit =>
    entryRows.parse(
      await database.all(`SELECT ${COLUMNS} FROM audit WHERE published = 0 ORDER BY id LIMIT ?`, limit),
    ),
  markAuditPublished: async ids => {
    const places = ids.map(() => '?').join(', ')
    if (ids.length > 0) await database.run(`UPDATE audit SET published = 1 WHERE id IN (${places})`, ...ids)
  },
  forgetAudit: async before => {
    await database.run('DELETE FROM audit WHERE published = 1 AND at < ?', before)
  },
})
