import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ROLES, type Role } from '../auth/permissions.ts'
import { makeTemporaryPassword, TEMPORARY_PASSWORD_MS } from '../auth/temporary-password.ts'
import { foldUsername, isUsername } from '../auth/usernames.ts'
import type { User, UserOutcome } from '../store/users.ts'
import { noteAct, type RouteDeps, sendProblem } from './route.ts'
import {
  answerSchema,
  anyText,
  emptySchema,
  flagSchema,
  idSchema,
  limitOf,
  limitSchema,
  listSchema,
  noContent,
  objectSchema,
  textOrNull,
  textSchema,
  timeSchema,
  wordSchema,
} from './schemas.ts'

const roleSchema = wordSchema(ROLES)
const pageSchema = objectSchema({ after: textSchema(0, 128), limit: limitSchema }, [])
const newUserSchema = objectSchema({ username: textSchema(1, 128), role: roleSchema }, ['username', 'role'])
const changeSchema = {
  ...objectSchema({ role: roleSchema, disabled: flagSchema }, []),
  minProperties: 1,
} as const

const userSchema = answerSchema(
  {
    id: anyText,
    username: anyText,
    role: roleSchema,
    disabled: flagSchema,
    createdAt: timeSchema,
    passwordIsTemporary: flagSchema,
  },
  'User',
)
const temporaryPassword = { password: anyText, passwordExpiresAt: timeSchema } as const

const tags = ['users'] as const

/** A user as others see them: never the hash. */
const viewOf = ({ id, username, role, disabled, createdAt, passwordExpiresAt }: User) => ({
  id,
  username,
  role,
  disabled,
  createdAt,
  passwordIsTemporary: passwordExpiresAt !== null,
})

const refuse = (reply: FastifyReply, outcome: Exclude<UserOutcome, 'done'>) =>
  outcome === 'unknown'
    ? sendProblem(reply, 404)
    : sendProblem(reply, 409, 'the last administrator must stay one: make another one first')

/** `/users`: what administrators do to accounts. New and forgotten passwords are made up here, and shown once. */
export const addUserRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { store, audit, passwords, now } = deps

  app.get<{ Querystring: { after?: string; limit?: string } }>(
    '/users',
    {
      config: { policy: 'users:read' },
      schema: {
        operationId: 'listUsers',
        summary: 'Users, by name',
        tags,
        querystring: pageSchema,
        response: { 200: answerSchema({ users: listSchema(userSchema), next: textOrNull }) },
      },
    },
    async request => {
      const limit = limitOf(request.query.limit)
      const users = await store.listUsers({ after: request.query.after ?? '', limit })
      const next = users.length < limit ? null : (users.at(-1)?.username ?? null)
      return { users: users.map(viewOf), next }
    },
  )

  app.post<{ Body: { username: string; role: Role } }>(
    '/users',
    {
      config: { policy: 'users:write', problems: [409, 422] },
      schema: {
        operationId: 'createUser',
        summary: 'Make a user; the temporary password is shown this once',
        tags,
        body: newUserSchema,
        response: { 201: answerSchema({ user: userSchema, ...temporaryPassword }) },
      },
    },
    async (request, reply) => {
      const username = foldUsername(request.body.username)
      if (!isUsername(username)) {
        return sendProblem(
          reply,
          422,
          'a user name has letters, digits and . _ @ - inside, and at most 64 of them',
        )
      }
      const password = makeTemporaryPassword()
      const user: User = {
        id: randomUUID(),
        username,
        passwordHash: await passwords.hash(password),
        passwordExpiresAt: now() + TEMPORARY_PASSWORD_MS,
        role: request.body.role,
        disabled: false,
        createdAt: now(),
      }
      if (!(await store.addUser(user))) return sendProblem(reply, 409, 'this user name is taken')
      const { id, role, passwordExpiresAt } = user
      await noteAct(audit, request, { event: 'user.create', subject: id, detail: { username, role } })
      return reply.code(201).send({ user: viewOf(user), password, passwordExpiresAt })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/users/:id',
    {
      config: { policy: 'users:read', problems: [404] },
      schema: {
        operationId: 'getUser',
        summary: 'A user',
        tags,
        params: idSchema,
        response: { 200: userSchema },
      },
    },
    async (request, reply) => {
      const user = await store.findUserById(request.params.id)
      return user === undefined ? sendProblem(reply, 404) : viewOf(user)
    },
  )

  app.patch<{ Params: { id: string }; Body: { role?: Role; disabled?: boolean } }>(
    '/users/:id',
    {
      config: { policy: 'users:write', problems: [404, 409] },
      schema: {
        operationId: 'updateUser',
        summary: 'Change the role of a user, or disable one',
        tags,
        params: idSchema,
        body: changeSchema,
        response: { 200: userSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const outcome = await store.updateUser(id, request.body, now())
      await noteAct(audit, request, {
        event: 'user.update',
        outcome: outcome === 'done' ? 'accepted' : outcome,
        subject: id,
        detail: request.body,
      })
      if (outcome !== 'done') return refuse(reply, outcome)
      const user = await store.findUserById(id)
      return user === undefined ? sendProblem(reply, 404) : viewOf(user)
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/users/:id',
    {
      config: { policy: 'users:write', problems: [404, 409] },
      schema: {
        operationId: 'deleteUser',
        summary: 'Delete a user',
        tags,
        params: idSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const outcome = await store.deleteUser(id, now())
      await noteAct(audit, request, {
        event: 'user.delete',
        outcome: outcome === 'done' ? 'accepted' : outcome,
        subject: id,
      })
      return outcome === 'done' ? reply.code(204).send() : refuse(reply, outcome)
    },
  )

  app.post<{ Params: { id: string } }>(
    '/users/:id/password',
    {
      config: { policy: 'users:write', problems: [404] },
      schema: {
        operationId: 'resetPassword',
        summary: 'Give a user a temporary password, which is shown this once',
        tags,
        params: idSchema,
        body: emptySchema,
        response: { 200: answerSchema(temporaryPassword) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const password = makeTemporaryPassword()
      const passwordExpiresAt = now() + TEMPORARY_PASSWORD_MS
      const passwordHash = await passwords.hash(password)
      if (!(await store.setPassword(id, { passwordHash, passwordExpiresAt }, now())))
        return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'password.reset', subject: id })
      return { password, passwordExpiresAt }
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/users/:id/totp',
    {
      config: { policy: 'users:write', problems: [404] },
      schema: {
        operationId: 'resetTotp',
        summary: 'Take away the second factor of a user who has lost it',
        tags,
        params: idSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (!(await store.deleteTotp(id))) return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'totp.reset', subject: id })
      return reply.code(204).send()
    },
  )
}
