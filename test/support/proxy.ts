import { connect, createServer, type Server, type Socket } from 'node:net'

/** Kafka's numbers of the requests that the tests interfere with. */
export const API = { produce: 0, fetch: 1, endTxn: 26 } as const

/**
 * What happens to the answers of one kind of request: `drop` swallows them, so that the client waits in vain, `cut`
 * closes the connection in their place. The broker has done what was asked in both cases.
 */
export type Fault = 'drop' | 'cut'

/** A TCP proxy in front of a broker that knows requests and answers apart. */
export interface BrokerProxy {
  /** Where it listens, `host:port`. */
  readonly address: string
  /** For `createKafka`: every connection goes through the proxy, whatever address the broker advertises. */
  readonly socketFactory: (args: { onConnect: () => void }) => Socket
  /** Interferes with answers to `api`, `times` times or until {@link BrokerProxy.heal}. */
  fault(api: number, fault: Fault, times?: number): void
  /** How many answers to `api` have been interfered with. */
  faults(api: number): number
  /**
   * Keeps the next request to `api` from the broker until {@link BrokerProxy.heal}; resolves when there is one. So its
   * sender can be stopped, or the broker killed, with a transaction open for certain.
   */
  hold(api: number): Promise<void>
  /** Passes nothing on, in either direction, as if the process had been suspended, until {@link BrokerProxy.heal}. */
  freeze(): void
  heal(): void
  close(): Promise<void>
}

/** Cuts a stream into Kafka's frames: a length of four bytes, then as many bytes. */
const frames = (onFrame: (frame: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      onFrame(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  }
}

/** Starts a proxy in front of the broker at `host:port`. */
export const startProxy = async (broker: string): Promise<BrokerProxy> => {
  const [host = '127.0.0.1', port = '9092'] = broker.split(':')
  const rules = new Map<number, { fault: Fault; left: number }>()
  const counts = new Map<number, number>()
  const sockets = new Set<Socket>()
  let frozen = false
  const waiting: (() => void)[] = []
  const holds = new Map<number, () => void>()
  const pass = (write: () => void) => {
    if (frozen) waiting.push(write)
    else write()
  }

  const serve = (client: Socket) => {
    const upstream = connect(Number(port), host)
    const asked = new Map<number, number>()
    const end = () => {
      for (const socket of [client, upstream]) {
        socket.destroy()
        sockets.delete(socket)
      }
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    const onRequest = (frame: Buffer) => {
      const api = frame.readInt16BE(4)
      asked.set(frame.readInt32BE(8), api)
      const held = holds.get(api)
      if (held === undefined) return pass(() => upstream.write(frame))
      holds.delete(api)
      waiting.push(() => upstream.write(frame))
      held()
    }
    const onAnswer = (frame: Buffer) => {
      const correlation = frame.readInt32BE(4)
      const api = asked.get(correlation) ?? -1
      asked.delete(correlation)
      const rule = rules.get(api)
      if (rule === undefined || rule.left === 0) return pass(() => client.write(frame))
      rule.left--
      counts.set(api, (counts.get(api) ?? 0) + 1)
      if (rule.fault === 'cut') end()
    }
    client.on('data', frames(onRequest))
    upstream.on('data', frames(onAnswer))
  }

  const server: Server = createServer(serve)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')

  return {
    address: `127.0.0.1:${address.port}`,
    socketFactory: ({ onConnect }) => connect(address.port, '127.0.0.1', onConnect),
    fault: (api, fault, times = Number.POSITIVE_INFINITY) => {
      rules.set(api, { fault, left: times })
    },
    faults: api => counts.get(api) ?? 0,
    hold: api => new Promise<void>(resolve => holds.set(api, resolve)),
    freeze: () => {
      frozen = true
    },
    heal: () => {
      rules.clear()
      holds.clear()
      frozen = false
      for (const write of waiting.splice(0)) write()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}
