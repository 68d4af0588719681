import { WebSocket } from 'ws'
import { messageOf } from '../../runtime/errors.ts'
import { SUBPROTOCOL } from '../../schemas/wire.ts'
import { type Client, type Following, followGateway } from './client.ts'
import { createLogin, type Login } from './login.ts'
import { socketAddress, type Transport } from './transport.ts'

/** How a program connects, and what it does with what comes. */
export interface ClientOptions extends Following {
  /** Address of the gateway: `http://host:port` or `https://…`. */
  readonly url: string
  readonly login: Login
}

const HANDSHAKE_TIMEOUT_MS = 10_000
const MAX_PAYLOAD_BYTES = 16 * 1_048_576

/** The way of programs: the access token is a header of the upgrade. */
const createProgramTransport = (url: string): Transport => ({
  connect: async (accessToken, { opened, message, ended }) => {
    const socket = new WebSocket(socketAddress(url), SUBPROTOCOL, {
      headers: { authorization: `Bearer ${accessToken}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MAX_PAYLOAD_BYTES,
      perMessageDeflate: false,
    })
    let status: number | undefined
    let reason = 'the connection was lost'
    socket.on('open', opened)
    socket.on('message', (data: Buffer) => message(data.toString('utf8')))
    socket.on('unexpected-response', (_request, response) => {
      status = response.statusCode
      reason = `the gateway answered ${status}`
      response.resume()
      socket.terminate()
    })
    socket.on('error', error => {
      if (status === undefined) reason = messageOf(error)
    })
    socket.on('close', code => ended({ code, reason, ...(status === undefined ? {} : { status }) }))
    return {
      send: text => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text)
      },
      close: () => socket.close(),
    }
  },
})

/** The client of a program: logs in, and follows a gateway; see {@link followGateway}. */
export const connectClient = ({ url, login, ...following }: ClientOptions): Promise<Client> =>
  followGateway({ ...following, transport: createProgramTransport(url), login: createLogin(url, login) })
