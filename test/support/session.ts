import { GRANTS, type Role } from '../../gateway/auth/permissions.ts'
import type { Principal } from '../../gateway/auth/provider.ts'
import type { Filtered } from '../../gateway/sockets/filter.ts'
import { textFrame } from '../../gateway/sockets/frame.ts'
import { createHub } from '../../gateway/sockets/hub.ts'
import type { Returning } from '../../gateway/sockets/recovery.ts'
import { type CloseCode, createSession } from '../../gateway/sockets/session.ts'
import type { FilterExpression } from '../../schemas/filter.ts'
import type { Resume, ServerMessage } from '../../schemas/wire.ts'
import { makeThreat } from './threats.ts'

/** What holds in the channel `system`. */
export const PRESENCE = { type: 'presence', gateways: 1, users: 2, sockets: 3 } as const

/** How long the token of a session is good, in ms. */
export const EXPIRES_IN_MS = 900_000

/** Where every channel stands. */
export const PLACE = { epoch: 'e', positions: [{ partition: 0, offset: 7 }] }

/** A message of a channel whose frame holds a text. */
export const carry = (text: string, data: Filtered = makeThreat()) => ({ frame: () => textFrame(text), data })

/** A session whose socket, clock and surroundings are the test's. */
export const createTestSession = ({
  role = 'viewer' as Role,
  capBytes = 100_000,
  rows = null as FilterExpression | null,
} = {}) => {
  let time = 1_700_000_000_000
  const sent: string[] = []
  const closes: CloseCode[] = []
  let pings = 0
  let isFull = false
  const returning: { channel: string; resume: Resume; client: Returning }[] = []
  const hub = createHub()
  const principal: Principal = {
    userId: 'u',
    username: 'eve',
    role,
    grants: GRANTS[role],
    rows,
    tokenId: 't',
    sessionId: 's',
    issuedAt: time,
    expiresAt: time + EXPIRES_IN_MS,
  }
  const failures: unknown[] = []
  const add = (frame: Buffer) => {
    if (isFull || frame.length > capBytes) return false
    sent.push(frame.subarray(frame.length < 128 ? 2 : 4).toString())
    return true
  }
  const session = createSession({
    principal,
    auth: { validateToken: async token => ({ ...principal, ...(JSON.parse(token) as Partial<Principal>) }) },
    hub,
    feed: { placeOf: () => PLACE },
    recovery: {
      recover: async (channel, resume, client) => {
        returning.push({ channel, resume, client })
      },
    },
    notices: { latest: channel => (channel === 'system' ? [PRESENCE] : []) },
    triage: { act: () => Promise.reject(new Error('inner detail')) },
    address: '192.0.2.1',
    onError: error => failures.push(error),
    limits: { messagesPerSecond: 10, queueBytes: 1_000, pingMs: 25_000, expiryGraceMs: 5_000 },
    now: () => time,
    socket: {
      outbox: {
        add,
        addAll: ({ frames }) => frames.every(add),
        bytes: 0,
        close: () => {
          isFull = true
        },
      },
      ping: () => {
        pings += 1
      },
      close: code => {
        closes.push(code)
      },
    },
  })
  return {
    hub,
    session,
    principal,
    closes,
    sent,
    failures,
    returning,
    pings: () => pings,
    ask: (message: object): ServerMessage[] => {
      sent.length = 0
      session.receive(JSON.stringify(message))
      return sent.map(text => JSON.parse(text) as ServerMessage)
    },
    advance: (ms: number) => {
      time += ms
      session.tick()
    },
    fill: () => {
      isFull = true
    },
  }
}
