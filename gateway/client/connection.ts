import type { Channel, Delivery, Notice } from '../../schemas/wire.ts'
import type { Confirmation, Subscription } from './subscription.ts'
import type { Connection, Ended, Transport } from './transport.ts'

/** After so long a silence the gateway is asked for a sign of life, in ms; it has half as long to give one. */
const SILENCE_MS = 30_000

/** The client has ended the connection: because it is done, or because it has given it up. */
const CLOSED = 1000
const GIVEN_UP = 1006
const EXTEND_ID = 'extend'

const CHANNEL_OF: Readonly<Record<Delivery['type'], Channel>> = { threat: 'threats', alert: 'alerts' }

/** As much of a message from the gateway as the client looks at; a newer gateway may send other types. */
type Received =
  | Delivery
  | Notice
  | (Confirmation & { readonly type: 'subscribed'; readonly channel: Channel })
  | { readonly type: 'unsubscribed'; readonly channel: Channel }
  | {
      readonly type: 'dropped'
      readonly channel: Channel
      readonly positions?: readonly { readonly partition: number; readonly offset: number }[]
    }
  | { readonly type: 'going-away'; readonly reconnectAfterMs: number }
  | { readonly type: 'error'; readonly message: string; readonly id?: string }

interface SessionDeps {
  readonly transport: Transport
  readonly subscriptions: readonly Subscription[]
  readonly onDelivery: (delivery: Delivery) => void
  readonly onNotice: (notice: Notice) => void
  /** Messages of a channel are missing for good. */
  readonly onLost: (channel: Channel, reason: string) => void
  readonly silenceMs?: number
}

/** The end of a connection, and what the gateway has said for it. */
interface Outcome extends Ended {
  /** The gateway will never serve what was asked for. */
  readonly isRefused: boolean
  /** So long to wait before the next, in ms: the gateway spreads those who come back. */
  readonly waitMs: number
}

/** One connection from its upgrade to its end. */
export interface LiveConnection {
  /** Whether every channel was confirmed. */
  readonly subscribed: Promise<boolean>
  readonly ended: Promise<Outcome>
  /** Shows a newer token, so that the socket outlives the one that it was opened with. */
  extend(accessToken: string): void
  close(): void
}

/** Opens a connection, and subscribes. Throws what the transport throws. */
export const openConnection = async (accessToken: string, deps: SessionDeps): Promise<LiveConnection> => {
  const { transport, onDelivery, onNotice, onLost, silenceMs = SILENCE_MS } = deps
  const subscriptions = new Map(deps.subscriptions.map(each => [each.channel, each]))
  const subscribed = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<Outcome>()
  /** Channels that are asked for and not confirmed yet. */
  const asked = new Set<Channel>()
  let connection: Connection | undefined
  let isOver = false
  let refusal: string | undefined
  let waitMs = 0
  let silence: ReturnType<typeof setTimeout> | undefined

  const end = (how: Ended) => {
    if (isOver) return
    isOver = true
    clearTimeout(silence)
    connection?.close()
    subscribed.resolve(false)
    ended.resolve({ ...how, reason: refusal ?? how.reason, isRefused: refusal !== undefined, waitMs })
  }
  const send = (message: object) => connection?.send(JSON.stringify(message))
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      send({ type: 'ping' })
      silence = setTimeout(() => end({ code: GIVEN_UP, reason: 'the gateway is silent' }), silenceMs / 2)
    }, silenceMs)
  }
  const subscribe = (subscription: Subscription) => {
    if (asked.has(subscription.channel)) return
    asked.add(subscription.channel)
    send(subscription.request())
  }

  const confirmed = (channel: Channel, confirmation: Confirmation) => {
    const lost = subscriptions.get(channel)?.confirmed(confirmation)
    asked.delete(channel)
    if (lost !== undefined) onLost(channel, lost)
    if (asked.size === 0) subscribed.resolve(true)
  }
  const take = (message: Received) => {
    switch (message.type) {
      case 'threat':
      case 'alert':
        if (subscriptions.get(CHANNEL_OF[message.type])?.isNew(message.position) === true) onDelivery(message)
        return
      case 'model':
      case 'retraining':
      case 'presence':
      case 'part':
        return onNotice(message)
      case 'subscribed':
        return confirmed(message.channel, message)
      case 'unsubscribed':
        return onLost(message.channel, 'the user may not read it any more')
      case 'dropped': {
        const subscription = subscriptions.get(message.channel)
        if (subscription === undefined) return
        subscription.thinned(message.positions ?? [])
        return subscribe(subscription)
      }
      case 'going-away':
        waitMs = message.reconnectAfterMs
        return
      case 'error':
        // A newer token that was not taken changes nothing: the socket ends with the old one, and another is opened.
        if (message.id === undefined || message.id === EXTEND_ID) return
        refusal = message.message
        end({ code: GIVEN_UP, reason: refusal })
    }
  }

  let isOpened = false
  const begin = () => {
    // A transport may say that it is open before it has returned.
    if (connection === undefined || !isOpened || isOver) return
    heard()
    for (const subscription of subscriptions.values()) subscribe(subscription)
  }
  connection = await transport.connect(accessToken, {
    opened: () => {
      isOpened = true
      begin()
    },
    message: text => {
      if (isOver) return
      heard()
      take(JSON.parse(text) as Received)
    },
    ended: end,
  })
  if (isOver) connection.close()
  begin()
  return {
    subscribed: subscribed.promise,
    ended: ended.promise,
    extend: newer => send({ type: 'refresh', accessToken: newer, id: EXTEND_ID }),
    close: () => end({ code: CLOSED, reason: 'closed' }),
  }
}
