import { createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import { obey, readArguments } from './orders.ts'

interface Socket {
  readonly handshake: { readonly auth: { readonly token?: string } }
  on(event: string, listener: (channel: string, done: () => void) => void): void
  join(room: string): void
}

/** As much of Socket.IO as is used here: it is no dependency of the project, and installed for the benchmark alone. */
interface SocketIo {
  use(middleware: (socket: Socket, next: (error?: Error) => void) => void): void
  on(event: 'connection', listener: (socket: Socket) => void): void
  to(room: string): { emit(event: string, message: unknown): void }
}

const { redis: url, prefix, key: x, packages } = readArguments()
const load = createRequire(`${packages}/`)
const { Server } = load('socket.io') as { Server: new (server: object, options: object) => SocketIo }
const { createAdapter } = load('@socket.io/redis-adapter') as {
  createAdapter: (publisher: Redis, subscriber: Redis, options: object) => object
}
const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })

const isGood = (token: string): boolean => {
  const [header = '', claims = '', signature = ''] = token.split('.')
  if (!verify(null, Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url')))
    return false
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number }
  return exp > Date.now() / 1000
}

const redis = new Redis(url)
const server = createServer()
const io = new Server(server, {
  transports: ['websocket'],
  adapter: createAdapter(redis, redis.duplicate(), { key: prefix }),
})
io.use((socket, next) => {
  if (isGood(socket.handshake.auth.token ?? '')) next()
  else next(new Error('unauthenticated'))
})
io.on('connection', socket => {
  socket.on('subscribe', (channel, done) => {
    socket.join(channel)
    done()
  })
})
await once(server.listen(0, '127.0.0.1'), 'listening')
const address = server.address()
await obey(typeof address === 'object' ? (address?.port ?? 0) : 0, '', {
  publish: async (message, count) => {
    for (let i = 0; i < count; i += 1) io.to('threats').emit('threat', JSON.parse(message))
  },
})
process.exit()
