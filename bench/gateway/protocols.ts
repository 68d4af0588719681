/** Where a server is, and how it is spoken to. */
export interface Target {
  readonly protocol: ProtocolName
  readonly port: number
  readonly token: string
}

/** What is spoken with each server, as little of it as a subscriber needs. */
export interface Protocol {
  /** Path of the WebSocket. */
  readonly path: string
  headers(token: string): readonly string[]
  /** What a client says when its socket is open. */
  hello(token: string): readonly string[]
  /** What a client answers to a short text. */
  answer(text: string, token: string): readonly string[]
  /** Whether a text confirms the subscription. */
  isSubscribed(text: string): boolean
}

/** The servers that can be spoken to. */
export type ProtocolName = 'netsentinel' | 'socket.io' | 'centrifuge'

/** Each server's protocol. */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  netsentinel: {
    path: '/ws',
    headers: token => [`Authorization: Bearer ${token}`],
    hello: () => ['{"type":"subscribe","channel":"threats"}'],
    answer: () => [],
    isSubscribed: text => text.includes('"type":"subscribed"'),
  },
  'socket.io': {
    path: '/socket.io/?EIO=4&transport=websocket',
    headers: () => [],
    hello: () => [],
    answer: (text, token) => {
      if (text.startsWith('0')) return [`40{"token":"${token}"}`]
      if (text.startsWith('40')) return ['420["subscribe","threats"]']
      return text === '2' ? ['3'] : []
    },
    isSubscribed: text => text.startsWith('430'),
  },
  centrifuge: {
    path: '/connection/websocket',
    headers: () => [],
    hello: token => [`{"id":1,"connect":{"token":"${token}"}}`],
    answer: text => {
      if (text.startsWith('{"id":1,')) return ['{"id":2,"subscribe":{"channel":"threats"}}']
      return text === '{}' ? ['{}'] : []
    },
    isSubscribed: text => text.startsWith('{"id":2,"subscribe"'),
  },
}
