import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { CLOSE } from '../../schemas/wire.ts'
import { createAccessLog } from '../access-log.ts'
import { isRefusal, type Principal, type SessionProvider } from '../auth/provider.ts'
import type { Tickets } from '../auth/tickets.ts'
import { endWithProblem } from '../problem.ts'
import type { Triage } from '../triage/triage.ts'
import { createAcceptor, type Receiver } from './acceptor.ts'
import type { Feed } from './feed.ts'
import type { Hub } from './hub.ts'
import { type Beyond, createSocketGate, isBeyond, type SocketLimits } from './limits.ts'
import type { Notices } from './notices.ts'
import type { Flusher } from './outbox.ts'
import { countedOf, createAddressOf } from './peer.ts'
import type { Recovery } from './recovery.ts'
import { createSession, type Session, type SessionLimits, type SessionSocket } from './session.ts'
import { checkHandshake, judgeUpgrade, type UpgradeRefusal } from './upgrade.ts'

/** How often every session looks at the clock, in ms. */
const TICK_MS = 500

/** Sockets that are closed in one turn of the event loop when the gateway shuts down. */
const SLICE = 100
/** Within this time at least the clients of a gateway that shuts down come back, in ms. */
const MIN_SPREAD_MS = 1_000

/** Limits that a socket is closed for, by the code. */
const LIMITS: Readonly<Partial<Record<number, string>>> = {
  [CLOSE.tooMuch]: 'messages',
  [CLOSE.slow]: 'queue',
}

const SHUTTING_DOWN: UpgradeRefusal = { status: 503, detail: 'the gateway shuts down', retryAfterS: 1 }

/** Settings of the sockets. */
export interface SocketSettings extends SessionLimits, SocketLimits {
  readonly origins: readonly string[]
  readonly trustedProxies: readonly string[]
  /** How long a client has to answer a close, in ms; then its connection is cut. */
  readonly closeTimeoutMs: number
  /** Whether clients that offer permessage-deflate get it. */
  readonly deflate: boolean
  /** Whether each socket is a line in the log at the level info. */
  readonly accessLog: boolean
}

interface SocketsDeps {
  readonly server: Server
  readonly auth: Pick<SessionProvider, 'validateToken' | 'recheck'>
  readonly tickets: Tickets
  readonly hub: Hub
  readonly triage: Pick<Triage, 'act'>
  readonly notices: Notices
  readonly feed: Feed
  readonly recovery: Recovery
  readonly flusher: Flusher
  readonly settings: SocketSettings
  readonly log: Log
  readonly metrics: Metrics
  readonly now: () => number
}

/** The open sockets of a gateway. */
export interface Sockets {
  readonly count: number
  /** The users of the sockets that are open, one for each socket. */
  users(): readonly string[]
  /** Looks at a user's sockets again: closes those that are no longer good, and takes away what the role lost. */
  recheck(userId: string): Promise<void>
  /** Refuses further upgrades, asks every client to reconnect, and resolves when all sockets are gone. */
  close(): Promise<void>
}

/** Serves WebSockets on an HTTP server: every request is authenticated before it is upgraded. */
export const createSockets = (deps: SocketsDeps): Sockets => {
  const { server, hub, settings, log, metrics } = deps
  const sessions = new Set<Session>()
  const gate = createSocketGate(settings, deps.now)
  const addressOf = createAddressOf(settings.trustedProxies)
  let isClosing = false
  const emptied = Promise.withResolvers<void>()
  const acceptor = createAcceptor(deps)
  const access = createAccessLog({ log, accessLog: settings.accessLog })

  for (const code of Object.values(CLOSE)) metrics.closes.inc({ code: String(code) }, 0)

  const open = (socket: SessionSocket, principal: Principal, address: string): Receiver => {
    const openedAt = deps.now()
    access.note('socket opened', { principal, address })
    const session = createSession({
      principal,
      address,
      triage: deps.triage,
      notices: deps.notices,
      onError: error => log.error({ err: error }, 'a message of a client failed'),
      auth: deps.auth,
      hub,
      feed: deps.feed,
      recovery: deps.recovery,
      limits: settings,
      now: deps.now,
      socket: {
        ...socket,
        close: code => {
          metrics.closes.inc({ code: String(code) })
          const limit = LIMITS[code]
          if (limit !== undefined) metrics.limited.inc({ limit })
          socket.close(code)
        },
      },
    })
    sessions.add(session)
    metrics.sockets.set(sessions.size)
    return {
      message: (data, isBinary) => session.receive(isBinary ? undefined : data.toString('utf8')),
      control: session.receiveControl,
      closing: session.closed,
      closed: status => {
        session.closed()
        access.note('socket closed', { principal, address, status, ms: deps.now() - openedAt })
        sessions.delete(session)
        metrics.sockets.set(sessions.size)
        if (isClosing && sessions.size === 0) emptied.resolve()
      },
    }
  }

  const upgrade = async (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const address = addressOf(request.socket.remoteAddress, request)
    const turnAway = (refusal: UpgradeRefusal, isQuiet = false) => {
      access.note('socket refused', { principal: null, address, status: refusal.status }, isQuiet)
      metrics.upgradesRefused.inc({ status: String(refusal.status) })
      endWithProblem(stream, refusal.status, refusal.detail, refusal.retryAfterS)
    }
    const turnAwayBeyond = (beyond: Beyond) => {
      metrics.limited.inc({ limit: beyond.limit })
      turnAway(beyond, true)
    }
    if (isClosing) return turnAway(SHUTTING_DOWN)
    const place = gate.enter(countedOf(address))
    if (isBeyond(place)) return turnAwayBeyond(place)
    stream.once('close', place.leave)
    const verdict =
      checkHandshake(request) ?? (await judgeUpgrade(request, { ...deps, origins: settings.origins }))
    if ('status' in verdict) return turnAway(verdict)
    if (isClosing) return turnAway(SHUTTING_DOWN)
    if (stream.destroyed) return
    const beyond = place.ofUser(verdict.principal.userId)
    if (beyond !== undefined) return turnAwayBeyond(beyond)
    acceptor.accept(request, stream, head, socket => open(socket, verdict.principal, address))
  }

  /** Tells every client to go, and when to come back: other gateways take only so many at a time. */
  const sendAway = async () => {
    const leaving = [...sessions]
    const spreadMs = Math.max(MIN_SPREAD_MS, (leaving.length / settings.upgradesPerSecond) * 2_000)
    for (const [index, session] of leaving.entries()) {
      session.sendAway(Math.round(((index + Math.random()) / leaving.length) * spreadMs))
      if (index % SLICE === SLICE - 1) await new Promise(resolve => setImmediate(resolve))
    }
  }

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Without a listener, a client that goes away while it is being authenticated would end the process.
    stream.on('error', error => log.debug({ problem: messageOf(error) }, 'connection failed'))
    upgrade(request, stream, head).catch((error: unknown) => {
      log.error({ err: error }, 'an upgrade failed')
      stream.destroy()
    })
  }
  server.on('upgrade', onUpgrade)

  const endReading = metrics.onScrape(() => {
    let [sum, max] = [0, 0]
    for (const { queuedBytes } of sessions) {
      sum += queuedBytes
      max = Math.max(max, queuedBytes)
    }
    metrics.queuedBytes.set({ of: 'sum' }, sum)
    metrics.queuedBytes.set({ of: 'max' }, max)
  })

  const timer = setInterval(() => {
    for (const session of sessions) session.tick()
  }, TICK_MS)

  return {
    get count() {
      return sessions.size
    },
    users: () => [...sessions].map(({ principal }) => principal.userId),
    recheck: async userId => {
      for (const session of [...sessions]) {
        if (session.principal.userId !== userId) continue
        const principal = await deps.auth.recheck(session.principal)
        if (isRefusal(principal)) session.close(CLOSE.revoked)
        else session.become(principal)
      }
    },
    close: async () => {
      if (!isClosing) {
        isClosing = true
        clearInterval(timer)
        endReading()
        await sendAway()
        if (sessions.size === 0) emptied.resolve()
      }
      await emptied.promise
    },
  }
}
