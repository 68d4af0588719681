import { z } from 'zod'
import type { Decision } from '../../schemas/generated.ts'
import type { Database, Sql } from './database.ts'

/** A decision as it was made here. */
export interface MadeDecision {
  readonly decision: Decision
  /** Id of the user or key who made it. */
  readonly actor: string
  /** The entity that it concerns: that of the alert, or the one that is suppressed; null where none is named. */
  readonly entity: string | null
}

/** A decision on an alert. */
export interface TriageEntry extends MadeDecision {
  /** The revision that it makes of its alert, unless the alert has grown further by then. */
  readonly revision: number
}

/** A suppression, with its place among the others: later ones have a higher one. */
export interface SuppressionEntry extends MadeDecision {
  readonly place: number
}

/** What an alert is known to be when somebody decides about it. */
export interface Basis {
  /** Latest revision that is known here. */
  readonly known: number
  /** The revision that the person has seen; any when not given. */
  readonly expected?: number | undefined
}

/** What came of a decision; `revision` is the one that the alert has or is about to have. */
export interface TriageResult {
  readonly outcome: 'done' | 'stale'
  readonly revision: number
}

/** A record that `decisions` is to get. */
export interface OutboxEntry {
  readonly place: number
  /** Key of the record. */
  readonly id: string
  /** In ms since 1970 (UTC). */
  readonly at: number
  /** Null takes away what the topic has under this key. */
  readonly decision: Decision | null
}

/** What people decided, and what of it is not published yet. */
export interface DecisionStore {
  /**
   * Keeps a decision on an alert and hands it to publication. It is stale, and nothing is kept, when `expected` is not what
   * the alert has come to by its latest known revision and by what was decided since.
   */
  addTriage(made: MadeDecision & { readonly alertId: string }, basis: Basis): Promise<TriageResult>
  /**
   * Keeps the escalation of an alert and hands it to publication, unless somebody has acknowledged, resolved or escalated it
   * since the revision that opened it; resolves with whether it did.
   */
  addEscalation(
    made: MadeDecision & { readonly alertId: string },
    basis: { readonly known: number; readonly openedRevision: number },
  ): Promise<boolean>
  /** Decisions on an alert, the latest first; those that make a lower revision than `before`. */
  listTriage(
    alertId: string,
    page: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly TriageEntry[]>
  /** Keeps a suppression and hands it to publication. */
  addSuppression(made: MadeDecision): Promise<void>
  /** Suppressions in force, the latest first; those before the place `before`. */
  listSuppressions(
    now: number,
    page: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly SuppressionEntry[]>
  /** Ends a suppression and hands that to publication; resolves with false when none of this id is in force. */
  endSuppression(id: string, now: number): Promise<boolean>
  /**
   * Forgets every decision that concerns an entity, and has them taken off the topic, which ends its suppressions. Resolves
   * with how many there were.
   */
  forgetDecisions(entity: string, now: number): Promise<number>
  /**
   * Forgets up to `limit` decisions from before a time that say nothing any more, and has them taken off the topic:
   * suppressions that are over, and what was decided about alerts that are not in the history any more, but for those that may
   * hold a verdict, which retraining learns from. Resolves with how many it were.
   */
  forgetOldDecisions(before: number, limit: number, now: number): Promise<number>
  /** What is to be published, in the order in which it was decided. */
  unpublishedDecisions(limit: number): Promise<readonly OutboxEntry[]>
  markDecisionsPublished(places: readonly number[]): Promise<void>
}

const content = z.string().transform(text => JSON.parse(text) as Decision)

const triageRows = z.array(
  z
    .object({ content, actor: z.string(), entity: z.string().nullable(), revision: z.number() })
    .transform(({ content: decision, ...row }): TriageEntry => ({ ...row, decision })),
)

const suppressionRows = z.array(
  z
    .object({ content, actor: z.string(), entity: z.string().nullable(), seq: z.number() })
    .transform(
      ({ content: decision, seq: place, ...row }): SuppressionEntry => ({ ...row, decision, place }),
    ),
)

const outboxRows = z.array(
  z
    .object({ seq: z.number(), id: z.string(), at: z.number(), content: content.nullable() })
    .transform(({ seq: place, content: decision, ...row }): OutboxEntry => ({ ...row, place, decision })),
)

const revisionRows = z.array(z.object({ revision: z.number().nullable() }))
const idRows = z.array(z.object({ id: z.string() }))

const LATEST = 9_007_199_254_740_991

const IN_FORCE = "kind = 'suppress' AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"

const publish = (sql: Sql, id: string, at: number, decision: Decision | null) =>
  sql.run(
    'INSERT INTO decision_outbox (id, at, content) VALUES (?, ?, ?)',
    id,
    at,
    decision && JSON.stringify(decision),
  )

const keep = async (sql: Sql, { decision, actor, entity }: MadeDecision, revision: number | null) => {
  const { id, kind, at, alertId, expiresAt } = decision
  await sql.run(
    `INSERT INTO decisions (id, kind, at, actor, alert_id, revision, entity, expires_at, content)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    kind,
    at,
    actor,
    alertId,
    revision,
    entity,
    expiresAt,
    JSON.stringify(decision),
  )
  await publish(sql, id, at, decision)
}

/** Takes decisions that were deleted off the topic; resolves with how many it were. */
const takeBack = async (sql: Sql, deleted: readonly unknown[], now: number): Promise<number> => {
  const ids = idRows.parse(deleted)
  for (const { id } of ids) {
    // What is not published yet never will be: it may tell of an entity that is to be forgotten.
    await sql.run('DELETE FROM decision_outbox WHERE id = ?', id)
    await publish(sql, id, now, null)
  }
  return ids.length
}

/** What an alert has come to by its latest known revision and by what was decided since. */
const currentRevision = async (sql: Sql, alertId: string, known: number): Promise<number> => {
  const rows = await sql.all('SELECT MAX(revision) AS revision FROM decisions WHERE alert_id = ?', alertId)
  return Math.max(known, revisionRows.parse(rows)[0]?.revision ?? 0)
}

/**
 * The decisions in a database. Whatever is handed to publication is so in an exclusive transaction: its place in the outbox
 * is then its place in time, so that nobody who reads the outbox sees a later one before an earlier one.
 */
export const createDecisionStore = (database: Database): DecisionStore => ({
  addTriage: (made, { known, expected }) =>
    database.exclusive(async (sql): Promise<TriageResult> => {
      const current = await currentRevision(sql, made.alertId, known)
      if (expected !== undefined && expected !== current) return { outcome: 'stale', revision: current }
      await keep(sql, made, current + 1)
      return { outcome: 'done', revision: current + 1 }
    }),
  addEscalation: (made, { known, openedRevision }) =>
    database.exclusive(async sql => {
      const attended = await sql.all(
        `SELECT 1 FROM decisions WHERE alert_id = ? AND revision > ?
         AND kind IN ('acknowledge', 'resolve', 'escalate') LIMIT 1`,
        made.alertId,
        openedRevision,
      )
      if (attended.length > 0) return false
      await keep(sql, made, (await currentRevision(sql, made.alertId, known)) + 1)
      return true
    }),
  listTriage: async (alertId, { before = LATEST, limit }) =>
    triageRows.parse(
      await database.all(
        `SELECT content, actor, entity, revision FROM decisions
         WHERE alert_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?`,
        alertId,
        before,
        limit,
      ),
    ),
  addSuppression: made => database.exclusive(sql => keep(sql, made, null)),
  listSuppressions: async (now, { before = LATEST, limit }) =>
    suppressionRows.parse(
      await database.all(
        `SELECT content, actor, entity, seq FROM decisions WHERE ${IN_FORCE} AND seq < ? ORDER BY seq DESC LIMIT ?`,
        now,
        before,
        limit,
      ),
    ),
  endSuppression: (id, now) =>
    database.exclusive(async sql => {
      const ended = await sql.run(
        `UPDATE decisions SET ended_at = ? WHERE ${IN_FORCE} AND id = ?`,
        now,
        now,
        id,
      )
      if (ended > 0) await publish(sql, id, now, null)
      return ended > 0
    }),
  forgetDecisions: (entity, now) =>
    database.exclusive(async sql => {
      const rows = await sql.all('DELETE FROM decisions WHERE entity = ? RETURNING id', entity)
      return takeBack(sql, rows, now)
    }),
  forgetOldDecisions: (before, limit, now) =>
    database.exclusive(async sql => {
      const rows = await sql.all(
        `DELETE FROM decisions WHERE seq IN (
           SELECT seq FROM decisions WHERE at < ? AND (
             kind = 'suppress' AND (ended_at < ? OR expires_at < ?)
             OR kind NOT IN ('suppress', 'resolve', 'verdict') AND NOT EXISTS (
               SELECT 1 FROM history h WHERE h.channel = 'alerts' AND h.id = alert_id AND h.is_latest = 1))
           ORDER BY seq LIMIT ?)
         RETURNING id`,
        before,
        before,
        before,
        limit,
      )
      return takeBack(sql, rows, now)
    }),
  unpublishedDecisions: async limit =>
    outboxRows.parse(
      await database.all('SELECT seq, id, at, content FROM decision_outbox ORDER BY seq LIMIT ?', limit),
    ),
  markDecisionsPublished: async places => {
    const list = places.map(() => '?').join(', ')
    if (places.length > 0) await database.run(`DELETE FROM decision_outbox WHERE seq IN (${list})`, ...places)
  },
})
