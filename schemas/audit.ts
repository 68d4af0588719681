import { z } from 'zod'

/** One security event, in the store and on the topic `audit`: who did what to whom, from where, and what came of it. */
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

/** The facts of an entry, checked. */
export const auditDetail = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

const auditEntry = z.looseObject({
  id: z.string().min(1),
  at: z.number(),
  event: z.string(),
  outcome: z.string(),
  actor: z.string().nullable(),
  subject: z.string().nullable(),
  address: z.string().nullable(),
  detail: auditDetail,
})

/** The entry in a record of the topic `audit`; undefined when it is none. */
export const parseAuditEntry = (text: string): AuditEntry | undefined => {
  try {
    return auditEntry.safeParse(JSON.parse(text)).data
  } catch {
    // Not JSON is one more way of not being an entry.
    return undefined
  }
}
