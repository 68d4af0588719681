import type { FastifyInstance } from 'fastify'
import type { Session } from '../store/sessions.ts'
import { noteAct, type RouteDeps, sendProblem, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  countSchema,
  flagSchema,
  idSchema,
  listSchema,
  noContent,
  objectSchema,
  textSchema,
  timeSchema,
} from './schemas.ts'

/** How far clocks of gateways may be apart, in s. */
const SKEW_S = 30

const revocationSchema = objectSchema({ tokenId: textSchema(1, 128), userId: textSchema(1, 128) }, ['userId'])

const sessionProperties = {
  id: anyText,
  createdAt: timeSchema,
  expiresAt: timeSchema,
  lastUsedAt: timeSchema,
  address: anyText,
  client: anyText,
} as const

const sessionSchema = answerSchema(sessionProperties, 'Session')
const ownSessionSchema = answerSchema({ ...sessionProperties, current: flagSchema }, 'OwnSession')

const viewOf = ({ userId, ...session }: Session) => session

const tags = ['sessions'] as const

/**
 * `GET /auth/sessions` and `DELETE /auth/sessions/:id`: one's own. `GET` and `DELETE /users/:id/sessions`, and
 * `POST /revocations`: of others.
 */
export const addSessionRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { store, audit, now } = deps
  /** Whether there is no such user, where users are kept here. */
  const isUnknown = async (userId: string) =>
    deps.issuer === undefined && (await store.findUserById(userId)) === undefined

  app.get(
    '/auth/sessions',
    {
      config: { policy: 'authenticated' },
      schema: {
        operationId: 'listOwnSessions',
        summary: "One's own sessions",
        tags,
        response: { 200: answerSchema({ sessions: listSchema(ownSessionSchema) }) },
      },
    },
    async request => {
      const { userId, sessionId } = whoIs(request)
      const sessions = await store.listSessions(userId, now())
      return {
        sessions: sessions.map(session => ({ ...viewOf(session), current: session.id === sessionId })),
      }
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/auth/sessions/:id',
    {
      config: { policy: 'authenticated', problems: [404] },
      schema: {
        operationId: 'endOwnSession',
        summary: "End one of one's own sessions",
        tags,
        params: idSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { userId } = whoIs(request)
      const { id } = request.params
      if (!(await store.endSession({ id, userId }, now()))) return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'session.end', subject: userId, detail: { sessionId: id } })
      return reply.code(204).send()
    },
  )

  app.get<{ Params: { id: string } }>(
    '/users/:id/sessions',
    {
      config: { policy: 'users:read', problems: [404] },
      schema: {
        operationId: 'listSessions',
        summary: 'Sessions of a user',
        tags,
        params: idSchema,
        response: { 200: answerSchema({ sessions: listSchema(sessionSchema) }) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (await isUnknown(id)) return sendProblem(reply, 404)
      return { sessions: (await store.listSessions(id, now())).map(viewOf) }
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/users/:id/sessions',
    {
      config: { policy: 'sessions:end', problems: [404] },
      schema: {
        operationId: 'endSessions',
        summary: 'End all sessions of a user',
        tags,
        params: idSchema,
        response: { 200: answerSchema({ ended: countSchema }) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (await isUnknown(id)) return sendProblem(reply, 404)
      const ended = await store.endSessionsOf(id, now())
      await noteAct(audit, request, { event: 'session.end', subject: id, detail: { ended } })
      return { ended }
    },
  )

  app.post<{ Body: { tokenId?: string; userId: string } }>(
    '/revocations',
    {
      config: { policy: 'sessions:end', problems: [404] },
      schema: {
        operationId: 'revoke',
        summary: 'Revoke an access token, or all that a user has',
        tags,
        body: revocationSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { tokenId, userId } = request.body
      if (await isUnknown(userId)) return sendProblem(reply, 404, 'there is no such user')
      const expiresAt = now() + (deps.accessTokenS + SKEW_S) * 1000
      if (tokenId === undefined) {
        await store.revoke({ kind: 'user', subject: userId, userId, expiresAt }, now())
        await store.endSessionsOf(userId, now())
      } else await store.revoke({ kind: 'token', subject: tokenId, userId, expiresAt }, now())
      const detail = tokenId === undefined ? {} : { tokenId }
      await noteAct(audit, request, { event: 'token.revoke', subject: userId, detail })
      return reply.code(204).send()
    },
  )
}
