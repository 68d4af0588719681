import type { SUBPROTOCOL, TICKET_PREFIX } from '../../schemas/wire.ts'
import { type Client, type Following, followGateway } from './client.ts'
import { createLogin, type Fetch, type Login, post } from './login.ts'
import { socketAddress, type Transport } from './transport.ts'

const PROTOCOL: typeof SUBPROTOCOL = 'netsentinel.v1'
const TICKET: typeof TICKET_PREFIX = 'ticket.'

/** The browser's own WebSocket, or one of the same form. */
type StandardSocket = Pick<WebSocket, 'send' | 'close' | 'readyState' | 'addEventListener'>

/** How a page connects, and what it does with what comes. */
export interface PageOptions extends Following {
  /** Address of the gateway; in a page that it serves, `location.origin`. */
  readonly url: string
  readonly login: Login
  /** The browser's own when not given. */
  readonly openSocket?: (address: URL, protocols: string[]) => StandardSocket
  readonly fetch?: Fetch
}

interface PageDeps {
  readonly url: string
  readonly openSocket: NonNullable<PageOptions['openSocket']>
  readonly fetch: Fetch
}

const OPEN = 1
/** What a browser says of an upgrade that was refused, whatever the reason. */
const ABNORMAL = 1006
const UNAUTHENTICATED = 401

/** The way of pages, which cannot set headers: a one-use ticket is a subprotocol of the upgrade. */
const createPageTransport = ({ url, openSocket, fetch }: PageDeps): Transport => ({
  connect: async (accessToken, { opened, message, ended }) => {
    const authorization = `Bearer ${accessToken}`
    const answer = await post<{ ticket: string }>(fetch, url, '/auth/ticket', {}, { authorization })
    if (answer === undefined) {
      ended({ code: ABNORMAL, reason: 'the token was refused', status: UNAUTHENTICATED })
      return { send: () => undefined, close: () => undefined }
    }
    const socket = openSocket(socketAddress(url), [PROTOCOL, `${TICKET}${answer.ticket}`])
    socket.addEventListener('open', opened)
    socket.addEventListener('message', event => message(String(event.data)))
    socket.addEventListener('close', ({ code, reason }) =>
      ended({ code, reason: reason || 'the connection was lost' }),
    )
    return {
      send: text => {
        if (socket.readyState === OPEN) socket.send(text)
      },
      close: () => socket.close(),
    }
  },
})

/**
 * The client of a page: logs in, and follows a gateway; see {@link followGateway}. Nothing here and in what it imports is of
 * Node: any bundler makes a script of it.
 */
export const connectPage = ({
  url,
  login,
  openSocket,
  fetch,
  ...following
}: PageOptions): Promise<Client> => {
  const ask: Fetch = fetch ?? ((address, init) => globalThis.fetch(address, init))
  const open = openSocket ?? ((address, protocols) => new WebSocket(address, protocols))
  return followGateway({
    ...following,
    transport: createPageTransport({ url, openSocket: open, fetch: ask }),
    login: createLogin(url, login, ask),
  })
}
