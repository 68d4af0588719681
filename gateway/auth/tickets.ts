import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Redis } from '../../connectors/redis.ts'
import { filterExpression } from '../../schemas/filter.ts'
import { PERMISSIONS, ROLES } from './permissions.ts'
import type { Principal } from './provider.ts'
import { digest, type Sealer } from './sealing.ts'

/** How long a ticket can be redeemed, in ms. */
export const TICKET_TTL_MS = 30_000

const TICKET_BYTES = 32
const TICKET = /^[A-Za-z0-9_-]{43}$/

/** Where a ticket waits to be redeemed, for its short life. */
export type TicketStore = Pick<Redis, 'put' | 'take'>

/**
 * One-use stand-ins for an access token, for browsers, which cannot set a header on a WebSocket: a ticket travels as a
 * subprotocol, so that no token ever does. Any gateway of the group redeems it.
 */
export interface Tickets {
  /** Throws NS_SERVICE_UNREACHABLE while the ticket store is away. */
  issue(principal: Principal, origin: string | undefined): Promise<string>
  /**
   * Whom the ticket was issued to, once, within its life, and only for a socket of the same origin.
   * Throws NS_SERVICE_UNREACHABLE while the ticket store is away.
   */
  redeem(ticket: string, origin: string | undefined): Promise<Principal | undefined>
}

const content = z.strictObject({
  origin: z.string().optional(),
  issuedAt: z.number(),
  principal: z.strictObject({
    userId: z.string(),
    username: z.string(),
    role: z.enum([...ROLES, 'service']),
    grants: z.array(z.enum(PERMISSIONS)),
    rows: filterExpression.nullable(),
    tokenId: z.string(),
    sessionId: z.string().nullable(),
    issuedAt: z.number(),
    expiresAt: z.number(),
  }),
})

interface TicketsDeps {
  readonly store: TicketStore
  readonly sealer: Sealer
  /** Put before every key. */
  readonly prefix: string
  readonly now: () => number
}

/** Makes tickets. What the store holds is sealed: who can write to Redis still cannot make a ticket. */
export const createTickets = ({ store, sealer, prefix, now }: TicketsDeps): Tickets => {
  const keyOf = (ticket: string) => `${prefix}ticket:${digest(ticket)}`
  return {
    issue: async (principal, origin) => {
      const ticket = randomBytes(TICKET_BYTES).toString('base64url')
      const text = JSON.stringify({ principal, origin, issuedAt: now() })
      await store.put(keyOf(ticket), sealer.seal(text, keyOf(ticket)), TICKET_TTL_MS)
      return ticket
    },
    redeem: async (ticket, origin) => {
      if (!TICKET.test(ticket)) return undefined
      const sealed = await store.take(keyOf(ticket))
      const opened = sealed === undefined ? undefined : sealer.open(sealed, keyOf(ticket))
      if (opened === undefined) return undefined
      const found = content.parse(JSON.parse(opened.toString('utf8')))
      const isGood =
        found.origin === origin && now() - found.issuedAt < TICKET_TTL_MS && found.principal.expiresAt > now()
      return isGood ? found.principal : undefined
    },
  }
}

/** A ticket store in memory, for tests and a single process. */
export const createMemoryTicketStore = ({ now }: { readonly now: () => number }): TicketStore => {
  const values = new Map<string, { value: string; until: number }>()
  return {
    put: async (key, value, ttlMs) => {
      const isNew = (values.get(key)?.until ?? 0) <= now()
      if (isNew) values.set(key, { value, until: now() + ttlMs })
      return isNew
    },
    take: async key => {
      const found = values.get(key)
      values.delete(key)
      return found !== undefined && found.until > now() ? found.value : undefined
    },
  }
}
