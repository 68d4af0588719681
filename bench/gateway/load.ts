import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROTOCOLS, type Resume, type Target } from './protocols.ts'
import { clientFrame, createReader } from './reader.ts'

/** Sockets that are opened at a time: usually, and when all come back at once. */
const OPENING = 50
const STORMING = 250
/** As much of a message as is looked at, in bytes: the time of sending is at its beginning. */
const HEAD = 300
const PONG = 0x8a
/** When a message was sent, in ms since 1970. */
const TIME = /"modelVersion":"(\d+(?:\.\d+)?)"/

/** What the benchmark asks of a process that holds clients; each is answered once. */
export type LoadRequest =
  /** Opens so many clients beside those that the group has. */
  | {
      readonly ask: 'open'
      readonly group: string
      readonly target: Target
      readonly count: number
      readonly sampledEvery: number
    }
  /** Answers when each client of the group has got so many messages more, or the time is over. */
  | { readonly ask: 'expect'; readonly group: string; readonly messages: number; readonly withinMs: number }
  /** So many clients come back at once, and want so many messages that they have missed. */
  | {
      readonly ask: 'return'
      readonly group: string
      readonly target: Target
      readonly count: number
      readonly seen: number
      readonly missed: number
    }
  /** Opens a client beside the others, that reads nothing once it is subscribed. */
  | { readonly ask: 'deafen'; readonly group: string; readonly target: Target }
  /** Closes the clients that read nothing. */
  | { readonly ask: 'undeafen'; readonly group: string }
  /** Closes all clients of the group but the first so many. */
  | { readonly ask: 'keep'; readonly group: string; readonly count: number }

/** What came of it. */
export interface LoadAnswer {
  readonly received: number
  readonly clients: number
  /** In ms, of the messages of the clients that are looked at. */
  readonly latencies: readonly number[]
  /** Times that a client found something to read: with `received`, how many messages came in one. */
  readonly reads: number
}

interface Client {
  readonly socket: Socket
  received: number
}

interface Group {
  readonly clients: Client[]
  /** Sockets of clients that read nothing. */
  readonly deaf: Socket[]
  latencies: number[]
  reads: number
  /** Of the channel, where the server has said it. */
  epoch: string
}

const groups = new Map<string, Group>()
const groupOf = (name: string): Group => {
  const group = groups.get(name) ?? { clients: [], deaf: [], latencies: [], reads: 0, epoch: '' }
  groups.set(name, group)
  return group
}

/** What one client is for. */
interface Role {
  /** The delay of what it gets is taken. */
  readonly isSampled?: boolean
  /** It comes back, and is there when it has so many messages more. */
  readonly returning?: Resume & { readonly missed: number }
}

const countIn = (text: string): number => text.split('"modelVersion"').length - 1

const openClient = (group: Group, target: Target, { isSampled = false, returning }: Role): Promise<void> => {
  const { port, token } = target
  const protocol = PROTOCOLS[target.protocol]
  const socket = connect(port, '127.0.0.1')
  const client: Client = { socket, received: 0 }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const say = (texts: readonly string[]) => {
    for (const text of texts) socket.write(clientFrame(text))
  }
  const read = createReader(
    {
      message: head => {
        client.received += returning === undefined ? 1 : countIn(head)
        if (returning !== undefined && client.received >= returning.missed) resolve()
        if (isSampled)
          group.latencies.push(performance.timeOrigin + performance.now() - Number(TIME.exec(head)?.[1]))
      },
      short: text => {
        say(protocol.answer(text, token, returning))
        group.epoch = /"epoch":"([^"]*)"/.exec(text)?.[1] ?? group.epoch
        if (protocol.isSubscribed(text) && (returning === undefined || !protocol.recovers)) resolve()
      },
      ping: () => socket.write(clientFrame('', PONG)),
      closed: () => socket.destroy(),
    },
    returning === undefined ? (isSampled ? HEAD : 0) : Number.POSITIVE_INFINITY,
  )
  let head = ''
  const onHead = (chunk: Buffer) => {
    head += chunk.toString('latin1')
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(head.slice(0, end)))
    socket.off('data', onHead)
    socket.on('data', (bytes: Buffer) => {
      group.reads += 1
      read(bytes)
    })
    say(protocol.hello(token, returning))
    const rest = Buffer.from(head.slice(end + 4), 'latin1')
    if (rest.length > 0) read(rest)
  }
  socket.setNoDelay(true)
  socket.on('data', onHead)
  socket.on('error', reject)
  socket.on('close', () => {
    reject(new Error(`${target.protocol} closed a socket`))
    const place = group.clients.indexOf(client)
    if (place >= 0) group.clients.splice(place, 1)
  })
  const lines = [
    `GET ${protocol.path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...protocol.headers(token),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  group.clients.push(client)
  return promise
}

/** Opens so many, some at a time. */
const openMany = async (count: number, atOnce: number, open: (index: number) => Promise<void>) => {
  for (let opened = 0; opened < count; opened += atOnce) {
    const size = Math.min(atOnce, count - opened)
    await Promise.all(Array.from({ length: size }, (_, index) => open(opened + index)))
  }
}

const obey = async (request: LoadRequest): Promise<void> => {
  const group = groupOf(request.group)
  switch (request.ask) {
    case 'open':
      return openMany(request.count, OPENING, index =>
        openClient(group, request.target, { isSampled: index % request.sampledEvery === 0 }),
      )
    case 'return': {
      const returning = { epoch: group.epoch, messages: request.seen, missed: request.missed }
      return openMany(request.count, STORMING, () => openClient(group, request.target, { returning }))
    }
    case 'expect': {
      const until = performance.now() + request.withinMs
      while (performance.now() < until && group.clients.some(({ received }) => received < request.messages)) {
        await sleep(5)
      }
      return
    }
    case 'deafen': {
      await openClient(group, request.target, {})
      const last = group.clients.pop()
      if (last === undefined) return
      last.socket.pause()
      group.deaf.push(last.socket)
      return
    }
    case 'undeafen':
      for (const socket of group.deaf.splice(0)) socket.destroy()
      return
    case 'keep':
      for (const { socket } of group.clients.splice(request.count)) socket.destroy()
  }
}

const report = (group: Group): LoadAnswer => {
  const { latencies, reads } = group
  const received = group.clients.reduce((sum, client) => sum + client.received, 0)
  for (const client of group.clients) client.received = 0
  group.latencies = []
  group.reads = 0
  return { received, latencies, reads, clients: group.clients.length }
}

process.on('message', (request: LoadRequest) => {
  obey(request).then(
    () => process.send?.({ answer: report(groupOf(request.group)) }),
    (error: unknown) => process.send?.({ problem: String(error) }),
  )
})
