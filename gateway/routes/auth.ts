import type { FastifyInstance } from 'fastify'
import { MAX_PASSWORD_CHARS } from '../auth/password-rules.ts'
import { PERMISSIONS, ROLES } from '../auth/permissions.ts'
import { type Credentials, isRefusal } from '../auth/provider.ts'
import { TICKET_TTL_MS } from '../auth/tickets.ts'
import { clearCookie, cookieOf, giveTokens, isFromPage, refuseForeignPage } from './browser.ts'
import type { LoginGate } from './login-gate.ts'
import { type RouteDeps, sendProblem, sourceOf, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  countSchema,
  emptySchema,
  filterOrNull,
  flagSchema,
  listSchema,
  noContent,
  objectSchema,
  textOrNull,
  textSchema,
  timeSchema,
  wordSchema,
} from './schemas.ts'

const credentialProperties = {
  username: textSchema(1, 128),
  // Characters outside of the Basic Multilingual Plane count twice in a schema.
  password: textSchema(1, MAX_PASSWORD_CHARS * 2),
  code: { type: 'string', pattern: '^[0-9]{6}$' },
} as const

const credentialsSchema = objectSchema(credentialProperties, ['username', 'password'])
const changeSchema = objectSchema(
  { ...credentialProperties, newPassword: textSchema(1, MAX_PASSWORD_CHARS * 2) },
  ['username', 'password', 'newPassword'],
)
const refreshSchema = {
  ...objectSchema({ refreshToken: textSchema(1, 256) }, []),
  type: ['object', 'null'],
} as const
const logOutSchema = {
  ...objectSchema({ everywhere: flagSchema }, []),
  type: ['object', 'null'],
} as const

const tokensSchema = {
  ...objectSchema(
    { accessToken: anyText, refreshToken: anyText, expiresIn: countSchema },
    ['accessToken', 'expiresIn'],
    'Tokens',
  ),
  description: 'A page gets the refresh token in a cookie. `expiresIn` is in s.',
} as const

const principalSchema = answerSchema(
  {
    userId: anyText,
    username: anyText,
    role: wordSchema([...ROLES, 'service']),
    grants: listSchema(wordSchema(PERMISSIONS)),
    rows: filterOrNull,
    tokenId: anyText,
    sessionId: textOrNull,
    expiresAt: timeSchema,
  },
  'Principal',
)

const tags = ['login'] as const

/**
 * `POST /auth/login`, `/auth/password`, `/auth/refresh`, `/auth/logout` and `/auth/ticket`, and `GET /auth/me`. Pages get
 * their refresh token in a cookie, and must show that they are ours; programs get it in the answer.
 */
export const addAuthRoutes = (app: FastifyInstance, deps: RouteDeps, gate: LoginGate): void => {
  const { auth, accounts, tickets, log, origins, refreshTokenS } = deps

  app.post<{ Body: Credentials }>(
    '/auth/login',
    {
      config: { policy: 'public', problems: [401, 403] },
      schema: {
        operationId: 'logIn',
        summary: 'Log in with name and password',
        tags,
        body: credentialsSchema,
        response: { 200: tokensSchema },
      },
    },
    async (request, reply) => {
      if (refuseForeignPage(request, reply, origins)) return reply
      const showing = { event: 'login', username: request.body.username, request, reply }
      const tokens = await gate.pass(showing, () => auth.authenticate(request.body, sourceOf(request)))
      return tokens === undefined ? reply : giveTokens(request, reply, tokens, refreshTokenS)
    },
  )

  app.post<{ Body: Credentials & { newPassword: string } }>(
    '/auth/password',
    {
      config: { policy: 'public', problems: [401, 403, 422] },
      schema: {
        operationId: 'changePassword',
        summary: 'Choose another password, and log in with it',
        tags,
        body: changeSchema,
        response: { 200: tokensSchema },
      },
    },
    async (request, reply) => {
      if (refuseForeignPage(request, reply, origins)) return reply
      const showing = { event: 'password.change', username: request.body.username, request, reply }
      const answer = await gate.pass(showing, () => accounts.changePassword(request.body, sourceOf(request)))
      if (answer === undefined) return reply
      if ('problem' in answer) return sendProblem(reply, 422, answer.problem)
      return giveTokens(request, reply, answer, refreshTokenS)
    },
  )

  app.post<{ Body: { refreshToken?: string } | null }>(
    '/auth/refresh',
    {
      config: { policy: 'public', problems: [401, 403] },
      schema: {
        operationId: 'refresh',
        summary: 'New tokens for a refresh token',
        tags,
        body: refreshSchema,
        response: { 200: tokensSchema },
      },
    },
    async (request, reply) => {
      if (refuseForeignPage(request, reply, origins)) return reply
      const shown = isFromPage(request) ? cookieOf(request) : request.body?.refreshToken
      const answer = await auth.refresh(shown ?? '', sourceOf(request))
      const outcome = isRefusal(answer) ? answer.refused : 'accepted'
      log.debug({ event: 'refresh', outcome, address: request.ip }, 'authentication')
      // The cookie is left alone: another tab may have just been given a better one.
      if (isRefusal(answer)) return sendProblem(reply, 401, 'the refresh token was refused')
      return giveTokens(request, reply, answer, refreshTokenS)
    },
  )

  app.post<{ Body: { everywhere?: boolean } | null }>(
    '/auth/logout',
    {
      config: { policy: 'authenticated' },
      schema: {
        operationId: 'logOut',
        summary: "End one's session, or all of them",
        tags,
        body: logOutSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const everywhere = request.body?.everywhere ?? false
      await auth.logOut(whoIs(request), { everywhere }, sourceOf(request))
      if (isFromPage(request)) clearCookie(reply)
      return reply.code(204).send()
    },
  )

  app.post(
    '/auth/ticket',
    {
      config: { policy: 'authenticated' },
      schema: {
        operationId: 'createTicket',
        summary: 'A ticket that opens a WebSocket, once',
        tags,
        body: emptySchema,
        response: { 200: answerSchema({ ticket: anyText, expiresIn: countSchema }) },
      },
    },
    async request => ({
      ticket: await tickets.issue(whoIs(request), request.headers.origin),
      expiresIn: TICKET_TTL_MS / 1000,
    }),
  )

  app.get(
    '/auth/me',
    {
      config: { policy: 'authenticated' },
      schema: {
        operationId: 'getMe',
        summary: 'Who one is, and what one may do',
        tags,
        response: { 200: principalSchema },
      },
    },
    async request => {
      const { userId, username, role, grants, rows, tokenId, sessionId, expiresAt } = whoIs(request)
      return { userId, username, role, grants, rows, tokenId, sessionId, expiresAt }
    },
  )
}
