import { z } from 'zod'
import { SEVERITIES } from '../../schemas/filter.ts'
import type { Alert, Severity } from '../../schemas/generated.ts'
import type { Database } from './database.ts'

/** An alert that stands open. */
export interface OpenAlert {
  readonly alert: Alert
  /** The revision by which it was opened, or opened again; the first that is known when that one is not. */
  readonly openedRevision: number
  /** When that one was written to the history, in ms since 1970 (UTC). */
  readonly knownSince: number
}

/** What escalation looks at. */
export interface EscalationStore {
  /** Alerts of this severity or a worse one that stand open. */
  listOpenAlerts(minSeverity: Severity): Promise<readonly Pick<Alert, 'id' | 'entity'>[]>
  /** One of them, when it still is. */
  findOpenAlert(alert: Pick<Alert, 'id' | 'entity'>): Promise<OpenAlert | undefined>
}

const idRows = z.array(z.object({ id: z.string(), entity: z.string() }))

const alertRows = z.array(
  z
    .object({ data: z.string(), added_at: z.number() })
    .transform(({ data, added_at }) => ({ alert: JSON.parse(data) as Alert, addedAt: added_at })),
)

const HERE = `channel = 'alerts' AND epoch = (SELECT epoch FROM history_channels WHERE channel = 'alerts')`

/** What escalation looks at in a database. */
export const createEscalationStore = (database: Database): EscalationStore => ({
  listOpenAlerts: async minSeverity =>
    idRows.parse(
      await database.all(
        `SELECT id, entity FROM history WHERE ${HERE} AND is_latest = 1 AND status = 'open' AND severity >= ?`,
        SEVERITIES.indexOf(minSeverity),
      ),
    ),
  findOpenAlert: async ({ id, entity }) => {
    const revisions = alertRows.parse(
      await database.all(
        `SELECT data, added_at FROM history WHERE ${HERE} AND entity = ? AND id = ? ORDER BY place`,
        entity,
        id,
      ),
    )
    const opening =
      revisions.findLast(({ alert: { change } }) => change === 'opened' || change === 'reopened') ??
      revisions[0]
    const alert = revisions.at(-1)?.alert
    if (opening === undefined || alert?.status !== 'open') return undefined
    return { alert, openedRevision: opening.alert.revision, knownSince: opening.addedAt }
  },
})
