import type { Groups } from '../../models/rules/correlate.ts'
import type { Window } from '../../schemas/generated.ts'

/** Groups in memory, none of which has an alert under way unless it is in `underWay`. */
export const createGroups = (
  underWay: ReadonlySet<string> = new Set(),
): Groups & {
  readonly windows: ReadonlyMap<string, Window>
} => {
  const windows = new Map<string, Window>()
  return {
    windows,
    isUnderWay: group => underWay.has(group),
    isSuppressed: () => false,
    window: group => windows.get(group) ?? null,
    setWindow: (group, window) => {
      if (window === null) windows.delete(group)
      else windows.set(group, window)
    },
  }
}
