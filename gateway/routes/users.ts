import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ROLES, type Role } from '../auth/permissions.ts'
import { makeTemporaryPassword, TEMPORARY_PASSWORD_MS } from '../auth/temporary-password.ts'
import { foldUsername, isUsername } from '../auth/usernames.ts'
import type { User, UserOutcome } from '../store/users.ts'
import {
  emptySchema,
  idSchema,
  noteAct,
  objectSchema,
  type RouteDeps,
  sendProblem,
  textSchema,
} from './route.ts'

const MAX_PAGE = 500

const listSchema = objectSchema(
  { after: textSchema(0, 128), limit: { type: 'string', pattern: '^[1-9][0-9]{0,2}$' } },
  [],
)
const newUserSchema = objectSchema({ username: textSchema(1, 128), role: { type: 'string', enum: ROLES } }, [
  'username',
  'role',
])
const changeSchema = {
  ...objectSchema({ role: { type: 'string', enum: ROLES }, disabled: { type: 'boolean' } }, []),
  minProperties: 1,
} as const

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
    { config: { policy: 'users:read' }, schema: { querystring: listSchema } },
    async request => {
      const limit = Math.min(Number(request.query.limit ?? MAX_PAGE), MAX_PAGE)
      const users = await store.listUsers({ after: request.query.after ?? '', limit })
      const next = users.length < limit ? null : (users.at(-1)?.username ?? null)
      return { users: users.map(viewOf), next }
    },
  )

  app.post<{ Body: { username: string; role: Role } }>(
    '/users',
    { config: { policy: 'users:write' }, schema: { body: newUserSchema } },
    async (request, reply) => {
      const username = foldUsername(request.body.username)
      if (!isUsername(username)) {
        return sendProblem(
          reply,
          400,
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
    { config: { policy: 'users:read' }, schema: { params: idSchema } },
    async (request, reply) => {
      const user = await store.findUserById(request.params.id)
      return user === undefined ? sendProblem(reply, 404) : viewOf(user)
    },
  )

  app.patch<{ Params: { id: string }; Body: { role?: Role; disabled?: boolean } }>(
    '/users/:id',
    { config: { policy: 'users:write' }, schema: { params: idSchema, body: changeSchema } },
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
    { config: { policy: 'users:write' }, schema: { params: idSchema } },
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
    { config: { policy: 'users:write' }, schema: { params: idSchema, body: emptySchema } },
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
    { config: { policy: 'users:write' }, schema: { params: idSchema } },
    async (request, reply) => {
      const { id } = request.params
      if (!(await store.deleteTotp(id))) return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'totp.reset', subject: id })
      return reply.code(204).send()
    },
  )
}
