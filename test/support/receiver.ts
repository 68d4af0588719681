import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** A request as it came. */
export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An HTTP server that keeps what it gets. */
export interface Receiver {
  readonly url: string
  readonly port: number
  readonly requests: readonly ReceivedRequest[]
  close(): Promise<void>
}

/** Answers the n-th request, 0 for the first; without an answer it is left waiting. */
export type Answer = (index: number, response: ServerResponse) => void

/** Starts a receiver; it answers 204 unless told otherwise. */
export const startReceiver = async (
  answer: Answer = (_, response) => response.writeHead(204).end(),
  port = 0,
): Promise<Receiver> => {
  const requests: ReceivedRequest[] = []
  const server = createServer((request, response) => {
    void text(request).then(body => {
      const { method = '', url = '', headers } = request
      requests.push({ method, path: url, headers, body })
      answer(requests.length - 1, response)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
