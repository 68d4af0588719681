/** Who tries to log in. */
export interface Attempt {
  /** Folded username. */
  readonly account: string
  /** Network address of the client. */
  readonly address: string
}

/**
 * Slows down guessing. An attempt counts as a failure from the moment it is admitted until it is known to be none, so
 * that guesses made at the same time are counted too. Implementations decide where they count.
 */
export interface LoginThrottle {
  /** Whether the attempt may be looked at; if so, it is counted. */
  admit(attempt: Attempt): Promise<boolean>
  /** The attempt was good: the account's failures from this address are forgotten. */
  succeeded(attempt: Attempt): Promise<void>
  /** The attempt was not looked at after all: it does not count. */
  withdrawn(attempt: Attempt): Promise<void>
}

interface Rule {
  /** Failures that have no consequence. */
  readonly free: number
  /** Longest lock, in ms. */
  readonly maxLockMs: number
  keyOf(attempt: Attempt): string
}

const PAIR: Rule = {
  free: 5,
  maxLockMs: 15 * 60_000,
  keyOf: ({ account, address }) => `pair ${account} ${address}`,
}

/**
 * An attacker can lock an account only for their own address for long: from elsewhere its owner waits at most half a
 * minute after the attacker's last guess. Failures of one address against many accounts count together.
 */
const RULES: readonly Rule[] = [
  PAIR,
  { free: 25, maxLockMs: 30_000, keyOf: ({ account }) => `account ${account}` },
  { free: 50, maxLockMs: 15 * 60_000, keyOf: ({ address }) => `address ${address}` },
]

const FIRST_LOCK_MS = 1_000
const FORGET_AFTER_MS = 60 * 60_000
const MAX_ENTRIES = 50_000

interface Failures {
  count: number
  lastAt: number
  lockedUntil: number
}

/** Counts in memory, for one gateway: after some free failures each further one doubles the wait. */
export const createMemoryThrottle = ({ now }: { readonly now: () => number }): LoginThrottle => {
  const entries = new Map<string, Failures>()

  const forgetOld = () => {
    for (const [key, entry] of entries) {
      // Entries stand in the order of their last failure, so the first that is young ends the walk.
      if (entries.size < MAX_ENTRIES && entry.lastAt > now() - FORGET_AFTER_MS) break
      entries.delete(key)
    }
  }
  const count = (rule: Rule, key: string) => {
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
    else Object.assign(entry, { count: entry.count - 1, lockedUntil: 0 })
  }

  return {
    admit: async attempt => {
      forgetOld()
      const keys = RULES.map(rule => rule.keyOf(attempt))
      if (keys.some(key => (entries.get(key)?.lockedUntil ?? 0) > now())) return false
      for (const rule of RULES) count(rule, rule.keyOf(attempt))
      return true
    },
    succeeded: async attempt => {
      for (const rule of RULES) takeBack(rule.keyOf(attempt))
      entries.delete(PAIR.keyOf(attempt))
    },
    withdrawn: async attempt => {
      for (const rule of RULES) takeBack(rule.keyOf(attempt))
    },
  }
}
