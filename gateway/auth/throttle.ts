import { isSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'

/** Who tries to log in. */
export interface Attempt {
  /** Folded username. */
  readonly account: string
  /** Network address of the client. */
  readonly address: string
}

/**
 * What becomes of an attempt: it may be looked at; or not, because of this account or this address; or not, because there
 * have been too many failures of all accounts together, which says nothing of this one.
 */
export type Admission = 'admitted' | 'throttled' | 'busy'

/**
 * Slows down guessing. An attempt counts as a failure from the moment it is admitted until it is known to be none, so
 * that guesses made at the same time are counted too. Implementations count in Redis, for all gateways, or in memory.
 */
export interface LoginThrottle {
  /** Whether the attempt may be looked at; if so, it is counted. */
  admit(attempt: Attempt): Promise<Admission>
  /** The attempt was good: the account's failures from this address are forgotten. */
  succeeded(attempt: Attempt): Promise<void>
  /** The attempt was not looked at after all: it does not count. */
  withdrawn(attempt: Attempt): Promise<void>
}

/** One way of counting failures together. */
export interface ThrottleRule {
  /** Failures that have no consequence. */
  readonly free: number
  /** Longest lock, in ms; the first one is a second, and each further failure doubles it. */
  readonly maxLockMs: number
  readonly refusal: Exclude<Admission, 'admitted'>
  /** What is counted together; `now` is in ms since 1970 (UTC). */
  keyOf(attempt: Attempt, now: number): string
}

/** How many failures have no consequence, by what is counted. */
export interface ThrottleLimits {
  /** Of an account from one address, of an account, and of an address, within an hour. */
  readonly pair: number
  readonly account: number
  readonly address: number
  /** Of all accounts together, within a minute. */
  readonly overall: number
}

const MINUTE_MS = 60_000
const LONG_LOCK_MS = 15 * MINUTE_MS
const ACCOUNT_LOCK_MS = 30_000

/** How long a lock is at first, and after how long without one failures are forgotten, in ms. */
export const FIRST_LOCK_MS = 1_000
export const FORGET_AFTER_MS = 60 * MINUTE_MS

const MAX_ENTRIES = 50_000

/** Limits while all gateways count together, but for the overall one, which is a setting. */
export const SHARED_LIMITS = { pair: 5, account: 25, address: 50 } as const

/** Limits while each gateway counts for itself, because Redis is away: fewer, since there may be several gateways. */
export const LOCAL_LIMITS: ThrottleLimits = { pair: 2, account: 6, address: 10, overall: 30 }

/**
 * The rules, the account's own from one address first. An attacker can lock an account only for their own address for
 * long: from elsewhere its owner waits at most half a minute after the attacker's last guess. Failures of one address
 * against many accounts count together, and so do all, within a minute, against guesses from everywhere.
 */
export const throttleRules = (limits: ThrottleLimits): readonly [ThrottleRule, ...ThrottleRule[]] => [
  {
    free: limits.pair,
    maxLockMs: LONG_LOCK_MS,
    refusal: 'throttled',
    keyOf: ({ account, address }) => `pair ${account} ${address}`,
  },
  {
    free: limits.account,
    maxLockMs: ACCOUNT_LOCK_MS,
    refusal: 'throttled',
    keyOf: ({ account }) => `account ${account}`,
  },
  {
    free: limits.address,
    maxLockMs: LONG_LOCK_MS,
    refusal: 'throttled',
    keyOf: ({ address }) => `address ${address}`,
  },
  {
    free: limits.overall,
    maxLockMs: MINUTE_MS,
    refusal: 'busy',
    keyOf: (_attempt, now) => `all ${Math.floor(now / MINUTE_MS)}`,
  },
]

interface Failures {
  readonly count: number
  readonly lastAt: number
  readonly lockedUntil: number
}

interface MemoryThrottleDeps {
  readonly limits: ThrottleLimits
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Counts in memory, for one gateway: after some free failures each further one doubles the wait. */
export const createMemoryThrottle = ({ limits, now }: MemoryThrottleDeps): LoginThrottle => {
  const entries = new Map<string, Failures>()
  const rules = throttleRules(limits)
  const [pair] = rules

  const forgetOld = () => {
    for (const [key, entry] of entries) {
      // Entries stand in the order of their last failure, so the first that is young ends the walk.
      if (entries.size < MAX_ENTRIES && entry.lastAt > now() - FORGET_AFTER_MS) break
      entries.delete(key)
    }
  }
  const count = (rule: ThrottleRule, key: string) => {
    const failures = (entries.get(key)?.count ?? 0) + 1
    const over = failures - rule.free
    const lockMs = over <= 0 ? 0 : Math.min(FIRST_LOCK_MS * 2 ** Math.min(over - 1, 20), rule.maxLockMs)
    entries.delete(key)
    entries.set(key, { count: failures, lastAt: now(), lockedUntil: now() + lockMs })
  }
  const takeBack = (key: string) => {
    const entry = entries.get(key)
    if (entry === undefined) return
    if (entry.count <= 1) entries.delete(key)
    else entries.set(key, { ...entry, count: entry.count - 1, lockedUntil: 0 })
  }
  const takeAllBack = (attempt: Attempt) => {
    for (const rule of rules) takeBack(rule.keyOf(attempt, now()))
  }

  return {
    admit: async attempt => {
      forgetOld()
      const keyed = rules.map(rule => ({ rule, key: rule.keyOf(attempt, now()) }))
      const locked = keyed.find(({ key }) => (entries.get(key)?.lockedUntil ?? 0) > now())
      if (locked !== undefined) return locked.rule.refusal
      for (const { rule, key } of keyed) count(rule, key)
      return 'admitted'
    },
    succeeded: async attempt => {
      takeAllBack(attempt)
      entries.delete(pair.keyOf(attempt, now()))
    },
    withdrawn: async attempt => takeAllBack(attempt),
  }
}

interface FailClosedDeps {
  readonly shared: LoginThrottle
  /** Counts while `shared` cannot. */
  readonly local: LoginThrottle
  readonly log: Log
}

/** Counts with `local` while `shared` is away: logins go on, under stricter limits, and are never unlimited. */
export const createFailClosedThrottle = ({ shared, local, log }: FailClosedDeps): LoginThrottle => {
  const either = async <T>(ask: (throttle: LoginThrottle) => Promise<T>): Promise<T> => {
    try {
      return await ask(shared)
    } catch (error) {
      if (!isSentinelError(error, 'NS_SERVICE_UNREACHABLE')) throw error
      log.warn({ problem: error.message }, 'logins are throttled by this gateway alone')
      return ask(local)
    }
  }
  return {
    admit: attempt => either(throttle => throttle.admit(attempt)),
    succeeded: attempt => either(throttle => throttle.succeeded(attempt)),
    withdrawn: attempt => either(throttle => throttle.withdrawn(attempt)),
  }
}
