import {
  CHANNELS,
  type Channel,
  CLOSE,
  type ClientMessage,
  parseClientMessage,
  type ServerMessage,
} from '../../schemas/wire.ts'
import { CHANNEL_PERMISSION, isGranted } from '../auth/permissions.ts'
import { isRefusal, type Principal, type Refusal, type SessionProvider } from '../auth/provider.ts'
import type { Triage } from '../triage/triage.ts'
import { acknowledge } from './acknowledge.ts'
import type { Feed } from './feed.ts'
import { both, compileFilter, EVERYTHING, type Filter, visibleTo } from './filter.ts'
import { textFrame } from './frame.ts'
import type { Hub, Subscriber } from './hub.ts'
import { isNoticeChannel, type NoticeChannel, type Notices } from './notices.ts'
import type { Outbox } from './outbox.ts'
import type { Recovery } from './recovery.ts'

/** Wrong messages that a client may send before it is closed. */
const MAX_MISTAKES = 5

/** Share of its queue that is filled with what a client missed: the rest is for what is live. */
const RECOVERY_SHARE = 0.25

/** A close code of the protocol. */
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE]

/** What a session does to its socket. */
export interface SessionSocket {
  readonly outbox: Outbox
  ping(): void
  /** Begins the closing handshake; the socket is gone soon after, whether the client answers or not. */
  close(code: CloseCode): void
}

/** What a session keeps to. */
export interface SessionLimits {
  readonly messagesPerSecond: number
  /** Bytes that may wait for the socket. */
  readonly queueBytes: number
  readonly pingMs: number
  readonly expiryGraceMs: number
}

interface SessionDeps {
  readonly principal: Principal
  readonly auth: Pick<SessionProvider, 'validateToken'>
  readonly socket: SessionSocket
  readonly hub: Hub
  readonly feed: Pick<Feed, 'placeOf'>
  readonly recovery: Recovery
  readonly notices: Pick<Notices, 'latest'>
  readonly limits: SessionLimits
  readonly triage: Pick<Triage, 'act'>
  /** Network address of the client. */
  readonly address: string
  /** A failure that is nobody's but ours. */
  readonly onError: (error: unknown) => void
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** One open socket: what its client asks for, and when it has to go. */
export interface Session {
  readonly principal: Principal
  /** Bytes that wait for its client. */
  readonly queuedBytes: number
  /** What its user may do has changed: subscriptions that are no longer allowed end, and the client is told. */
  become(principal: Principal): void
  /** A message came; undefined stands for one that is not text. */
  receive(text: string | undefined): void
  /** A control frame came. Pongs count as messages too, so that no flood of them is free. */
  receiveControl(): void
  /** Looks at the clock: pings, and closes a socket that is stale or whose token has expired. */
  tick(): void
  /** Closes the socket; does nothing when it is closed or closing. */
  close(code: CloseCode): void
  /** Tells the client that the gateway goes away and how long to wait before it comes back, in ms, and closes the socket. */
  sendAway(reconnectAfterMs: number): void
  /** The socket is gone. */
  closed(): void
}

/** Starts a session for an authenticated client. */
export const createSession = ({ auth, socket, hub, feed, limits, now, ...deps }: SessionDeps): Session => {
  let principal = deps.principal
  /** What the client has asked for of each channel, apart from what it may see. */
  const wanted: Partial<Record<Channel, Filter>> = {}
  /** Channels that the client comes back to and is not live on yet, each by the subscription that counts. */
  const returning: Partial<Record<Channel, symbol | undefined>> = {}
  const burst = limits.messagesPerSecond * 2
  let allowance = burst
  let refilledAt = now()
  let mistakes = 0
  let pingedAt = now()
  let isAlive = true
  let isOpen = true

  const leave = () => {
    isOpen = false
    for (const channel of CHANNELS) returning[channel] = undefined
    hub.leave(subscriber)
    socket.outbox.close()
  }
  const close = (code: CloseCode) => {
    if (!isOpen) return
    leave()
    socket.close(code)
  }
  const subscriber: Subscriber = {
    send: batch => {
      if (!socket.outbox.addAll(batch)) close(CLOSE.slow)
    },
  }
  const send = (frame: Buffer) => {
    if (!socket.outbox.add(frame)) close(CLOSE.slow)
  }
  const reply = (message: ServerMessage) => send(textFrame(JSON.stringify(message)))

  const isWithinRate = (): boolean => {
    const time = now()
    allowance = Math.min(burst, allowance + ((time - refilledAt) / 1000) * limits.messagesPerSecond)
    refilledAt = time
    allowance -= 1
    if (allowance >= 0) return true
    close(CLOSE.tooMuch)
    return false
  }

  const filterOf = (channel: Channel) => both(visibleTo(principal), wanted[channel] ?? EVERYTHING)

  /** Subscribes to what the client has asked for, as far as it may see it. */
  const goLive = (channel: Channel) => {
    returning[channel] = undefined
    hub.subscribe(channel, subscriber, filterOf(channel))
  }

  const unsubscribe = (channel: Channel) => {
    returning[channel] = undefined
    hub.unsubscribe(channel, subscriber)
  }

  const become = (next: Principal) => {
    principal = next
    for (const channel of CHANNELS) {
      const isLive = hub.isSubscribed(channel, subscriber)
      if (!isLive && returning[channel] === undefined) continue
      if (!isGranted(principal, CHANNEL_PERMISSION[channel])) {
        unsubscribe(channel)
        reply({ type: 'unsubscribed', channel })
      } else if (isLive) goLive(channel)
    }
  }

  /** Takes a newer token: of the same user, or the socket would speak for two. */
  const refresh = async ({ accessToken, id }: Extract<ClientMessage, { type: 'refresh' }>) => {
    const refuse = (code: string, text: string) => reply({ type: 'error', code, message: text, ...asked })
    const asked = id === undefined ? {} : { id }
    let next: Principal | Refusal
    try {
      next = await auth.validateToken(accessToken)
    } catch {
      // What tokens are checked with is away. The old one goes on to hold until it expires.
      return refuse('unavailable', 'the token cannot be checked at this moment')
    }
    if (!isOpen) return
    if (isRefusal(next) || next.userId !== principal.userId) {
      return refuse('refused', 'this token does not extend this socket')
    }
    become(next)
    reply({ type: 'refreshed', expiresAt: next.expiresAt, ...asked })
  }

  /** What a channel of notices holds, and then what comes. */
  const follow = (channel: NoticeChannel, asked: { id?: string }) => {
    reply({ type: 'subscribed', channel, epoch: '', positions: [], ...asked })
    for (const notice of deps.notices.latest(channel)) reply(notice)
    if (isOpen) goLive(channel)
  }

  type Subscribe = Extract<ClientMessage, { type: 'subscribe' }>

  /** Sends what was missed, and then what is live. */
  const recover = (
    channel: Exclude<Channel, NoticeChannel>,
    resume: NonNullable<Subscribe['resume']>,
    asked: { id?: string },
  ) => {
    const turn = Symbol(channel)
    let judged = principal
    let filter = filterOf(channel)
    returning[channel] = turn
    void deps.recovery.recover(channel, resume, {
      isWaiting: () => returning[channel] === turn,
      hasRoom: () => socket.outbox.bytes < limits.queueBytes * RECOVERY_SHARE,
      begin: (place, reason) => {
        const why = reason === undefined ? {} : { reason }
        reply({ type: 'subscribed', channel, ...place, recovered: reason === undefined, ...why, ...asked })
      },
      send: ({ delivery, frame }) => {
        if (principal !== judged) filter = filterOf(channel)
        judged = principal
        if (filter.matches(delivery.data)) send(frame())
      },
      goLive: () => goLive(channel),
    })
  }

  const subscribe = ({ channel, filter, resume, ...message }: Subscribe) => {
    const asked = message.id === undefined ? {} : { id: message.id }
    if (!isGranted(principal, CHANNEL_PERMISSION[channel])) {
      reply({
        type: 'error',
        code: 'forbidden',
        message: `your role may not read ${channel}`,
        ...asked,
      })
      return
    }
    unsubscribe(channel)
    if (isNoticeChannel(channel)) {
      follow(channel, asked)
      return
    }
    wanted[channel] = filter === undefined ? EVERYTHING : compileFilter(filter)
    if (resume !== undefined) {
      recover(channel, resume, asked)
      return
    }
    reply({ type: 'subscribed', channel, ...feed.placeOf(channel), ...asked })
    // After the reply, so that no message of a channel precedes it.
    if (isOpen) goLive(channel)
  }

  const answer = (message: Exclude<ClientMessage, { type: 'refresh' }>): void => {
    const asked = message.id === undefined ? {} : { id: message.id }
    switch (message.type) {
      case 'ping':
        reply({ type: 'pong', ...asked })
        return
      case 'unsubscribe':
        unsubscribe(message.channel)
        reply({ type: 'unsubscribed', channel: message.channel, ...asked })
        return
      case 'subscribe':
        subscribe(message)
        return
      case 'acknowledge':
        acknowledge(deps.triage, { principal, address: deps.address }, message)
          .then(reply)
          .catch((error: unknown) => {
            deps.onError(error)
            reply({ type: 'error', code: 'failed', message: 'something went wrong here', ...asked })
          })
        return
    }
  }

  return {
    get queuedBytes() {
      return socket.outbox.bytes
    },
    get principal() {
      return principal
    },
    become: next => {
      if (isOpen) become(next)
    },
    receive: text => {
      if (!isOpen || !isWithinRate()) return
      isAlive = true
      const message = parseClientMessage(text)
      if ('wrong' in message) {
        const { wrong: code, ...rest } = message
        if (code === 'bad-message') mistakes += 1
        if (mistakes > MAX_MISTAKES) return close(CLOSE.protocol)
        return reply({ type: 'error', code, ...rest })
      }
      if (message.type === 'refresh') {
        void refresh(message)
        return
      }
      answer(message)
    },
    receiveControl: () => {
      if (isOpen && isWithinRate()) isAlive = true
    },
    tick: () => {
      if (!isOpen) return
      const time = now()
      if (time >= principal.expiresAt + limits.expiryGraceMs) return close(CLOSE.expired)
      if (time - pingedAt < limits.pingMs) return
      if (!isAlive) return close(CLOSE.stale)
      pingedAt = time
      isAlive = false
      socket.ping()
    },
    close,
    sendAway: reconnectAfterMs => {
      reply({ type: 'going-away', reconnectAfterMs })
      close(CLOSE.goingAway)
    },
    closed: () => {
      if (isOpen) leave()
    },
  }
}
