import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy that can be taken away, in front of a service named by a URL. */
export interface TcpProxy {
  /** The URL of the service by way of the proxy. */
  readonly url: string
  /** Cuts every connection and takes no new one, as if the service had gone. */
  pause(): Promise<void>
  /** Takes connections again. */
  resume(): Promise<void>
  /** From now on passes on nothing that the service sends over the connection that was opened last. */
  muteLatest(): void
  /** Cuts the open connections that `isCut` picks. */
  cut(isCut: () => boolean): void
  close(): Promise<void>
}

/** Starts a proxy on a free port. */
export const startTcpProxy = async (target: string): Promise<TcpProxy> => {
  const { hostname, port } = new URL(target)
  const pairs: { readonly client: Socket; readonly upstream: Socket }[] = []
  const serve = (client: Socket) => {
    const upstream = connect(Number(port), hostname)
    pairs.push({ client, upstream })
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.pipe(upstream)
    upstream.pipe(client)
  }
  let server: Server
  const listen = async (wanted: number): Promise<number> => {
    server = createServer(serve).listen(wanted, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    return address.port
  }
  const stop = async () => {
    if (!server.listening) return
    const stopped = once(server, 'close')
    server.close()
    for (const { client } of pairs.splice(0)) client.destroy()
    await stopped
  }
  const own = await listen(0)
  const url = new URL(target)
  url.host = `127.0.0.1:${own}`
  return {
    url: url.href,
    pause: stop,
    resume: async () => {
      await listen(own)
    },
    muteLatest: () => {
      const latest = pairs.at(-1)
      latest?.upstream.unpipe(latest.client)
    },
    cut: isCut => {
      for (const { client } of pairs) if (!client.destroyed && isCut()) client.destroy()
    },
    close: stop,
  }
}
