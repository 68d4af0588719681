import { z } from 'zod'
import type { Database, SqlValue } from './database.ts'

/** One security event: who did what to whom, from where, and what came of it. */
export interface AuditEntry {
  /** Ids sort by time. */
  readonly id: string
  /** In ms since 1970 (UTC). */
  readonly at: number
  /** What was tried, such as `login` or `user.update`. */
  readonly event: string
  /** `accepted`, or why it was not. */
  readonly outcome: string
  /** Id of the user or key who did it; null when nobody is known to have. */
  readonly actor: string | null
  /** Whom or what it was done to: a user's id or name, a key's id. */
  readonly subject: string | null
  /** Network address that it came from. */
  readonly address: string | null
  /** Further facts, none of them secret. */
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

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

const detailOf = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

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
    .transform((row): AuditEntry => ({ ...row, detail: detailOf.parse(JSON.parse(row.detail)) })),
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
