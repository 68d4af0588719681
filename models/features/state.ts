import type { Behaviour } from '../../schemas/generated.ts'
import { contactOf, targetOf, withContact } from './contacts.ts'
import { placeOf, setText, withMember } from './distinct.ts'
import type { JudgedEvent } from './event-fields.ts'

/** Half-life of the fast counters, in ms: what the entity does now. */
export const FAST_HALF_LIFE_MS = 60_000

/** Half-life of the slow counters, in ms: what it has been doing of late. */
export const SLOW_HALF_LIFE_MS = 3_600_000

/** Half-life of the slowest counters, in ms: what it is like. */
export const DAY_HALF_LIFE_MS = 86_400_000

/** How much older than its entity's latest event an event must be to say nothing of the hour: of its weight 2^-24 is left. */
export const STALE_MS = 24 * SLOW_HALF_LIFE_MS

/** So many stale events in a row say that the clock which made the latest time was wrong, and not theirs. */
export const STALE_EVENTS = 4

/** What is left of a weight of 1 after `ms`, by exponential decay with this half-life; 1 at 0, never negative. */
export const decay = (ms: number, halfLifeMs: number): number =>
  ms === 0 ? 1 : Math.exp((-Math.LN2 * ms) / halfLifeMs)

/** Whether an event is a login that was refused. */
const isFailedLogin = ({ category, outcome }: JudgedEvent): boolean =>
  outcome === 'failure' && category === 'authentication'

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
  eventsDay: 0,
  failuresDay: 0,
  failedLogins: 0,
  failedLoginsSlow: 0,
  newPorts: 0,
  newPortsSlow: 0,
  newHosts: 0,
  newHostsSlow: 0,
  newUsers: 0,
  newUsersSlow: 0,
  bytes: 0,
  bytesSlow: 0,
  gapMean: -1,
  gapSpread: 0,
  contacts: [],
}

const bytesOf = ({ bytesIn, bytesOut }: JudgedEvent): number =>
  Math.max(0, bytesIn ?? 0) + Math.max(0, bytesOut ?? 0)

/** Where a set holds what an event has, -1 where that is new to it; an event that has nothing brings nothing new. */
const placeIn = <T>(set: readonly T[], member: T | null): number =>
  member === null ? set.length : placeOf(set, member)

const withMaybe = <T>(set: readonly T[], member: T | null, at: number): readonly T[] =>
  member === null ? set : withMember(set, member, at)

/** Weight of the latest gap in the mean of gaps and in their spread. */
const LATEST_GAP = 1 / 8

/** The gaps of an entity with one more, of `ms`. */
const withGap = (past: Pick<Behaviour, 'gapMean' | 'gapSpread'>, ms: number) => {
  const gap = Math.log1p(ms / 1000)
  if (past.gapMean < 0) return { gapMean: Math.fround(gap), gapSpread: 0 }
  const away = gap - past.gapMean
  return {
    gapMean: Math.fround(past.gapMean + away * LATEST_GAP),
    gapSpread: Math.fround(past.gapSpread + (Math.abs(away) - past.gapSpread) * LATEST_GAP),
  }
}

/**
 * The behaviour of an entity after one more of its events. Pure: the same past and event give the same result to the
 * bit, and `before` is not changed. What the changelog keeps as float32 is rounded to it here, so that a restart changes
 * nothing.
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
  const day = decay(sinceMs, DAY_HALF_LIFE_MS)
  const weight = decay(lateMs, FAST_HALF_LIFE_MS)
  const weightSlow = decay(lateMs, SLOW_HALF_LIFE_MS)
  const weightDay = decay(lateMs, DAY_HALF_LIFE_MS)

  const target = targetOf(event)
  const host = target === null ? null : setText(target)
  const user = event.user === null ? null : setText(event.user)
  const failed = event.outcome === 'failure' ? 1 : 0
  const failedLogin = isFailedLogin(event) ? 1 : 0
  const type = setText(event.type)
  const port = event.dstPort
  const portAt = placeIn(past.ports, port)
  const hostAt = placeIn(past.hosts, host)
  const userAt = placeIn(past.users, user)
  const newPort = portAt < 0 ? 1 : 0
  const newHost = hostAt < 0 ? 1 : 0
  const newUser = userAt < 0 ? 1 : 0
  const bytes = bytesOf(event)
  const gaps = before === null || elapsed < 0 || wrong ? past : withGap(past, sinceMs)
  const { fround } = Math
  return {
    firstTime: past.firstTime,
    lastTime: Math.max(lastTime, event.time),
    events: past.events * fast + weight,
    failures: past.failures * fast + weight * failed,
    eventsSlow: past.eventsSlow * slow + weightSlow,
    failuresSlow: past.failuresSlow * slow + weightSlow * failed,
    ports: withMaybe(past.ports, port, portAt),
    hosts: withMaybe(past.hosts, host, hostAt),
    users: withMaybe(past.users, user, userAt),
    types: withMember(past.types, type, placeOf(past.types, type)),
    behind: wrong ? 0 : behind,
    // Only what keeps windows knows which rows to keep: see recent.ts.
    recent: null,
    eventsDay: fround(past.eventsDay * day + weightDay),
    failuresDay: fround(past.failuresDay * day + weightDay * failed),
    failedLogins: fround(past.failedLogins * fast + weight * failedLogin),
    failedLoginsSlow: fround(past.failedLoginsSlow * slow + weightSlow * failedLogin),
    newPorts: fround(past.newPorts * fast + weight * newPort),
    newPortsSlow: fround(past.newPortsSlow * slow + weightSlow * newPort),
    newHosts: fround(past.newHosts * fast + weight * newHost),
    newHostsSlow: fround(past.newHostsSlow * slow + weightSlow * newHost),
    newUsers: fround(past.newUsers * fast + weight * newUser),
    newUsersSlow: fround(past.newUsersSlow * slow + weightSlow * newUser),
    bytes: fround(past.bytes * fast + weight * bytes),
    bytesSlow: fround(past.bytesSlow * slow + weightSlow * bytes),
    gapMean: gaps.gapMean,
    gapSpread: gaps.gapSpread,
    contacts: withContact(past.contacts, contactOf(past.contacts, event)),
  }
}
