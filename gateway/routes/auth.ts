import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Credentials, isRefusal, type Principal, type Refusal } from '../auth/provider.ts'
import { TICKET_TTL_MS } from '../auth/tickets.ts'
import { foldUsername } from '../auth/usernames.ts'
import { type RouteDeps, sendProblem } from './route.ts'

const credentialsSchema = {
  type: 'object',
  required: ['username', 'password'],
  additionalProperties: false,
  properties: {
    username: { type: 'string', minLength: 1, maxLength: 128 },
    password: { type: 'string', minLength: 1, maxLength: 1_024 },
  },
} as const

const refreshSchema = {
  type: 'object',
  required: ['refreshToken'],
  additionalProperties: false,
  properties: { refreshToken: { type: 'string', minLength: 1, maxLength: 256 } },
} as const

const emptySchema = { type: ['object', 'null'], additionalProperties: false } as const

const RETRY_AFTER_S = 1

/** One answer for an unknown user, a wrong password, a disabled account and a locked one. */
const refuseLogin = (reply: FastifyReply) => sendProblem(reply, 401, 'the login was refused')

const whoIs = (principal: Principal | null): Principal => {
  if (principal === null) throw new Error('an authenticated route was reached without a principal')
  return principal
}

/** `POST /auth/login`, `/auth/refresh` and `/auth/ticket`, and `GET /auth/me`. */
export const addAuthRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { auth, throttle, tickets, log, metrics } = deps

  const note = (event: string, outcome: string, who: object) => {
    metrics.logins.inc({ outcome: outcome === 'accepted' ? 'accepted' : 'refused' })
    log.info({ event, outcome, ...who }, 'authentication')
  }

  app.post<{ Body: Credentials }>(
    '/auth/login',
    { config: { policy: 'public' }, schema: { body: credentialsSchema } },
    async (request, reply) => {
      const attempt = { account: foldUsername(request.body.username), address: request.ip }
      if (!(await throttle.admit(attempt))) {
        note('login', 'throttled', attempt)
        return refuseLogin(reply)
      }
      const answer = await auth.authenticate(request.body)
      if (isRefusal(answer)) {
        note('login', answer.refused, attempt)
        if (answer.refused !== 'overloaded') return refuseLogin(reply)
        await throttle.withdrawn(attempt)
        return sendProblem(reply.header('retry-after', RETRY_AFTER_S), 503)
      }
      await throttle.succeeded(attempt)
      note('login', 'accepted', attempt)
      return answer
    },
  )

  app.post<{ Body: { refreshToken: string } }>(
    '/auth/refresh',
    { config: { policy: 'public' }, schema: { body: refreshSchema } },
    async (request, reply) => {
      const answer = await auth.refresh(request.body.refreshToken)
      const outcome: Refusal['refused'] | 'accepted' = isRefusal(answer) ? answer.refused : 'accepted'
      log.info({ event: 'refresh', outcome, address: request.ip }, 'authentication')
      return isRefusal(answer) ? sendProblem(reply, 401, 'the refresh token was refused') : answer
    },
  )

  app.post(
    '/auth/ticket',
    { config: { policy: 'authenticated' }, schema: { body: emptySchema } },
    async request => ({
      ticket: await tickets.issue(whoIs(request.principal), request.headers.origin),
      expiresIn: TICKET_TTL_MS / 1000,
    }),
  )

  app.get('/auth/me', { config: { policy: 'authenticated' } }, async request => {
    const { userId, username, role, expiresAt } = whoIs(request.principal)
    return { userId, username, role, expiresAt }
  })
}
