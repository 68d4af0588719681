import type { Behaviour } from '../../schemas/generated.ts'
import { targetOf } from './contacts.ts'
import { setText } from './distinct.ts'
import { ABSENT, type Feature, flag, type View } from './feature.ts'
import { logOfCount } from './text.ts'

/** Counters of {@link Behaviour}. */
type Counter = {
  [K in keyof Behaviour]: Behaviour[K] extends number ? K : never
}[keyof Behaviour]

/** What is left of a counter at the event's time; before its first event an entity has done nothing. */
const remaining = ({ before }: View, counter: Counter, left: number): number => {
  const count = before === null ? 0 : before[counter]
  return count > 0 ? Math.log1p(count * left) : 0
}

/** The features of a counter that is kept with half-lives of a minute and an hour, and for some of a day. */
const windows = (name: string, what: string, fast: Counter, slow: Counter, day?: Counter): Feature[] => {
  const doc = (halfLife: string) => `ln(1 + ${what} before this event, half-life ${halfLife}).`
  return [
    { name: `${name}_1m`, doc: doc('1 min'), of: view => remaining(view, fast, view.fast) },
    { name: `${name}_1h`, doc: doc('1 h'), of: view => remaining(view, slow, view.slow) },
    ...(day === undefined
      ? []
      : [{ name: `${name}_1d`, doc: doc('1 day'), of: (view: View) => remaining(view, day, view.day) }]),
  ]
}

/** How many of the latest 64 distinct ones are known. */
const known = (name: string, what: string, set: 'ports' | 'hosts' | 'users' | 'types'): Feature => ({
  name,
  doc: `ln(1 + distinct ${what} of the entity so far, at most 64).`,
  of: ({ before }) => logOfCount(before?.[set].length ?? 0),
})

/** 0 when the entity has it in its set, 1 when it is new for it, absent when the event has none or is the first. */
const isNew = <T>(set: readonly T[] | undefined, member: T | null): number =>
  set === undefined || member === null ? ABSENT : flag(set.lastIndexOf(member) < 0)

const textOrNull = (text: string | null): string | null => (text === null ? null : setText(text))

/** How far the gap before the event is from the entity's usual one, in the unit of `gap`. */
const gapChange = ({ before, gapMs }: View): number =>
  before === null || gapMs === null || before.gapMean < 0
    ? ABSENT
    : Math.abs(Math.log1p(gapMs / 1000) - before.gapMean)

/** How the entity behaves: counters as they stand just before the event, decayed to its time. */
export const BEHAVIOUR_FEATURES: readonly Feature[] = [
  { name: 'first_seen', doc: '1 for the first event of an entity.', of: v => flag(v.before === null) },
  {
    name: 'gap',
    doc: "ln(1 + seconds since the entity's latest event).",
    of: v => (v.gapMs === null ? ABSENT : Math.log1p(v.gapMs / 1000)),
  },
  {
    name: 'gap_usual',
    doc: "Moving mean of the entity's gaps, as ln(1 + seconds).",
    of: v => v.before?.gapMean ?? ABSENT,
  },
  {
    name: 'gap_spread',
    doc: 'Moving mean of how far its gaps are from that mean: near 0 for a machine that keeps time.',
    of: v => (v.before === null || v.before.gapMean < 0 ? ABSENT : v.before.gapSpread),
  },
  { name: 'gap_change', doc: 'How far this gap is from the usual one.', of: gapChange },
  {
    name: 'regular_calls',
    doc: 'Calls of this service in a row, this one included, that keep one interval of 10 s or more within 30 %.',
    of: v => v.contact?.beats ?? ABSENT,
  },
  {
    name: 'call_interval',
    doc: 'ln(1 + seconds of the interval between calls of this service).',
    of: v => (v.contact === null || v.contact.gapMs === 0 ? ABSENT : Math.log1p(v.contact.gapMs / 1000)),
  },
  ...windows('events', 'events', 'events', 'eventsSlow', 'eventsDay'),
  ...windows('failures', 'failed actions', 'failures', 'failuresSlow', 'failuresDay'),
  ...windows('failed_logins', 'failed logins', 'failedLogins', 'failedLoginsSlow'),
  {
    name: 'failure_share',
    doc: 'Share of failures in its events of late, half-life 1 h.',
    of: ({ before }) =>
      before === null ? ABSENT : Math.min(1, before.failuresSlow / Math.max(before.eventsSlow, 1e-9)),
  },
  ...windows('new_ports', 'target ports that were new to it', 'newPorts', 'newPortsSlow'),
  ...windows('new_hosts', 'targets that were new to it', 'newHosts', 'newHostsSlow'),
  ...windows('new_users', 'user names that were new to it', 'newUsers', 'newUsersSlow'),
  ...windows('bytes', 'bytes in both directions', 'bytes', 'bytesSlow'),
  known('known_ports', 'target ports', 'ports'),
  known('known_hosts', 'targets', 'hosts'),
  known('known_users', 'user names', 'users'),
  known('known_types', 'types of event', 'types'),
  {
    name: 'port_is_new',
    doc: '1 when the entity has not used the port before.',
    of: v => isNew(v.before?.ports, v.event.dstPort),
  },
  {
    name: 'host_is_new',
    doc: '1 when the entity has not used the target before.',
    of: v => isNew(v.before?.hosts, textOrNull(targetOf(v.event))),
  },
  {
    name: 'user_is_new',
    doc: '1 when the entity has not used the user name before.',
    of: v => isNew(v.before?.users, textOrNull(v.event.user)),
  },
  {
    name: 'type_is_new',
    doc: '1 when the entity has not made an event of this type before.',
    of: v => isNew(v.before?.types, setText(v.event.type)),
  },
]
