import type { Behaviour } from '../../schemas/generated.ts'
import type { JudgedEvent } from './event-fields.ts'

/** Half-life of the fast counters, in ms: what the entity does now. */
export const FAST_HALF_LIFE_MS = 60_000

/** Half-life of the slow counters, in ms: what it has been doing of late. */
export const SLOW_HALF_LIFE_MS = 3_600_000

/** How much older than its entity's latest event an event must be to say nothing of now: of its weight 2^-24 is left. */
export const STALE_MS = 24 * SLOW_HALF_LIFE_MS

/** So many stale events in a row say that the clock which made the latest time was wrong, and not theirs. */
export const STALE_EVENTS = 4

/** Most members that a distinct set of {@link Behaviour} holds. */
export const SET_LIMIT = 64

/** Most UTF-16 units that are kept of a text in a set: the state of an entity stays small whatever it sends. */
export const TEXT_LIMIT = 128

/** What is left of a weight of 1 after `ms`, by exponential decay with this half-life; 1 at 0, never negative. */
export const decay = (ms: number, halfLifeMs: number): number =>
  ms === 0 ? 1 : Math.exp((-Math.LN2 * ms) / halfLifeMs)

/** The target of an event: its address, else its host name. */
const targetOf = (event: JudgedEvent): string | null => event.dstIp ?? event.dstHost

/**
 * The form in which a text is kept in a set. A cut must not leave half a surrogate pair, which would come back from the
 * changelog as another character and make a restart change the state.
 */
export const setText = (text: string): string => {
  if (text.length <= TEXT_LIMIT) return text.toWellFormed()
  // Copied, since in V8 a slice holds on to all of the text that it was cut from.
  return Buffer.from(text.slice(0, TEXT_LIMIT).toWellFormed()).toString()
}

const withMember = <T>(set: readonly T[], member: T | null): readonly T[] => {
  if (member === null) return set
  const last = set.length - 1
  // Most likely it is the latest one, or has been here not long ago.
  const at = set.lastIndexOf(member)
  if (at >= 0 && at === last) return set
  const next = at < 0 && set.length >= SET_LIMIT ? set.slice(set.length - SET_LIMIT + 1) : set.slice()
  if (at < 0) {
    next.push(member)
    return next
  }
  for (let i = at; i < last; i++) next[i] = next[i + 1] as T
  next[last] = member
  return next
}

const EMPTY: Omit<Behaviour, 'firstTime' | 'lastTime'> = {
  events: 0,
  failures: 0,
  eventsSlow: 0,
  failuresSlow: 0,
  ports: [],
  hosts: [],
  users: [],
  types: [],
  behind: 0,
  recent: null,
}

/**
 * The behaviour of an entity after one more of its events. Pure: the same past and event give the same result to the
 * bit, and `before` is not changed.
 *
 * Counters decay on the entity's own event time (forward decay is Cormode et al., ICDE 2009; here the state is brought
 * to each new time). An event older than the latest one does not move time backwards: it counts with the weight that it
 * would have had by now. So a wrong clock harms the counters of one entity and nothing else; and not for ever, because
 * after {@link STALE_EVENTS} events in a row that are over {@link STALE_MS} older the counters are taken to stand at their
 * time instead. `docs/entity-state.md` defines all of it.
 */
export const advance = (before: Behaviour | null, event: JudgedEvent): Behaviour => {
  const past = before ?? { ...EMPTY, firstTime: event.time, lastTime: event.time }
  const behind = past.lastTime - event.time > STALE_MS ? past.behind + 1 : 0
  const wrong = behind === STALE_EVENTS
  const lastTime = wrong ? event.time : past.lastTime
  const elapsed = event.time - lastTime
  const sinceMs = Math.max(0, elapsed)
  const lateMs = Math.max(0, -elapsed)
  const fast = decay(sinceMs, FAST_HALF_LIFE_MS)
  const slow = decay(sinceMs, SLOW_HALF_LIFE_MS)
  const weight = decay(lateMs, FAST_HALF_LIFE_MS)
  const weightSlow = decay(lateMs, SLOW_HALF_LIFE_MS)
  const failed = event.outcome === 'failure' ? 1 : 0
  const host = targetOf(event)
  return {
    firstTime: past.firstTime,
    lastTime: Math.max(lastTime, event.time),
    events: past.events * fast + weight,
    failures: past.failures * fast + weight * failed,
    eventsSlow: past.eventsSlow * slow + weightSlow,
    failuresSlow: past.failuresSlow * slow + weightSlow * failed,
    ports: withMember(past.ports, event.dstPort),
    hosts: withMember(past.hosts, host === null ? null : setText(host)),
    users: withMember(past.users, event.user === null ? null : setText(event.user)),
    types: withMember(past.types, setText(event.type)),
    behind: wrong ? 0 : behind,
    // Only what keeps windows knows which rows to keep: see recent.ts.
    recent: null,
  }
}
