import type { Behaviour } from '../../schemas/generated.ts'
import type { Observation } from '../detector.ts'
import { contactOf, targetOf } from './contacts.ts'
import { placeOf, setText } from './distinct.ts'
import { ABSENT, type Feature, flag } from './feature.ts'
import { DAY_HALF_LIFE_MS, decay, FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS } from './state.ts'
import { logOfCount } from './text.ts'

/** The features of a counter that is kept with half-lives of a minute and an hour, and for some of a day. */
const windows = (name: string, what: string, most: '1h' | '1d' = '1h'): Feature[] => {
  const of = (window: string, halfLife: string): Feature => ({
    name: `${name}_${window}`,
    doc: `ln(1 + ${what} before this event, half-life ${halfLife}).`,
  })
  return [of('1m', '1 min'), of('1h', '1 h'), ...(most === '1d' ? [of('1d', '1 day')] : [])]
}

/** How many of the latest 64 distinct ones are known. */
const known = (name: string, what: string): Feature => ({
  name,
  doc: `ln(1 + distinct ${what} of the entity so far, at most 64).`,
})

/** How the entity behaves: counters as they stand just before the event, decayed to its time; in the order written. */
export const BEHAVIOUR_FEATURES: readonly Feature[] = [
  { name: 'first_seen', doc: '1 for the first event of an entity.' },
  { name: 'gap', doc: "ln(1 + seconds since the entity's latest event)." },
  { name: 'gap_usual', doc: "Moving mean of the entity's gaps, as ln(1 + seconds)." },
  {
    name: 'gap_spread',
    doc: 'Moving mean of how far its gaps are from that mean: near 0 for a machine that keeps time.',
  },
  { name: 'gap_change', doc: 'How far this gap is from the usual one.' },
  {
    name: 'regular_calls',
    doc: 'Calls of this service in a row, this one included, that keep one interval of 10 s or more within 30 %.',
  },
  { name: 'call_interval', doc: 'ln(1 + seconds of the interval between calls of this service).' },
  ...windows('events', 'events', '1d'),
  ...windows('failures', 'failed actions', '1d'),
  ...windows('failed_logins', 'failed logins'),
  { name: 'failure_share', doc: 'Share of failures in its events of late, half-life 1 h.' },
  ...windows('new_ports', 'target ports that were new to it'),
  ...windows('new_hosts', 'targets that were new to it'),
  ...windows('new_users', 'user names that were new to it'),
  ...windows('bytes', 'bytes in both directions'),
  known('known_ports', 'target ports'),
  known('known_hosts', 'targets'),
  known('known_users', 'user names'),
  known('known_types', 'types of event'),
  { name: 'port_is_new', doc: '1 when the entity has not used the port before.' },
  { name: 'host_is_new', doc: '1 when the entity has not used the target before.' },
  { name: 'user_is_new', doc: '1 when the entity has not used the user name before.' },
  { name: 'type_is_new', doc: '1 when the entity has not made an event of this type before.' },
]

/** What is left of a counter, as ln(1 + count). */
const remaining = (count: number, left: number): number => (count > 0 ? Math.log1p(count * left) : 0)

/** 0 when the entity has it in its set, 1 when it is new for it, absent when the event has none. */
const isNew = <T>(set: readonly T[], member: T | null): number =>
  member === null ? ABSENT : flag(placeOf(set, member) < 0)

const isNewText = (set: readonly string[], text: string | null): number =>
  text === null ? ABSENT : isNew(set, setText(text))

/** Writes the counters that are kept of an entity's past, which is `gapMs` old. */
const writePast = (before: Behaviour, gapMs: number, out: Float32Array, from: number): number => {
  const fast = decay(gapMs, FAST_HALF_LIFE_MS)
  const slow = decay(gapMs, SLOW_HALF_LIFE_MS)
  const day = decay(gapMs, DAY_HALF_LIFE_MS)
  let at = from
  out[at++] = remaining(before.events, fast)
  out[at++] = remaining(before.eventsSlow, slow)
  out[at++] = remaining(before.eventsDay, day)
  out[at++] = remaining(before.failures, fast)
  out[at++] = remaining(before.failuresSlow, slow)
  out[at++] = remaining(before.failuresDay, day)
  out[at++] = remaining(before.failedLogins, fast)
  out[at++] = remaining(before.failedLoginsSlow, slow)
  out[at++] = Math.min(1, before.failuresSlow / Math.max(before.eventsSlow, 1e-9))
  out[at++] = remaining(before.newPorts, fast)
  out[at++] = remaining(before.newPortsSlow, slow)
  out[at++] = remaining(before.newHosts, fast)
  out[at++] = remaining(before.newHostsSlow, slow)
  out[at++] = remaining(before.newUsers, fast)
  out[at++] = remaining(before.newUsersSlow, slow)
  out[at++] = remaining(before.bytes, fast)
  out[at++] = remaining(before.bytesSlow, slow)
  out[at++] = logOfCount(before.ports.length)
  out[at++] = logOfCount(before.hosts.length)
  out[at++] = logOfCount(before.users.length)
  out[at++] = logOfCount(before.types.length)
  return at
}

/** How many values {@link writePast} writes, and which of them is absent, not 0, before an entity's first event. */
const PAST = 21
const FAILURE_SHARE = 8
/** What is new to the entity, of which nothing is known before its first event. */
const NOVELTIES = 4

const NO_CONTACTS = [] as const

/** Writes {@link BEHAVIOUR_FEATURES}, in their order, from index `from` on; gives the index behind them. */
export const writeBehaviourFeatures = (
  { event, before }: Observation,
  out: Float32Array,
  from: number,
): number => {
  const gapMs = before === null ? 0 : Math.max(0, event.time - before.lastTime)
  const gap = Math.log1p(gapMs / 1000)
  const contact = contactOf(before?.contacts ?? NO_CONTACTS, event)
  const usual = before?.gapMean ?? ABSENT
  let at = from
  out[at++] = flag(before === null)
  out[at++] = before === null ? ABSENT : gap
  out[at++] = usual
  out[at++] = before === null || usual < 0 ? ABSENT : before.gapSpread
  out[at++] = usual < 0 ? ABSENT : Math.abs(gap - usual)
  out[at++] = contact?.beats ?? ABSENT
  out[at++] = contact === null || contact.gapMs === 0 ? ABSENT : Math.log1p(contact.gapMs / 1000)
  if (before === null) {
    out.fill(0, at, at + PAST)
    out[at + FAILURE_SHARE] = ABSENT
    at += PAST
    out.fill(ABSENT, at, at + NOVELTIES)
    return at + NOVELTIES
  }
  at = writePast(before, gapMs, out, at)
  out[at++] = isNew(before.ports, event.dstPort)
  out[at++] = isNewText(before.hosts, targetOf(event))
  out[at++] = isNewText(before.users, event.user)
  out[at++] = isNewText(before.types, event.type)
  return at
}
