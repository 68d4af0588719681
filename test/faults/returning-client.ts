import type { FilterExpression } from '../../schemas/filter.ts'
import type { Place } from '../../schemas/wire.ts'

interface ReturningClientOptions {
  /** Addresses to choose from, each time anew. */
  readonly choose: () => string
  readonly accessToken: string
  readonly filter?: FilterExpression
  /** How long it waits until it comes back, in ms. */
  readonly pauseMs: () => number
}

/** A client that comes back whenever its connection ends, and asks for what it missed. It shares no code with the gateway. */
export interface ReturningClient {
  /** The offsets that it was sent, in the order in which they came, by partition. */
  readonly seen: ReadonlyMap<number, readonly number[]>
  /** What should not have happened. */
  readonly problems: readonly string[]
  /** Whether it is connected and live, or on its way there. */
  isSubscribed(): boolean
  /** How often it has come back. */
  returns(): number
  close(): void
}

/** The place at the beginning of a threat's text: with many clients, most of a test would be the parsing of JSON. */
const THREAT = /^\{"type":"threat","position":\{"partition":(\d+),"offset":(\d+),/

/** Starts a client. */
export const startReturningClient = (options: ReturningClientOptions): ReturningClient => {
  const seen = new Map<number, number[]>()
  const last = new Map<number, number>()
  const problems: string[] = []
  let epoch: string | undefined
  let socket: WebSocket | undefined
  let returns = 0
  let isSubscribed = false
  let isClosed = false

  const subscription = () => {
    const positions = [...last].map(([partition, offset]) => ({ partition, offset }))
    return {
      type: 'subscribe',
      channel: 'threats',
      ...(options.filter === undefined ? {} : { filter: options.filter }),
      ...(epoch === undefined ? {} : { resume: { epoch, positions } }),
    }
  }

  const take = (text: string) => {
    const place = THREAT.exec(text)
    if (place !== null) {
      const [partition, offset] = [Number(place[1]), Number(place[2])]
      const offsets = seen.get(partition) ?? []
      seen.set(partition, offsets)
      offsets.push(offset)
      last.set(partition, offset)
      return
    }
    const message = JSON.parse(text) as { type: string; recovered?: boolean } & Place
    if (message.type !== 'subscribed' || message.recovered === false) {
      problems.push(text.slice(0, 300))
      return
    }
    isSubscribed = true
    if (epoch !== undefined) return
    epoch = message.epoch
    for (const { partition, offset } of message.positions) last.set(partition, offset)
  }

  const connect = () => {
    if (isClosed) return
    const headers = { authorization: `Bearer ${options.accessToken}` }
    // Node's own client knows headers, its types do not.
    const given = { headers } as unknown as ConstructorParameters<typeof WebSocket>[1]
    const own = new WebSocket(new URL('/ws', options.choose().replace('http', 'ws')), given)
    socket = own
    own.addEventListener('open', () => own.send(JSON.stringify(subscription())))
    own.addEventListener('message', ({ data }) => take(String(data)))
    own.addEventListener('close', () => {
      isSubscribed = false
      returns += 1
      setTimeout(connect, options.pauseMs())
    })
  }
  connect()
  return {
    seen,
    problems,
    isSubscribed: () => isSubscribed,
    returns: () => returns,
    close: () => {
      isClosed = true
      socket?.close()
    },
  }
}
