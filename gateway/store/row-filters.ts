import { z } from 'zod'
import { type FilterExpression, isFilterProblem, parseFilter } from '../../schemas/filter.ts'
import { noteAccessChange } from './access-changes.ts'
import type { Database } from './database.ts'

/** What somebody may see at all, by the id of their principals: a user's, or `key:<id>`. Who has none may see all. */
export interface RowFilterStore {
  /** Null when there is none; one that this release cannot read lets nothing pass. */
  findRowFilter(holder: string): Promise<FilterExpression | null>
  /** Gives somebody a row filter in place of the one they have, or takes it away. */
  setRowFilter(holder: string, filter: FilterExpression | null, now: number): Promise<void>
}

const rows = z.array(z.object({ filter: z.string() }))

/** Nothing is one of no alternatives. */
const NOTHING: FilterExpression = { or: [] }

const read = (text: string): FilterExpression => {
  try {
    const filter = parseFilter(JSON.parse(text), 'rows')
    return isFilterProblem(filter) ? NOTHING : filter
  } catch {
    // Not JSON: nobody knows what was meant, so nothing is shown.
    return NOTHING
  }
}

/** The row filters in a database. */
export const createRowFilterStore = (database: Database): RowFilterStore => ({
  findRowFilter: async holder => {
    const [row] = rows.parse(await database.all('SELECT filter FROM row_filters WHERE holder = ?', holder))
    return row === undefined ? null : read(row.filter)
  },
  setRowFilter: (holder, filter, now) =>
    database.transaction(async sql => {
      await sql.run('DELETE FROM row_filters WHERE holder = ?', holder)
      if (filter !== null) {
        await sql.run(
          'INSERT INTO row_filters (holder, filter) VALUES (?, ?)',
          holder,
          JSON.stringify(filter),
        )
      }
      await noteAccessChange(sql, holder, now)
    }),
})
