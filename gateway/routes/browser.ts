import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Tokens } from '../../schemas/wire.ts'
import { isOriginAllowed } from '../sockets/upgrade.ts'
import { sendProblem } from './route.ts'

/**
 * The cookie that holds a browser's refresh token. `__Host-` binds it to this host, over TLS, whatever a neighbour or a
 * proxy would like to set (RFC 6265bis, section 4.1.3.2); no script can read it.
 */
export const REFRESH_COOKIE = '__Host-netsentinel-refresh'

/** A header that a page of another origin cannot send without being asked for leave, which is never given. */
export const CSRF_HEADER = 'x-netsentinel-client'

const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict'

/** Whether a request comes from a page: browsers send an Origin with every POST, programs do not. */
export const isFromPage = (request: FastifyRequest): boolean => request.headers.origin !== undefined

/** Refuses a page of another origin, or a request that a page could have been tricked into; true when it did. */
export const refuseForeignPage = (
  request: FastifyRequest,
  reply: FastifyReply,
  origins: readonly string[],
): boolean => {
  const { origin, host } = request.headers
  if (origin === undefined) return false
  if (isOriginAllowed(origin, host, origins) && request.headers[CSRF_HEADER] !== undefined) return false
  sendProblem(reply, 403, `a page needs an allowed origin and the header ${CSRF_HEADER}`)
  return true
}

/** The refresh token in a page's cookie. */
export const cookieOf = (request: FastifyRequest): string | undefined => {
  const cookies = (request.headers.cookie ?? '').split(';').map(cookie => cookie.trim())
  const own = cookies.filter(cookie => cookie.startsWith(`${REFRESH_COOKIE}=`))
  // Two of the same name: one of them is not ours.
  return own.length === 1 ? own[0]?.slice(REFRESH_COOKIE.length + 1) : undefined
}

/** Forgets the cookie. */
export const clearCookie = (reply: FastifyReply): void => {
  reply.header('set-cookie', `${REFRESH_COOKIE}=; Max-Age=0; ${ATTRIBUTES}`)
}

/** Tokens as the client gets them: a page its refresh token in the cookie, a program in the answer. */
export const giveTokens = (
  request: FastifyRequest,
  reply: FastifyReply,
  { refreshToken, ...rest }: Tokens,
  maxAgeS: number,
): Partial<Tokens> => {
  if (!isFromPage(request)) return { ...rest, refreshToken }
  reply.header('set-cookie', `${REFRESH_COOKIE}=${refreshToken}; Max-Age=${maxAgeS}; ${ATTRIBUTES}`)
  return rest
}
