import { createServer } from 'node:net'
import { codeOf, isSentinelError, SentinelError } from '../errors.ts'

const HOST = '127.0.0.1'
const ATTEMPTS = 3

const bind = (port: number) =>
  new Promise<number>((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, HOST, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })

const assertFree = async (port: number, env: string) => {
  try {
    await bind(port)
  } catch (cause) {
    if (codeOf(cause) !== 'EADDRINUSE' && codeOf(cause) !== 'EACCES') throw cause
    throw new SentinelError(
      'NS_PORT_TAKEN',
      `port ${port} on ${HOST} is taken: free it, or set ${env} to another one (unset takes a free one)`,
      { cause },
    )
  }
}

/**
 * Starts something on the port that `env` configures, or on a free one. Between finding a free port and binding it
 * another process can take it, so a start that ends in NS_PORT_TAKEN is tried again with the next free one.
 *
 * Throws NS_PORT_TAKEN when a configured port is taken.
 */
export const onPort = async <T>(
  configured: number | undefined,
  env: string,
  start: (port: number) => Promise<T>,
): Promise<T> => {
  if (configured !== undefined && configured !== 0) {
    await assertFree(configured, env)
    return start(configured)
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await bind(0))
    } catch (error) {
      if (attempt === ATTEMPTS || !isSentinelError(error, 'NS_PORT_TAKEN')) throw error
    }
  }
}
