import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Channel, CLOSE, Delivery, Notice } from '../../schemas/wire.ts'
import { createBackoff } from './backoff.ts'
import { type LiveConnection, openConnection } from './connection.ts'
import type { TokenKeeper } from './login.ts'
import { createSubscription, type Wanted } from './subscription.ts'
import type { Transport } from './transport.ts'

/** What a client is told about its connection. */
export type ClientState = 'connected' | 'reconnecting'

/** What a client does with what comes. */
export interface Following {
  /** Channels, or channels with a filter. */
  readonly channels: readonly (Channel | Wanted)[]
  /** Gets each threat and alert once, in order per partition, whatever happens to the connection. */
  readonly onDelivery: (delivery: Delivery) => void
  /** Gets what the channels `models` and `system` tell: first what holds, after each connection anew. */
  readonly onNotice?: (notice: Notice) => void
  /** Messages are missing for good: the client was away for longer than the gateway remembers, say. */
  readonly onLost?: (channel: Channel, reason: string) => void
  readonly onState?: (state: ClientState) => void
  /** Longest delay before the first attempt to reconnect, in ms; it doubles up to 150 times this. */
  readonly retryMs?: number
}

interface ClientDeps extends Following {
  readonly transport: Transport
  readonly login: TokenKeeper
  readonly silenceMs?: number
}

/** A connection that keeps itself up. */
export interface Client {
  /** Rejects when the client gives up: it is refused, or told not to come back. Pending otherwise. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

const RETRY_MS = 200
const EXPIRED: (typeof CLOSE)['expired'] = 4010
const FIRST_TERMINAL_CODE = 4_500
/** The gateway, or what it needs, is busy. */
const TOO_MANY = 429

/** What makes reconnecting pointless, if anything does. */
const refusalOf = ({ code, status, reason, isRefused }: Awaited<LiveConnection['ended']>) => {
  const isTurnedAway = status !== undefined && status !== 401 && status !== TOO_MANY && status < 500
  return isRefused || isTurnedAway || code >= FIRST_TERMINAL_CODE
    ? new SentinelError('NS_LOGIN_REFUSED', `the gateway closed the socket (${code}): ${reason}`)
    : undefined
}

/**
 * Opens a WebSocket, subscribes, and keeps all that up: it reconnects with back-off when the close code says that it may, with
 * a fresh token when the old one has run out, and goes on where it was. Resolves when the first subscriptions are confirmed.
 * Throws NS_LOGIN_REFUSED and NS_SERVICE_UNREACHABLE. Runs in browsers, too: it uses nothing of Node.
 */
export const followGateway = async (deps: ClientDeps): Promise<Client> => {
  const { login, channels, onState } = deps
  const session = {
    ...deps,
    onLost: deps.onLost ?? (() => undefined),
    onNotice: deps.onNotice ?? (() => undefined),
    subscriptions: channels.map(each =>
      createSubscription(typeof each === 'string' ? { channel: each } : each),
    ),
  }
  const backoff = createBackoff(deps.retryMs ?? RETRY_MS)
  const failure = Promise.withResolvers<never>()
  // Whoever does not look at `failed` has not left a rejection unhandled.
  failure.promise.catch(() => undefined)
  const closing = Promise.withResolvers<void>()
  let isClosing = false
  let current: LiveConnection | undefined
  let renewal: ReturnType<typeof setTimeout> | undefined

  /** Keeps the socket open beyond its first token. Where that fails, it expires, and is opened anew. */
  const extendLater = () => {
    clearTimeout(renewal)
    if (isClosing) return
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
  const connect = async (): Promise<boolean> => {
    current = await openConnection(await login.accessToken(), session)
    if (isClosing) current.close()
    if (!(await current.subscribed)) return false
    onState?.('connected')
    extendLater()
    return true
  }
  /** Waits for the end of the connection; resolves with how long to wait before the next, and throws when there is none. */
  const outlive = async (): Promise<number> => {
    const ended = await current?.ended
    clearTimeout(renewal)
    if (ended === undefined || isClosing) return 0
    if (ended.status === 401 || ended.code === EXPIRED) login.expire()
    const refusal = refusalOf(ended)
    if (refusal !== undefined) throw refusal
    return ended.waitMs
  }
  const pause = async (ms: number) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const over = new Promise<void>(resolve => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([over, closing.promise])
    clearTimeout(timer)
  }
  const keepUp = async () => {
    for (;;) {
      const waitMs = await outlive()
      if (isClosing) return
      onState?.('reconnecting')
      await pause(waitMs + backoff.next())
      if (isClosing) return
      try {
        if (await connect()) backoff.reset()
      } catch (error) {
        current = undefined
        if (toSentinelError(error).outcome !== 'retriable') throw error
      }
    }
  }

  if (!(await connect())) {
    const ended = await current?.ended
    const isRefused = ended?.status === 401 || (ended !== undefined && refusalOf(ended) !== undefined)
    throw new SentinelError(
      isRefused ? 'NS_LOGIN_REFUSED' : 'NS_SERVICE_UNREACHABLE',
      `the gateway opened no socket: ${ended?.reason ?? 'closed'}`,
    )
  }
  const kept = keepUp().catch(failure.reject)
  return {
    failed: failure.promise,
    close: async () => {
      isClosing = true
      closing.resolve()
      clearTimeout(renewal)
      current?.close()
      await kept
    },
  }
}
