import type { Redis } from '../../connectors/redis.ts'
import { messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { SessionStore } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'

/** How far clocks of gateways may be apart, and a change may take to be committed, in ms: so far back each look goes. */
const OVERLAP_MS = 60_000

/** Learns of changes to what users may do, whichever gateway made them. */
export interface AccessWatch {
  /** Something was changed here: looks at once, and has the other gateways do so. */
  announce(): void
  /** Ends the watch. */
  close(): Promise<void>
}

interface AccessWatchDeps {
  readonly store: Pick<SessionStore, 'accessChangesSince'>
  readonly redis: Pick<Redis, 'publish' | 'subscribe'>
  /** Put before the name of the channel. */
  readonly prefix: string
  /** How often it looks without being told to, in ms: the longest that a change can take while Redis is away. */
  readonly intervalMs: number
  /** Called once for each change, and for all users when it is not known what has changed. */
  readonly onChange: (userId: string) => Promise<void>
  /** Called with every look. */
  readonly onLook: () => Promise<void>
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/**
 * Starts the watch. The store says what has changed; Redis only says when to look, with an empty message, so that who can
 * write to it can neither hide a change nor make one up.
 */
export const startAccessWatch = async (deps: AccessWatchDeps): Promise<AccessWatch> => {
  const { store, redis, log, now } = deps
  const channel = `${deps.prefix}gateway:access`
  let seen = new Set<string>()
  let looking: Promise<void> | undefined
  let isWanted = false
  let isClosed = false

  const look = async () => {
    await deps.onLook()
    const changes = await store.accessChangesSince(now() - OVERLAP_MS)
    const fresh = changes.filter(({ id }) => !seen.has(id))
    for (const userId of new Set(fresh.map(change => change.userId))) await deps.onChange(userId)
    // Last, so that a change whose consequence failed is taken up by the next look.
    seen = new Set(changes.map(({ id }) => id))
  }
  const lookUntilDone = async () => {
    while (isWanted && !isClosed) {
      isWanted = false
      await look()
    }
  }
  /** One look at a time; one that is wanted meanwhile follows. */
  const wake = () => {
    isWanted = true
    looking ??= lookUntilDone()
      .catch((error: unknown) =>
        log.warn({ problem: messageOf(error) }, 'changes of access cannot be looked at'),
      )
      .finally(() => {
        looking = undefined
      })
  }

  const end = await redis.subscribe(channel, wake)
  const timer = setInterval(wake, deps.intervalMs)
  return {
    announce: () => {
      wake()
      redis
        .publish(channel, '')
        .catch((error: unknown) => log.debug({ problem: messageOf(error) }, 'a change is not hastened'))
    },
    close: async () => {
      isClosed = true
      clearInterval(timer)
      await end()
      await looking
    },
  }
}

/** The store, with every method that changes what somebody may do followed by `announce`. */
export const announcing = (store: Store, announce: () => void): Store => {
  const after =
    <A extends readonly unknown[], R>(method: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const result = await method(...args)
      announce()
      return result
    }
  return {
    ...store,
    updateUser: after(store.updateUser),
    deleteUser: after(store.deleteUser),
    setPassword: after(store.setPassword),
    endSession: after(store.endSession),
    endSessionsOf: after(store.endSessionsOf),
    revoke: after(store.revoke),
    deleteApiKey: after(store.deleteApiKey),
    setRowFilter: after(store.setRowFilter),
    addSigningKey: after(store.addSigningKey),
    rotateRefreshToken: async (...args) => {
      const rotation = await store.rotateRefreshToken(...args)
      if (rotation.outcome === 'reused') announce()
      return rotation
    },
  }
}
