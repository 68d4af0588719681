import type { FastifyInstance } from 'fastify'
import { codeOf, SentinelError } from '../runtime/errors.ts'

interface ListenOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly isTls: boolean
}

/** Has the application listen; resolves with where. Throws NS_PORT_TAKEN. */
export const listen = async (app: FastifyInstance, { host, port: wanted, isTls }: ListenOptions) => {
  try {
    await app.listen({ host, port: wanted })
  } catch (cause) {
    if (codeOf(cause) !== 'EADDRINUSE') throw cause
    throw new SentinelError('NS_PORT_TAKEN', `GATEWAY_PORT: port ${wanted} on ${host} is taken`, { cause })
  }
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : wanted
  const url = `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { port, url }
}
