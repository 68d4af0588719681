/** Where a server is, and how it is spoken to. */
export interface Target {
  readonly protocol: ProtocolName
  readonly port: number
  readonly token: string
}

/** Where a client comes back to: the channel's epoch, and how many messages it has got. */
export interface Resume {
  readonly epoch: string
  readonly messages: number
}

/** What is spoken with each server, as little of it as a subscriber needs. */
export interface Protocol {
  /** Path of the WebSocket. */
  readonly path: string
  headers(token: string): readonly string[]
  /** What a client says when its socket is open. */
  hello(token: string, resume?: Resume): readonly string[]
  /** What a client answers to a short text. */
  answer(text: string, token: string, resume?: Resume): readonly string[]
  /** Whether a client that comes back gets what it missed. */
  readonly recovers: boolean
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
    recovers: true,
    hello: (_token, resume) => {
      const positions = [{ partition: 0, offset: (resume?.messages ?? 0) - 1 }]
      const asked = resume === undefined ? {} : { resume: { epoch: resume.epoch, positions } }
      return [JSON.stringify({ type: 'subscribe', channel: 'threats', ...asked })]
    },
    answer: () => [],
    isSubscribed: text => text.includes('"type":"subscribed"'),
  },
  'socket.io': {
    path: '/socket.io/?EIO=4&transport=websocket',
    headers: () => [],
    // Its Redis adapter keeps nothing for those who come back.
    recovers: false,
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
    recovers: true,
    hello: token => [`{"id":1,"connect":{"token":"${token}"}}`],
    answer: (text, _token, resume) => {
      if (text.startsWith('{"id":1,')) {
        const from =
          resume === undefined ? {} : { recover: true, epoch: resume.epoch, offset: resume.messages }
        return [JSON.stringify({ id: 2, subscribe: { channel: 'threats', ...from } })]
      }
      return text === '{}' ? ['{}'] : []
    },
    isSubscribed: text => text.startsWith('{"id":2,"subscribe"'),
  },
}
