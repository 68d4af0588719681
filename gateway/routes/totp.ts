import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MAX_PASSWORD_CHARS } from '../auth/password-rules.ts'
import { isRefusal } from '../auth/provider.ts'
import type { User } from '../store/users.ts'
import type { LoginGate } from './login-gate.ts'
import { noteAct, type RouteDeps, sendProblem, whoIs } from './route.ts'
import { answerSchema, anyText, noContent, objectSchema, textSchema } from './schemas.ts'

const codeProperty = { type: 'string', pattern: '^[0-9]{6}$' } as const
const passwordProperty = textSchema(1, MAX_PASSWORD_CHARS * 2)

const tags = ['second factor'] as const

interface Proof {
  readonly password: string
  readonly code?: string
}

/**
 * A second factor for oneself: `POST /auth/totp` shows the secret, `POST /auth/totp/confirm` begins to ask for codes,
 * `POST /auth/totp/remove` ends it. Who only has somebody's token cannot change how that user logs in: it takes the
 * password, and the code where there is one.
 */
export const addTotpRoutes = (app: FastifyInstance, deps: RouteDeps, gate: LoginGate): void => {
  const { logins, totp, store, audit } = deps

  /** The user, when the password is theirs; undefined when the request has been answered. */
  const prove = (event: string, request: FastifyRequest<{ Body: Proof }>, reply: FastifyReply) => {
    const { username, userId } = whoIs(request)
    return gate.pass<User>({ event, username, request, reply }, async () => {
      const user = await logins.check({ username, ...request.body })
      if (isRefusal(user)) await noteAct(audit, request, { event, outcome: user.because, subject: userId })
      return user
    })
  }

  app.post<{ Body: Proof }>(
    '/auth/totp',
    {
      config: { policy: 'authenticated', problems: [403, 409] },
      schema: {
        operationId: 'proposeTotp',
        summary: 'Make the secret of a second factor, which counts once it is confirmed',
        tags,
        body: objectSchema({ password: passwordProperty, code: codeProperty }, ['password']),
        response: { 200: answerSchema({ secret: anyText, uri: anyText }) },
      },
    },
    async (request, reply) => {
      const user = await prove('totp.propose', request, reply)
      if (user === undefined) return reply
      const proposal = await totp.propose(user)
      if (proposal !== undefined) await noteAct(audit, request, { event: 'totp.propose', subject: user.id })
      return proposal ?? sendProblem(reply, 409, 'this account has a second factor: remove it first')
    },
  )

  app.post<{ Body: { code: string } }>(
    '/auth/totp/confirm',
    {
      config: { policy: 'authenticated', problems: [409, 422] },
      schema: {
        operationId: 'confirmTotp',
        summary: 'Show a code of a proposed second factor, which each login needs from then on',
        tags,
        body: objectSchema({ code: codeProperty }, ['code']),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { userId } = whoIs(request)
      if (await totp.isNeeded(userId))
        return sendProblem(reply, 409, 'this account has a second factor already')
      if (!(await totp.use(userId, request.body.code)))
        return sendProblem(reply, 422, 'the code is not right')
      await noteAct(audit, request, { event: 'totp.confirm', subject: userId })
      return reply.code(204).send()
    },
  )

  app.post<{ Body: Proof }>(
    '/auth/totp/remove',
    {
      config: { policy: 'authenticated', problems: [403, 404] },
      schema: {
        operationId: 'removeTotp',
        summary: 'Give up the second factor',
        tags,
        body: objectSchema({ password: passwordProperty, code: codeProperty }, ['password', 'code']),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const user = await prove('totp.remove', request, reply)
      if (user === undefined) return reply
      if (!(await store.deleteTotp(user.id))) return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'totp.remove', subject: user.id })
      return reply.code(204).send()
    },
  )
}
