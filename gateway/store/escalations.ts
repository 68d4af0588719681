import { z } from 'zod'
import { SEVERITIES } from '../../schemas/filter.ts'
import type { Alert, Severity } from '../../schemas/generated.ts'
import type { Database } from './database.ts'

/** An alert that stands open. */
export interface OpenAlert {
  readonly alert: Alert
  /** The revision by which it was opened, or opened again; the first that is known when that one is not. */
  readonly openedRevision: number
}

/** What escalation looks at. */
export interface EscalationStore {
  /**
   * Alerts of this severity or a worse one that stand open, and that the history has known to be so since before a time, in
   * ms since 1970 (UTC).
   */
  listOpenAlerts(minSeverity: Severity, knownBefore: number): Promise<readonly OpenAlert[]>
}

const alertRows = z.array(z.object({ data: z.string(), added_at: z.number() }))

const parse = (rows: readonly unknown[]) =>
  alertRows.parse(rows).map(({ data, added_at }) => ({ alert: JSON.parse(data) as Alert, addedAt: added_at }))

const HERE = `channel = 'alerts' AND epoch = (SELECT epoch FROM history_channels WHERE channel = 'alerts')`

/** What escalation looks at in a database. */
export const createEscalationStore = (database: Database): EscalationStore => ({
  listOpenAlerts: async (minSeverity, knownBefore) => {
    const open = parse(
      await database.all(
        `SELECT data, added_at FROM history
         WHERE ${HERE} AND is_latest = 1 AND status = 'open' AND severity >= ?`,
        SEVERITIES.indexOf(minSeverity),
      ),
    )
    const found: OpenAlert[] = []
    for (const { alert } of open) {
      const revisions = parse(
        await database.all(
          `SELECT data, added_at FROM history WHERE ${HERE} AND entity = ? AND id = ? ORDER BY place`,
          alert.entity,
          alert.id,
        ),
      )
      const opening =
        revisions.findLast(({ alert: { change } }) => change === 'opened' || change === 'reopened') ??
        revisions[0]
      if (opening === undefined || opening.addedAt >= knownBefore) continue
      found.push({ alert, openedRevision: opening.alert.revision })
    }
    return found
  },
})
