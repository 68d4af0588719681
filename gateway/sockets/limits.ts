/** How many sockets a gateway takes, and how fast. */
export interface SocketLimits {
  readonly maxSockets: number
  readonly maxSocketsPerUser: number
  readonly maxSocketsPerAddress: number
  readonly upgradesPerSecond: number
  readonly upgradesPerSecondPerAddress: number
}

/** Which limit a request was beyond, and what it is answered with. */
export interface Beyond {
  readonly limit: 'sockets' | 'user-sockets' | 'address-sockets' | 'upgrades' | 'address-upgrades'
  /** 503 where it is not the client's doing. */
  readonly status: 429 | 503
  readonly detail: string
  /** When to try again, in s. */
  readonly retryAfterS: number
}

/** A place that was taken for a socket to be. */
export interface Place {
  /** Notes whose socket it is; says so when that user has too many, and then counts nothing. */
  ofUser(userId: string): Beyond | undefined
  /** Gives the place back; does nothing the second time. */
  leave(): void
}

/** Who has how many sockets. */
export interface SocketGate {
  /** A place for a request from an address, before anything else is done for it. */
  enter(address: string): Place | Beyond
}

/** Whether a request is beyond a limit. */
export const isBeyond = (entered: Place | Beyond): entered is Beyond => 'limit' in entered

const BEYOND = {
  sockets: { status: 503, detail: 'the gateway takes no more sockets', retryAfterS: 10 },
  'user-sockets': { status: 429, detail: 'this user has too many sockets', retryAfterS: 10 },
  'address-sockets': { status: 429, detail: 'this address has too many sockets', retryAfterS: 10 },
  upgrades: { status: 503, detail: 'too many sockets are opened at this moment', retryAfterS: 1 },
  'address-upgrades': { status: 429, detail: 'this address opens too many sockets', retryAfterS: 1 },
} as const satisfies Record<Beyond['limit'], Omit<Beyond, 'limit'>>

const beyond = (limit: Beyond['limit']): Beyond => ({ limit, ...BEYOND[limit] })

const WINDOW_MS = 1_000

/** Counts by name; a name with a count of zero is forgotten. */
const createCounts = () => {
  const counts = new Map<string, number>()
  return {
    of: (name: string) => counts.get(name) ?? 0,
    add: (name: string, by: 1 | -1) => {
      const count = (counts.get(name) ?? 0) + by
      if (count === 0) counts.delete(name)
      else counts.set(name, count)
    },
    clear: () => counts.clear(),
  }
}

/** Counts the sockets of one gateway. A request counts from when it comes, so that a flood of them costs no checks of tokens. */
export const createSocketGate = (limits: SocketLimits, now: () => number): SocketGate => {
  const users = createCounts()
  const addresses = createCounts()
  /** Of this second. What is beyond the limit is not counted, which bounds what is remembered. */
  const upgrades = createCounts()
  let count = 0
  let upgraded = 0
  let windowEnd = 0

  const beginWindow = () => {
    const time = now()
    // Also when the clock was set back.
    if (time < windowEnd && time >= windowEnd - WINDOW_MS) return
    windowEnd = time + WINDOW_MS
    upgraded = 0
    upgrades.clear()
  }
  const problemOf = (address: string): Beyond['limit'] | undefined => {
    if (upgrades.of(address) >= limits.upgradesPerSecondPerAddress) return 'address-upgrades'
    if (upgraded >= limits.upgradesPerSecond) return 'upgrades'
    if (addresses.of(address) >= limits.maxSocketsPerAddress) return 'address-sockets'
    return count >= limits.maxSockets ? 'sockets' : undefined
  }

  return {
    enter: address => {
      beginWindow()
      const problem = problemOf(address)
      if (problem !== undefined) return beyond(problem)
      upgraded += 1
      upgrades.add(address, 1)
      addresses.add(address, 1)
      count += 1
      let user: string | undefined
      let isTaken = true
      return {
        ofUser: userId => {
          if (users.of(userId) >= limits.maxSocketsPerUser) return beyond('user-sockets')
          user = userId
          users.add(userId, 1)
          return undefined
        },
        leave: () => {
          if (!isTaken) return
          isTaken = false
          count -= 1
          addresses.add(address, -1)
          if (user !== undefined) users.add(user, -1)
        },
      }
    },
  }
}
