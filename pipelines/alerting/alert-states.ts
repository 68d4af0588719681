import { isDeepStrictEqual } from 'node:util'
import type { RuleSet } from '../../models/rules/rule-set.ts'
import type { AlertRecord, AlertState, Decision, Window } from '../../schemas/generated.ts'
import { closeAlert, isUnderWay, type Moment } from './alert.ts'
import { createBoundedStates, type StatesView } from './bounded-states.ts'
import { compileSuppression, type Suppression } from './decision.ts'

/** Key of the changelog record that holds the time of the partition. */
const TIME_KEY = 'partition:time'

/** Most suppressions that are kept; the one made first goes beyond it. */
const MOST_SUPPRESSIONS = 10_000

/**
 * Furthest that one record moves the time of the partition, in ms. A record stamped years ahead by a producer's clock
 * then ends the alerts of its partition early and delays the ends of later ones, for a day at the most.
 */
const LONGEST_STEP_MS = 24 * 3_600_000

/** How alerts end. */
export interface AlertTimes {
  readonly quietMs: number
  readonly reopenMs: number
  readonly rules: RuleSet
}

/** What a batch sees of its partition, and changes. Windows and alerts are by group. */
export interface PartitionView {
  readonly windows: StatesView<Window>
  readonly alerts: StatesView<AlertRecord>
  /** The suppressions that may be about an entity: all others name another one. */
  suppressionsOf(entity: string): readonly Suppression[]
  /** Time of the partition, in ms since 1970 (UTC): how far the timestamps of its threats have come. 0 before the first. */
  time(): number
  /** Moves the time to a record's timestamp; it never goes back. Gives the alerts that ended by that, in order. */
  moveTo(timestamp: number): AlertRecord[]
  /** Keeps an alert. Gives those that closed because there are too many. */
  setAlert(group: string, record: AlertRecord, moment: Moment): AlertRecord[]
  /** Keeps a suppression; nothing changes when it is there as it is. */
  suppress(suppression: Suppression): void
  /** Removes the suppression that a decision made, if it is there. */
  lift(decisionId: string): void
  /** What the batch changes, for the changelog: null where the key is removed. */
  changes(): [key: string, state: AlertState | null][]
  commit(): void
}

const state = (id: string, rest: Partial<AlertState>): AlertState => ({
  id,
  window: null,
  alert: null,
  suppression: null,
  time: null,
  ...rest,
})

/** Suppressions by the entity that they name; under null those that name none. */
const byEntity = (
  suppressions: StatesView<Suppression>,
): ReadonlyMap<string | null, readonly Suppression[]> =>
  Map.groupBy(
    [...suppressions.entries()].map(([, suppression]) => suppression),
    ({ decision }) => decision.entity,
  )

/** Makes the state of one partition, empty. */
export const createAlertStates = (
  options: AlertTimes & { readonly maxGroups: number; readonly maxAlerts: number },
) => {
  const { quietMs, reopenMs, rules } = options
  const timespans = new Map(rules.correlations.map(({ id, timespanMs }) => [id, timespanMs]))
  const windows = createBoundedStates<Window>(options.maxGroups)
  const alerts = createBoundedStates<AlertRecord>(options.maxAlerts)
  const suppressions = createBoundedStates<Suppression>(MOST_SUPPRESSIONS)
  let committedTime = 0
  /** No state ends before this time of the partition; a bound, so that most threats need no look at all the alerts. */
  let committedBound = 0
  /** Undefined when it has to be made anew. */
  let committedIndex: ReturnType<typeof byEntity> | undefined

  /** When an alert closes, or when one that has ended is forgotten. */
  const endOf = (record: AlertRecord): number =>
    record.quietSince +
    (isUnderWay(record) ? Math.max(quietMs, timespans.get(record.alert.rule) ?? 0) : reopenMs)

  /** When nothing can be covered any more: no record is stamped so much earlier than one before it. */
  const endOfSuppression = ({ expiresAt }: Decision): number =>
    expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt + LONGEST_STEP_MS

  const view = (): PartitionView => {
    const own = { windows: windows.view(), alerts: alerts.view(), suppressions: suppressions.view() }
    let time = committedTime
    let bound = committedBound
    let index = committedIndex

    const suppressionsOf = (entity: string): readonly Suppression[] => {
      index ??= byEntity(own.suppressions)
      return [...(index.get(null) ?? []), ...(index.get(entity) ?? [])]
    }

    const lift = (decisionId: string) => {
      own.suppressions.delete(decisionId)
      index = undefined
    }

    const setAlert = (group: string, record: AlertRecord, moment: Moment): AlertRecord[] => {
      bound = Math.min(bound, endOf(record))
      const evicted = own.alerts.set(group, record)
      return evicted
        .map(([, each]) => each)
        .filter(isUnderWay)
        .map(each => closeAlert(each, time, moment))
    }

    /** Ends what is due; an alert that closes may be due to be forgotten at once. */
    const endDue = (moment: Moment): AlertRecord[] => {
      const due = [...own.alerts.entries()]
        .map(([group, record]) => ({ group, record, end: endOf(record) }))
        .filter(({ end }) => end <= time)
        .toSorted((a, b) => a.end - b.end)
      const closed: AlertRecord[] = []
      for (const { group, record, end } of due) {
        own.alerts.delete(group)
        if (!isUnderWay(record)) continue
        const ended = closeAlert(record, end, moment)
        closed.push(ended)
        if (endOf(ended) > time) own.alerts.set(group, ended)
      }
      const expired = [...own.suppressions.entries()].filter(
        ([, { decision }]) => endOfSuppression(decision) <= time,
      )
      for (const [id] of expired) lift(id)
      bound = Number.POSITIVE_INFINITY
      for (const [, record] of own.alerts.entries()) bound = Math.min(bound, endOf(record))
      for (const [, { decision }] of own.suppressions.entries()) {
        bound = Math.min(bound, endOfSuppression(decision))
      }
      return closed
    }

    return {
      windows: own.windows,
      alerts: own.alerts,
      suppressionsOf,
      time: () => time,
      moveTo: timestamp => {
        time = time === 0 ? timestamp : Math.max(time, Math.min(timestamp, time + LONGEST_STEP_MS))
        return time < bound ? [] : endDue({ timestamp, time })
      },
      setAlert,
      suppress: suppression => {
        const { decision } = suppression
        const before = own.suppressions.get(decision.id)
        if (before !== null && isDeepStrictEqual({ ...before.decision }, { ...decision })) return
        bound = Math.min(bound, endOfSuppression(decision))
        own.suppressions.set(decision.id, suppression)
        index = undefined
      },
      lift,
      changes: () => [
        ...own.windows.changes().map(([group, window]): [string, AlertState | null] => {
          const id = `window:${group}`
          return [id, window && state(id, { window })]
        }),
        ...own.alerts.changes().map(([group, alert]): [string, AlertState | null] => {
          const id = `alert:${group}`
          return [id, alert && state(id, { alert })]
        }),
        ...own.suppressions.changes().map(([decision, suppression]): [string, AlertState | null] => {
          const id = `suppression:${decision}`
          return [id, suppression && state(id, { suppression: suppression.decision })]
        }),
        ...(time === committedTime ? [] : [[TIME_KEY, state(TIME_KEY, { time })] as [string, AlertState]]),
      ],
      commit: () => {
        own.windows.commit()
        own.alerts.commit()
        own.suppressions.commit()
        committedTime = time
        committedBound = bound
        committedIndex = index
      },
    }
  }

  return {
    view,
    /** Takes one record of the changelog, in log order. False when it holds nothing of what its key says. */
    restore: (key: string, value: AlertState | null): boolean => {
      const at = key.indexOf(':')
      const [kind, of] = [key.slice(0, at), key.slice(at + 1)]
      if (key === TIME_KEY) committedTime = value?.time ?? 0
      else if (kind === 'window') windows.restore(of, value?.window ?? null)
      else if (kind === 'alert') alerts.restore(of, value?.alert ?? null)
      else if (kind === 'suppression') {
        const decision = value?.suppression ?? null
        suppressions.restore(of, decision && compileSuppression(decision))
        committedIndex = undefined
      } else return false
      return (
        value === null ||
        [value.window, value.alert, value.suppression, value.time].some(each => each !== null)
      )
    },
  }
}
