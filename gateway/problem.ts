import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** Media type of every error that the gateway answers with. */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** An error as RFC 9457 describes it. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail?: string
}

/** Makes a problem; `detail` is for people and holds nothing that they did not send themselves. */
export const problem = (status: number, detail?: string): Problem => ({
  type: 'about:blank',
  title: STATUS_CODES[status] ?? 'Error',
  status,
  ...(detail === undefined ? {} : { detail }),
})

/**
 * Answers a request that is not, or not yet, in the hands of the HTTP application, and ends its connection. `retryAfterS` is
 * when to try again, in s.
 */
export const endWithProblem = (
  socket: Duplex,
  status: number,
  detail?: string,
  retryAfterS?: number,
): void => {
  const body = JSON.stringify(problem(status, detail))
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...(retryAfterS === undefined ? [] : [`Retry-After: ${retryAfterS}`]),
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
