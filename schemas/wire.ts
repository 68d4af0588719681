import { z } from 'zod'
import { filterExpression, isFilterProblem, parseFilter, SEVERITIES } from './filter.ts'
import type { Alert, Threat } from './generated.ts'

/** The WebSocket subprotocol that a browser offers beside its ticket; the gateway answers with it. */
export const SUBPROTOCOL = 'netsentinel.v1'

/** Prefix of the subprotocol that carries a one-use ticket: `ticket.<id>`. */
export const TICKET_PREFIX = 'ticket.'

/** Channels a client can subscribe to. */
export const CHANNELS = ['threats', 'alerts', 'models', 'system'] as const

/** A channel. */
export type Channel = (typeof CHANNELS)[number]

/**
 * Where a message stands in its channel: partition and offset in Kafka, and the offset of the data record before it in
 * that partition (offsets have holes). `previous` is null where the sender does not know it. A receiver whose last
 * offset differs from `previous` has missed something.
 */
export interface Position {
  readonly partition: number
  readonly offset: number
  readonly previous: number | null
}

const whole = z.int().min(0)

/** More partitions than a topic has. */
const MAX_POSITIONS = 10_000

const resume = z
  .strictObject({
    epoch: z.string().max(64).optional(),
    positions: z.array(z.strictObject({ partition: whole, offset: z.int().min(-1) })).max(MAX_POSITIONS),
  })
  .describe(
    'Asks for what was missed, before what is live: the last position that was seen of each partition (of one that is not ' +
      'named, none was), and the epoch that they belong to (the one at present when not given).',
  )

/** How far a client has come in a channel. */
export type Resume = z.output<typeof resume>

/** A place in a channel. Offsets belong to an epoch: a new one begins when the topic is made anew. */
export interface Place {
  readonly epoch: string
  readonly positions: readonly { readonly partition: number; readonly offset: number }[]
}

const LOST = ['too-old', 'other-epoch'] as const

/** Why what follows is not all that lies behind the last position of a client. */
export type Lost = (typeof LOST)[number]

/** What a client may send. */
export const clientMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribe'),
    channel: z.enum(CHANNELS),
    id: z.string().max(64).optional(),
    /** Which of its messages; all that the client may see when not given. */
    filter: filterExpression.optional(),
    resume: resume.optional(),
  }),
  z.strictObject({
    type: z.literal('unsubscribe'),
    channel: z.enum(CHANNELS),
    id: z.string().max(64).optional(),
  }),
  z.strictObject({ type: z.literal('ping'), id: z.string().max(64).optional() }),
  z
    .strictObject({
      type: z.literal('acknowledge'),
      alertId: z.string().min(1).max(256),
      revision: z.int().min(1).max(2_147_483_647).optional(),
      comment: z.string().min(1).max(2_000).optional(),
      id: z.string().max(64).optional(),
    })
    .describe('Acknowledges an alert, unless it has changed since `revision`, where that is given.'),
  z
    .strictObject({
      type: z.literal('refresh'),
      accessToken: z.string().max(8_192),
      id: z.string().max(64).optional(),
    })
    .describe('A newer access token of the same user: the socket lives as long as it.'),
])

/** A message from a client, checked. */
export type ClientMessage = z.output<typeof clientMessage>

/** Why a text is no message of a client. `id` repeats that of the message, where it has one. */
export interface WrongMessage {
  readonly wrong: 'bad-message' | 'bad-filter'
  readonly message: string
  readonly id?: string
}

const filtered = z.looseObject({
  channel: z.enum(CHANNELS),
  filter: z.unknown().refine(filter => filter !== undefined),
  id: z.string().max(64).optional(),
})

const filterOf = (channel: Channel, filter: unknown) =>
  channel === 'threats' || channel === 'alerts'
    ? parseFilter(filter, channel)
    : { problem: `${channel} takes no filter` }

/** Reads what a client sent; undefined stands for what is not text. Never throws. */
export const parseClientMessage = (text: string | undefined): ClientMessage | WrongMessage => {
  const wrong: WrongMessage = { wrong: 'bad-message', message: 'this message is not in the protocol' }
  if (text === undefined) return wrong
  try {
    const value: unknown = JSON.parse(text)
    const { data: asked } = filtered.safeParse(value)
    const filter = asked === undefined ? {} : filterOf(asked.channel, asked.filter)
    if (isFilterProblem(filter)) {
      const id = asked?.id === undefined ? {} : { id: asked.id }
      return { wrong: 'bad-filter', message: filter.problem, ...id }
    }
    return clientMessage.safeParse(value).data ?? wrong
  } catch {
    // Not JSON: the client is told so, like for any other message that is not in the protocol.
    return wrong
  }
}

const position = z.strictObject({ partition: whole, offset: whole, previous: whole.nullable() })

const severity = z.enum(SEVERITIES)

/**
 * Structure of what gateways hand to each other. Fields that clients stand on are checked; further ones may come with a
 * newer release beside this one, and are passed on.
 */
const delivery = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('threat'),
    position,
    data: z.looseObject({
      id: z.string().min(1),
      time: z.number(),
      entity: z.string(),
      score: z.number(),
      severity,
      modelVersion: z.string(),
      modelScores: z.record(z.string(), z.number()),
      contributions: z.array(z.looseObject({ feature: z.string(), value: z.number(), share: z.number() })),
      techniques: z.array(z.string()),
      eventOffset: whole,
      event: z.looseObject({
        id: z.string().min(1),
        time: z.number(),
        source: z.string(),
        sensor: z.string().nullable(),
        type: z.string(),
        title: z.string(),
        category: z.string(),
        entity: z.string(),
        original: z.string(),
        origin: z.looseObject({ topic: z.string(), partition: whole, offset: whole, timestamp: z.number() }),
      }),
    }),
  }),
  z.strictObject({
    type: z.literal('alert'),
    position,
    data: z.looseObject({
      id: z.string().min(1),
      revision: whole,
      status: z.enum(['open', 'acknowledged', 'resolved', 'closed']),
      severity,
      rule: z.string(),
      title: z.string(),
      entity: z.string(),
      score: z.number(),
      techniques: z.array(z.string()),
      firstSeen: z.number(),
      lastSeen: z.number(),
      count: whole,
      threatIds: z.array(z.string()),
      sensors: z.array(z.string()),
      change: z.enum(['opened', 'grew', 'escalated', 'triaged', 'reopened', 'closed']),
      reason: z.string(),
    }),
  }),
])

/** A threat or an alert with its place: what one gateway publishes and every gateway delivers. */
export type Delivery =
  | { readonly type: 'threat'; readonly position: Position; readonly data: Threat }
  | { readonly type: 'alert'; readonly position: Position; readonly data: Alert }

/** A threat or an alert without its place. */
export type Content = {
  [T in Delivery['type']]: Omit<Extract<Delivery, { type: T }>, 'position'>
}[Delivery['type']]

/** What the gateway sends beside deliveries. `id` repeats the id of the request that is answered. */
const notice = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('subscribed'),
      channel: z.enum(CHANNELS),
      epoch: z.string(),
      positions: z.array(z.strictObject({ partition: whole, offset: whole })).readonly(),
      recovered: z.boolean().optional(),
      reason: z.enum(LOST).optional(),
      id: z.string().optional(),
    })
    .describe(
      'All that lies behind the positions follows. `recovered` answers `resume`: when it is false, what follows does not ' +
        'begin where the client was, for the reason given. That comes unasked too, when a channel cannot be continued.',
    ),
  z.strictObject({ type: z.literal('unsubscribed'), channel: z.enum(CHANNELS), id: z.string().optional() }),
  z.strictObject({ type: z.literal('pong'), id: z.string().optional() }),
  z
    .strictObject({ type: z.literal('refreshed'), expiresAt: z.int(), id: z.string().optional() })
    .describe('The socket lives until `expiresAt`, in ms since 1970 (UTC).'),
  z
    .strictObject({
      type: z.literal('acknowledged'),
      alertId: z.string(),
      revision: whole,
      id: z.string().optional(),
    })
    .describe('The decision is kept; the alert will have this revision, or a later one.'),
  z
    .strictObject({
      type: z.literal('model'),
      role: z.enum(['champion', 'challenger']),
      event: z.enum(['promoted', 'rolled-back', 'tried', 'withdrawn']),
      version: z.string().nullable(),
      at: z.int().nullable(),
      reason: z.string().nullable(),
    })
    .describe('Of the channel `models`: which model has a role, since when (ms since 1970, UTC), and why.'),
  z
    .strictObject({
      type: z.literal('retraining'),
      job: z.string(),
      state: z.enum(['waiting', 'active', 'completed', 'failed']),
      trigger: z.string(),
      progress: z.strictObject({ phase: z.string(), done: z.number() }).nullable(),
      result: z
        .strictObject({
          outcome: z.enum(['promoted', 'rejected', 'rolled-back', 'failed']),
          version: z.string().nullable(),
          reason: z.string(),
        })
        .nullable(),
    })
    .describe(
      'Of the channel `models`: how far a retraining has come (`done` is 0 to 1, of the phase), and what came of it: ' +
        'a model that is not good enough is `rejected`, with the reason.',
    ),
  z
    .strictObject({ type: z.literal('presence'), gateways: whole, users: whole, sockets: whole })
    .describe('Of the channel `system`: how many there are, over all gateways.'),
  z
    .strictObject({ type: z.literal('part'), part: z.string(), state: z.enum(['away', 'back']) })
    .describe('Of the channel `system`: something that the gateway stands on is away, or back.'),
  z
    .strictObject({ type: z.literal('going-away'), reconnectAfterMs: whole })
    .describe('The gateway shuts down, and closes the socket. Wait so long, in ms, before you open another.'),
  z
    .strictObject({
      type: z.literal('dropped'),
      channel: z.enum(CHANNELS),
      count: whole,
      severities: z.partialRecord(severity, whole),
      positions: z.array(z.strictObject({ partition: whole, offset: z.int().min(-1) })),
    })
    .describe(
      'The client reads too slowly: so many messages were left out, none of them critical. To resume from `positions` ' +
        'brings them, and again what came behind them.',
    ),
  z.strictObject({
    type: z.literal('error'),
    code: z.string(),
    message: z.string(),
    id: z.string().optional(),
  }),
])

/** What the gateway sends. */
export type ServerMessage = Readonly<z.output<typeof notice>> | Delivery

/** What the channels `models` and `system` tell. */
export type Notice = Extract<ServerMessage, { type: 'model' | 'retraining' | 'presence' | 'part' }>

/** The form of every message that the gateway sends, one for each type. */
export const SERVER_MESSAGES = [...notice.options, ...delivery.options]

/** The delivery in a text that came over the wire; undefined when it is not one. */
export const parseDelivery = (text: string): Delivery | undefined => {
  try {
    return delivery.safeParse(JSON.parse(text)).data as Delivery | undefined
  } catch {
    // Not JSON is one more way of not being a delivery.
    return undefined
  }
}

/** Where a content is put that is only looked at. */
const NOWHERE: Position = { partition: 0, offset: 0, previous: null }

/** A threat or an alert as JSON; undefined when it does not fit the wire schema, as one does that has a number JSON has not. */
export const writeData = (content: Content): string | undefined =>
  delivery.safeParse({ ...content, position: NOWHERE }).success ? JSON.stringify(content.data) : undefined

/** A delivery as JSON, made of the JSON of what it carries. */
export const writeDelivery = (type: Delivery['type'], at: Position, data: string): string =>
  `{"type":"${type}","position":${JSON.stringify(at)},"data":${data}}`

/** Close codes of the gateway: 4000–4499 ask the client to reconnect, 4500–4999 tell it not to. */
export const CLOSE = {
  goingAway: 4001,
  slow: 4008,
  stale: 4009,
  expired: 4010,
  protocol: 4500,
  tooMuch: 4501,
  revoked: 4502,
} as const

/** What each close code says. */
export const CLOSE_MEANING: Readonly<Record<keyof typeof CLOSE, string>> = {
  goingAway: 'The gateway shuts down; reconnect.',
  slow: 'The client reads too slowly and its queue is full; reconnect.',
  stale: 'The client did not answer pings; reconnect.',
  expired: 'The access token has expired; log in or refresh, then reconnect.',
  protocol: 'The client sent something that is not in the protocol; do not reconnect without a change.',
  tooMuch: 'The client sends too much; do not reconnect at once.',
  revoked: 'The session was ended, or its user may no longer log in; do not reconnect without a new login.',
}

/** Answer of `POST /auth/login` and `POST /auth/refresh`: opaque to the client but for its names. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds until the access token expires. */
  readonly expiresIn: number
}
