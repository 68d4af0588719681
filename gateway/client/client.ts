import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { messageOf, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import { aborted, createFailure } from '../../runtime/lifecycle.ts'
import { type Channel, CLOSE, type Delivery, parseDelivery, SUBPROTOCOL } from '../../schemas/wire.ts'
import { createLogin, type Login } from './login.ts'

/** What a client is told about its connection. */
export type ClientState = 'connected' | 'reconnecting'

/** How a client connects and what it does with what comes. */
export interface ClientOptions {
  /** Address of the gateway: `http://host:port` or `https://…`. */
  readonly url: string
  readonly login: Login
  readonly channels: readonly Channel[]
  /** Gets each threat and alert; what the gateway sends twice on one connection comes once. */
  readonly onDelivery: (delivery: Delivery) => void
  readonly onState?: (state: ClientState) => void
  /** Delay before the first attempt to reconnect, in ms; it doubles up to a hundred times this. */
  readonly retryMs?: number
}

/** A connection that keeps itself up. */
export interface Client {
  /** Rejects when the client gives up: it is refused, or told not to come back. Pending otherwise. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

const RETRY_MS = 200
const HANDSHAKE_TIMEOUT_MS = 10_000
/** The gateway pings twice within this time; a silence of this length means that it is gone. In ms. */
const SILENCE_MS = 60_000
const MAX_PAYLOAD_BYTES = 16 * 1_048_576
const FIRST_TERMINAL_CODE = 4_500
const EXTEND_ID = 'extend'

interface Ended {
  readonly code: number
  /** HTTP status, when the upgrade was refused. */
  readonly status?: number
  readonly reason: string
}

/** Offsets of a partition that are remembered: a gateway repeats at most the messages that it had in flight. */
const REMEMBERED = 1_024

/** Notes an offset, and whether it was there already. A repeated send may bring an older one that is new here. */
const isRepeated = (offsets: Set<number>, offset: number): boolean => {
  if (offsets.has(offset)) return true
  offsets.add(offset)
  for (const oldest of offsets) {
    if (offsets.size <= REMEMBERED) break
    offsets.delete(oldest)
  }
  return false
}

/** One socket from its upgrade to its end. Resolves `subscribed` when every channel is confirmed. */
const openSocket = (options: ClientOptions, accessToken: string) => {
  const { url, channels, onDelivery } = options
  const address = new URL('/ws', url)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(address, SUBPROTOCOL, {
    headers: { authorization: `Bearer ${accessToken}` },
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MAX_PAYLOAD_BYTES,
    perMessageDeflate: false,
  })
  const subscribed = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<Ended>()
  const missing = new Set(channels)
  const seen = new Map<string, Set<number>>()
  let status: number | undefined
  let reason = 'the connection was lost'
  let silence: NodeJS.Timeout | undefined

  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(() => socket.terminate(), SILENCE_MS)
  }
  const take = (text: string) => {
    const delivery = parseDelivery(text)
    if (delivery !== undefined) {
      const key = `${delivery.type} ${delivery.position.partition}`
      const offsets = seen.get(key) ?? new Set()
      seen.set(key, offsets)
      if (isRepeated(offsets, delivery.position.offset)) return
      onDelivery(delivery)
      return
    }
    const message = JSON.parse(text) as { type?: unknown; channel?: Channel; message?: unknown; id?: unknown }
    // A newer token that was not taken changes nothing: the socket ends with the old one, and another is opened.
    if (message.id === EXTEND_ID) return
    if (message.type === 'subscribed' && message.channel !== undefined) missing.delete(message.channel)
    if (message.type === 'error') {
      reason = String(message.message)
      socket.close(CLOSE.protocol)
    }
    if (missing.size === 0) subscribed.resolve(true)
  }

  socket.on('open', () => {
    heard()
    for (const channel of channels) socket.send(JSON.stringify({ type: 'subscribe', channel }))
  })
  socket.on('ping', heard)
  socket.on('message', (data: Buffer) => {
    heard()
    take(data.toString('utf8'))
  })
  socket.on('unexpected-response', (_request, response) => {
    status = response.statusCode
    reason = `the gateway answered ${status}`
    response.resume()
    socket.terminate()
  })
  socket.on('error', error => {
    if (status === undefined) reason = messageOf(error)
  })
  socket.on('close', code => {
    clearTimeout(silence)
    subscribed.resolve(false)
    ended.resolve({ code, reason, ...(status === undefined ? {} : { status }) })
  })
  return {
    subscribed: subscribed.promise,
    ended: ended.promise,
    /** Shows a newer token, so that the socket outlives the one that it was opened with. */
    extend: (newer: string) => {
      if (socket.readyState !== WebSocket.OPEN) return
      socket.send(JSON.stringify({ type: 'refresh', accessToken: newer, id: EXTEND_ID }))
    },
    close: () => socket.close(),
  }
}

/**
 * Logs in, opens a WebSocket, subscribes, and keeps all that up: it reconnects with back-off when the close code says
 * that it may, with a fresh token when the old one has run out. Resolves when the first subscriptions are confirmed.
 * Throws NS_LOGIN_REFUSED and NS_SERVICE_UNREACHABLE.
 */
export const connectClient = async (options: ClientOptions): Promise<Client> => {
  const { onState, retryMs = RETRY_MS } = options
  const login = createLogin(options.url, options.login)
  const { failed, fail } = createFailure()
  const closing = new AbortController()
  let current: ReturnType<typeof openSocket> | undefined

  let renewal: NodeJS.Timeout | undefined
  /** Keeps the socket open beyond its first token. Where that fails, it expires, and is opened anew. */
  const extendLater = () => {
    clearTimeout(renewal)
    if (closing.signal.aborted) return
    renewal = setTimeout(() => {
      login
        .accessToken()
        .then(token => {
          current?.extend(token)
          extendLater()
        })
        // The socket will end with its token, and whoever opens the next one meets the same error and judges it.
        .catch(() => undefined)
    }, login.freshForMs())
  }

  const connect = async () => {
    current = openSocket(options, await login.accessToken())
    if (closing.signal.aborted) current.close()
    const isSubscribed = await current.subscribed
    if (isSubscribed) {
      onState?.('connected')
      extendLater()
    }
    return isSubscribed
  }
  /** Throws what makes reconnecting pointless. */
  const judge = ({ code, status, reason }: Ended) => {
    if (status === 401 || code === CLOSE.expired) login.expire()
    const isRefused = status !== undefined && status !== 401 && status !== 429 && status < 500
    if (isRefused || code >= FIRST_TERMINAL_CODE) {
      throw new SentinelError('NS_LOGIN_REFUSED', `the gateway closed the socket (${code}): ${reason}`)
    }
  }
  const keepUp = async () => {
    for (let wait = retryMs; !closing.signal.aborted; wait = Math.min(wait * 2, retryMs * 100)) {
      const ended = await current?.ended
      clearTimeout(renewal)
      if (ended !== undefined) judge(ended)
      if (closing.signal.aborted) return
      onState?.('reconnecting')
      // Spread, so that the clients of a gateway that went away do not come back all at once.
      await Promise.race([
        sleep(wait * (0.5 + Math.random()), undefined, { ref: false }),
        aborted(closing.signal),
      ])
      if (closing.signal.aborted) return
      try {
        if (await connect()) wait = retryMs / 2
      } catch (error) {
        current = undefined
        if (toSentinelError(error).outcome !== 'retriable') throw error
      }
    }
  }

  if (!(await connect())) {
    const { status, reason } = (await current?.ended) ?? { reason: 'closed' }
    const code = status === 401 || status === 403 ? 'NS_LOGIN_REFUSED' : 'NS_SERVICE_UNREACHABLE'
    throw new SentinelError(code, `the gateway at ${options.url} opened no socket: ${reason}`)
  }
  const kept = keepUp().catch(fail)
  return {
    failed,
    close: async () => {
      closing.abort()
      clearTimeout(renewal)
      current?.close()
      await kept
      await current?.ended
    },
  }
}
