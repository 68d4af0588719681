import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isSentinelError } from '../../runtime/errors.ts'
import { isGranted } from '../auth/permissions.ts'
import { isRefusal } from '../auth/provider.ts'
import { SOCKET_PATH } from '../sockets/upgrade.ts'
import { complaintOf } from './complaints.ts'
import { type Operation, operationsOf } from './operations.ts'
import { type RouteDeps, sendProblem } from './route.ts'

/** After how long somebody may ask again for whom something was away, in s. */
const RETRY_AFTER_S = 1

const BEARER = /^Bearer ([^\s]+)$/i

const authorise = (deps: RouteDeps) => async (request: FastifyRequest, reply: FastifyReply) => {
  const { policy } = request.routeOptions.config
  if (policy === 'public') return undefined
  const token = BEARER.exec(request.headers.authorization ?? '')?.[1]
  const principal = token === undefined ? undefined : await deps.auth.validateToken(token)
  if (principal === undefined || isRefusal(principal)) {
    return sendProblem(reply, 401, 'valid credentials are needed')
  }
  request.principal = principal
  // No policy is no permission: a route without one does not get this far, and would be closed to all if it did.
  const isAllowed = policy === 'authenticated' || (policy !== undefined && isGranted(principal, policy))
  if (!isAllowed) {
    const { url, method } = request.routeOptions
    const what = { event: 'denied', method, route: url, needs: policy }
    deps.log.warn({ ...what, actor: principal.userId, address: request.ip }, 'security event')
    return sendProblem(reply, 403, 'your role may not do this')
  }
  return undefined
}

/** Whether a path is one of a route's, whose parameters stand for any segment. */
const matches = (url: string, path: string): boolean => {
  const [wanted, given] = [url.split('/'), path.split('/')]
  return (
    wanted.length === given.length && wanted.every((part, i) => part.startsWith(':') || part === given[i])
  )
}

const statusOf = (error: unknown): number => {
  // Something that is needed is away: the same request may do better later.
  if (isSentinelError(error)) return error.outcome === 'retriable' ? 503 : 500
  return typeof error === 'object' &&
    error !== null &&
    'statusCode' in error &&
    typeof error.statusCode === 'number'
    ? error.statusCode
    : 500
}

/** Adds what holds for every route: policies, errors. */
export const addGroundRules = (app: FastifyInstance, deps: RouteDeps): void => {
  const operations: Operation[] = []
  app.decorate('operations', operations)
  app.decorateRequest('principal', null)
  app.addHook('onRoute', route => {
    operations.push(...operationsOf(route))
  })
  app.removeContentTypeParser('text/plain')
  const answerUnknown = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    if (path === SOCKET_PATH && request.method === 'GET') {
      return sendProblem(reply.header('upgrade', 'websocket'), 426, 'this is the path of a WebSocket')
    }
    const allowed = operations.filter(({ url }) => matches(url, path)).map(({ method }) => method)
    if (allowed.length === 0) return sendProblem(reply, 404)
    return sendProblem(reply.header('allow', allowed.join(', ')), 405)
  }
  // Whatever comes to a path that is none is not looked at any further: not its body, not its type.
  app.addHook('onRequest', async (request, reply) =>
    request.is404 ? answerUnknown(request, reply) : undefined,
  )
  app.addHook('onRequest', authorise(deps))
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error)
    if (status >= 500) deps.log.error({ err: error, route: request.routeOptions.url }, 'a request failed')
    if (status === 503) reply.header('retry-after', RETRY_AFTER_S)
    return sendProblem(reply, status, complaintOf(error))
  })
}
