import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAcceptor } from '../../gateway/sockets/acceptor.ts'
import { textFrame } from '../../gateway/sockets/frame.ts'
import { createFlusher } from '../../gateway/sockets/outbox.ts'
import { silentLog } from '../../runtime/log.ts'

const BINARY = 0x82

/** A frame of bytes: the gateway itself sends none, so that only its head is the gateway's. */
const binaryFrame = (data: Buffer): Buffer => {
  const frame = textFrame('x'.repeat(data.length))
  frame[0] = BINARY
  data.copy(frame, frame.length - data.length)
  return frame
}

/** A server that sends back every message, on the layer that the gateway's sockets stand on, and asks nobody who they are. */
export const startEcho = async ({ deflate = false } = {}) => {
  const acceptor = createAcceptor({
    flusher: createFlusher(),
    settings: { queueBytes: 4_194_304, closeTimeoutMs: 2_000, deflate },
    log: silentLog(),
  })
  const server = createServer()
  server.on('upgrade', (request, stream, head) =>
    acceptor.accept(request, stream, head, ({ outbox }) => ({
      message: (data, isBinary) =>
        outbox.add(isBinary ? binaryFrame(data) : textFrame(data.toString('utf8'))),
      control: () => undefined,
      closing: () => outbox.close(),
      closed: () => outbox.close(),
    })),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
