import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isSentinelError } from '../../runtime/errors.ts'
import { SUBPROTOCOL, TICKET_PREFIX } from '../../schemas/wire.ts'
import { isRefusal, type Principal, type SessionProvider } from '../auth/provider.ts'
import type { Tickets } from '../auth/tickets.ts'

/** Path of the WebSocket. */
export const SOCKET_PATH = '/ws'

/** The part of a request that an upgrade is judged by. */
export interface UpgradeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
}

/** Why a request is not upgraded: an HTTP status, and words that give away nothing. */
export interface UpgradeRefusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 429 | 503
  readonly detail: string
  /** When to try again, in s. */
  readonly retryAfterS?: number
}

/** What came of judging a request. */
export type UpgradeVerdict = { readonly principal: Principal } | UpgradeRefusal

interface UpgradeDeps {
  readonly auth: Pick<SessionProvider, 'validateToken' | 'recheck'>
  readonly tickets: Tickets
  /** Origins that may open a socket; the request's own host when empty. */
  readonly origins: readonly string[]
}

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i

const UNAUTHENTICATED: UpgradeRefusal = { status: 401, detail: 'valid credentials are needed' }

/** Whether a page of this origin may use the gateway; its own when none is listed. Exactly: no case, port or suffix differs. */
export const isOriginAllowed = (
  origin: string,
  host: string | undefined,
  allowed: readonly string[],
): boolean =>
  allowed.length > 0
    ? allowed.includes(origin)
    : host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)

const offeredProtocols = (header: string | undefined): string[] =>
  header === undefined ? [] : header.split(',').map(protocol => protocol.trim())

/** The ticket among the offered subprotocols: one, and beside it the protocol that is really spoken. */
const ticketOf = (protocols: readonly string[]): string | undefined => {
  const [ticket, ...more] = protocols.filter(protocol => protocol.startsWith(TICKET_PREFIX))
  return ticket === undefined || more.length > 0 || !protocols.includes(SUBPROTOCOL)
    ? undefined
    : ticket.slice(TICKET_PREFIX.length)
}

const authenticate = async (request: UpgradeRequest, deps: UpgradeDeps): Promise<UpgradeVerdict> => {
  const { authorization, origin } = request.headers
  const ticket = ticketOf(offeredProtocols(request.headers['sec-websocket-protocol']))
  if (authorization !== undefined) {
    const token = BEARER.exec(authorization)?.[1]
    // Two credentials at once: which one counts would be anybody's guess.
    if (token === undefined || ticket !== undefined) return UNAUTHENTICATED
    const principal = await deps.auth.validateToken(token)
    return isRefusal(principal) ? UNAUTHENTICATED : { principal }
  }
  // Browsers always send an Origin, and only browsers need tickets.
  if (ticket === undefined || origin === undefined) return UNAUTHENTICATED
  const holder = await deps.tickets.redeem(ticket, origin)
  if (holder === undefined) return UNAUTHENTICATED
  // Much may have been revoked since the ticket was issued.
  const principal = await deps.auth.recheck(holder)
  return isRefusal(principal) ? UNAUTHENTICATED : { principal }
}

/** Headers of which a handshake has one, or none where it may: of two, a proxy in front might read the other one. */
const ONCE = {
  host: 1,
  'sec-websocket-version': 1,
  'sec-websocket-key': 1,
  authorization: 0,
  origin: 0,
} as const

const VERSION = '13'

/** What is wrong with the form of a handshake (RFC 6455, section 4.2.1), beyond what ws finds by itself. */
export const checkHandshake = ({
  httpVersion,
  headersDistinct,
}: Pick<IncomingMessage, 'httpVersion' | 'headersDistinct'>): UpgradeRefusal | undefined => {
  const bad = (detail: string): UpgradeRefusal => ({ status: 400, detail })
  if (httpVersion !== '1.1') return bad('a handshake is made in HTTP/1.1')
  for (const [name, least] of Object.entries(ONCE)) {
    const count = headersDistinct[name]?.length ?? 0
    if (count > 1 || count < least) return bad(`a handshake has one header ${name}`)
  }
  const [version] = headersDistinct['sec-websocket-version'] ?? []
  return version === VERSION ? undefined : bad(`the version of a handshake is ${VERSION}`)
}

/**
 * Decides whether a request may become a WebSocket, and whose, before anything is upgraded. Programs send
 * `Authorization: Bearer`; browsers, which cannot, a one-use ticket as a subprotocol, and their Origin must be allowed.
 * Nothing in the address is a credential: a query of any kind is refused, so that no token ends up in a log.
 */
export const judgeUpgrade = async (request: UpgradeRequest, deps: UpgradeDeps): Promise<UpgradeVerdict> => {
  const [path, query] = (request.url ?? '').split('?', 2)
  if (path !== SOCKET_PATH) return { status: 404, detail: 'there is no such path' }
  if (query !== undefined) return { status: 400, detail: 'the address must not carry a query' }
  if (request.method !== 'GET') return { status: 405, detail: 'only GET can be upgraded' }
  const { origin, host } = request.headers
  if (origin !== undefined && !isOriginAllowed(origin, host, deps.origins)) {
    return { status: 403, detail: 'this origin may not open a socket' }
  }
  try {
    return await authenticate(request, deps)
  } catch (error) {
    if (!isSentinelError(error, 'NS_SERVICE_UNREACHABLE')) throw error
    return { status: 503, detail: 'credentials cannot be checked at this moment' }
  }
}
