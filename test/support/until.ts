import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** A name that no other test uses, fit for topics, groups, subjects and Redis keys. */
export const unique = (name: string): string => `${name}-${randomBytes(6).toString('hex')}`

type Falsy = false | 0 | '' | null | undefined

/** How {@link until} waits. */
export interface UntilOptions {
  /** 20,000 when not given. */
  readonly timeoutMs?: number
  /** How long to rest before it is asked again; 25 when not given. */
  readonly intervalMs?: number
  /** What is waited for, in the words of the error. */
  readonly what?: string
}

/**
 * Asks `predicate` again and again until it answers something truthy, which is returned. An error that it throws counts
 * as "not yet", and is the cause of the one thrown after `timeoutMs`.
 */
export const until = async <T>(
  predicate: () => T | Promise<T>,
  { timeoutMs = 20_000, intervalMs = 25, what = 'the condition' }: UntilOptions = {},
): Promise<Exclude<T, Falsy>> => {
  const deadline = Date.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await predicate()
      if (answer) return answer as Exclude<T, Falsy>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (Date.now() >= deadline) throw new Error(`${what} did not come true within ${timeoutMs} ms`, { cause })
    await sleep(intervalMs)
  }
}
