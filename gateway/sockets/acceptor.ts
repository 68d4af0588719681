import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import { SUBPROTOCOL } from '../../schemas/wire.ts'
import { createDeflater, DEFLATE } from './deflate.ts'
import type { Flusher, Outbox } from './outbox.ts'
import type { SessionSocket } from './session.ts'

/** Largest message that a client may send, in bytes; the longest that makes sense has about 100. */
const MAX_PAYLOAD_BYTES = 65_536
const MAX_FRAGMENTS = 64
const MAX_BUFFERED_CHUNKS = 1_024

/** Who is told what comes over a socket. */
export interface Receiver {
  message(data: Buffer, isBinary: boolean): void
  /** A ping or a pong came. */
  control(): void
  /** The socket begins to close, on whichever side: what waits for it goes now or never. Comes before `closed`, or not at all. */
  closing(): void
  /** The socket is gone, with this close code; nothing else comes. */
  closed(code: number): void
}

/** One that tells when it closes. ws does so by itself too, when the client closes or breaks the protocol. */
class Socket extends WebSocket {
  onClosing: () => void = () => undefined

  override close(code?: number, reason?: string | Buffer): void {
    // No data may follow the frame that closes (RFC 6455, section 5.5.1), and frames of ours do not pass through ws.
    this.onClosing()
    super.close(code, reason)
  }
}

interface AcceptorDeps {
  readonly flusher: Flusher
  readonly settings: {
    /** Bytes that may wait for a socket. */
    readonly queueBytes: number
    /** How long a client has to answer a close, in ms; then its connection is cut. */
    readonly closeTimeoutMs: number
    /** Whether clients that offer permessage-deflate get it. */
    readonly deflate: boolean
  }
  readonly log: Log
}

/** Makes WebSockets of requests that may become one. */
export interface Acceptor {
  /** Upgrades a request; `attach` is given the socket when it is one, and not at all when the handshake is at fault. */
  accept(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    attach: (socket: SessionSocket) => Receiver,
  ): void
}

/** Speaks the protocol (RFC 6455) within the gateway's limits. Whom it speaks to is for others to have found out. */
export const createAcceptor = ({ flusher, settings, log }: AcceptorDeps): Acceptor => {
  const options = {
    WebSocket: Socket,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: settings.deflate ? DEFLATE : false,
    maxPayload: MAX_PAYLOAD_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    closeTimeout: settings.closeTimeoutMs,
    // Never the ticket, which is among what the client offers.
    handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  }
  const server = new WebSocketServer(options)
  const deflated = createDeflater()
  /** Queues what it is given compressed. */
  const deflating = (outbox: Outbox): Outbox => ({
    add: (frame, origin) => outbox.add(deflated(frame), origin),
    addAll: ({ frames, origins }) => {
      const made = frames.map(deflated)
      return outbox.addAll({
        frames: made,
        origins,
        bytes: made.reduce((sum, { length }) => sum + length, 0),
      })
    },
    get bytes() {
      return outbox.bytes
    },
    close: () => outbox.close(),
  })
  return {
    accept: (request, stream, head, attach) =>
      server.handleUpgrade(request, stream, head, socket => {
        const outbox = flusher.open(stream, settings.queueBytes)
        const receiver = attach({
          outbox: socket.extensions === '' ? outbox : deflating(outbox),
          ping: () => socket.ping(),
          close: code => socket.close(code),
        })
        socket.onClosing = receiver.closing
        socket.on('message', receiver.message)
        socket.on('ping', receiver.control)
        socket.on('pong', receiver.control)
        socket.on('error', error => log.debug({ problem: messageOf(error) }, 'socket failed'))
        socket.on('close', receiver.closed)
      }),
  }
}
