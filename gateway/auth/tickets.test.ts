import { describe, expect, it } from '@jest/globals'
import type { Principal } from './provider.ts'
import { createSealer } from './sealing.ts'
import { createMemoryTicketStore, createTickets, type TicketStore } from './tickets.ts'

const ORIGIN = 'https://soc.example'
const sealer = createSealer('k'.repeat(32))

const create = () => {
  let time = 1_700_000_000_000
  const now = () => time
  const store = createMemoryTicketStore({ now })
  const principal: Principal = {
    userId: 'u',
    username: 'eve',
    role: 'viewer',
    grants: ['threats:read'],
    rows: null,
    tokenId: 't',
    sessionId: 's',
    issuedAt: time,
    expiresAt: time + 900_000,
  }
  return {
    store,
    principal,
    now,
    tickets: createTickets({ store, sealer, prefix: '', now }),
    advance: (ms: number) => {
      time += ms
    },
  }
}

describe('tickets', () => {
  it('are redeemed once, by whichever gateway', async () => {
    const { tickets, store, principal, now } = create()
    const ticket = await tickets.issue(principal, ORIGIN)
    const other = createTickets({ store, sealer, prefix: '', now })
    const answers = await Promise.all([other, tickets, other].map(each => each.redeem(ticket, ORIGIN)))
    expect(answers.filter(answer => answer !== undefined)).toEqual([principal])
  })

  it('are worth nothing at another origin, and are used up by the attempt', async () => {
    const { tickets, principal } = create()
    for (const origin of [undefined, 'null', 'https://soc.example.evil', 'http://soc.example']) {
      const ticket = await tickets.issue(principal, ORIGIN)
      expect(await tickets.redeem(ticket, origin)).toBeUndefined()
      expect(await tickets.redeem(ticket, ORIGIN)).toBeUndefined()
    }
  })

  it('expire after 30 s, and with the token that they were got with', async () => {
    const { tickets, principal, advance } = create()
    const late = await tickets.issue(principal, ORIGIN)
    advance(30_000)
    expect(await tickets.redeem(late, ORIGIN)).toBeUndefined()
    const expired = await tickets.issue(principal, ORIGIN)
    const fresh = await tickets.issue({ ...principal, expiresAt: principal.expiresAt + 900_000 }, ORIGIN)
    advance(principal.expiresAt - 1_700_000_030_000)
    expect(await tickets.redeem(expired, ORIGIN)).toBeUndefined()
    expect(await tickets.redeem(fresh, ORIGIN)).toBeUndefined()
  })

  it('cannot be made, copied or kept alive by who can write to the ticket store', async () => {
    const { principal, now, advance } = create()
    const held = new Map<string, string>()
    const store: TicketStore = {
      put: async (key, value) => {
        held.set(key, value)
        return true
      },
      take: async key => held.get(key),
    }
    const tickets = createTickets({ store, sealer, prefix: '', now })
    const ticket = await tickets.issue(principal, ORIGIN)
    const [[key, value] = ['', '']] = held
    expect(value).not.toContain('eve')
    const another = await tickets.issue({ ...principal, userId: 'other' }, ORIGIN)
    for (const other of [...held.keys()].filter(each => each !== key)) held.set(other, value)
    expect(await tickets.redeem(another, ORIGIN)).toBeUndefined()
    held.set(key, JSON.stringify({ principal, origin: ORIGIN, issuedAt: now() }))
    expect(await tickets.redeem(ticket, ORIGIN)).toBeUndefined()
    held.set(key, value)
    expect(await tickets.redeem(ticket, ORIGIN)).toEqual(principal)
    advance(30_000)
    expect(await tickets.redeem(ticket, ORIGIN)).toBeUndefined()
  })
})
