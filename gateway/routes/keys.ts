import type { FastifyInstance } from 'fastify'
import { holderOf } from '../auth/api-keys.ts'
import { type Permission, SERVICE_SCOPES } from '../auth/permissions.ts'
import type { ApiKey } from '../store/credentials.ts'
import { noteAct, type RouteDeps, sendProblem, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  emptySchema,
  idSchema,
  listSchema,
  noContent,
  objectSchema,
  textSchema,
  timeOrNull,
  timeSchema,
  wordSchema,
} from './schemas.ts'

const DAY_MS = 86_400_000
const MAX_DAYS = 366
const JWKS_MAX_AGE_S = 300

const newKeySchema = objectSchema(
  {
    name: textSchema(1, 64),
    scopes: {
      type: 'array',
      items: wordSchema(SERVICE_SCOPES),
      minItems: 1,
      maxItems: SERVICE_SCOPES.length,
      uniqueItems: true,
    },
    days: { type: 'integer', minimum: 1, maximum: MAX_DAYS },
  },
  ['name', 'scopes', 'days'],
)

const keySchema = answerSchema(
  {
    id: anyText,
    name: anyText,
    scopes: listSchema(wordSchema(SERVICE_SCOPES)),
    createdBy: anyText,
    createdAt: timeSchema,
    expiresAt: timeSchema,
    lastUsedAt: timeOrNull,
  },
  'ApiKey',
)

const jwkSchema = objectSchema(
  { kty: anyText, crv: anyText, x: anyText, y: anyText, kid: anyText, alg: anyText, use: anyText },
  ['kty', 'kid', 'alg', 'use'],
  'PublicJwk',
)

const viewOf = ({ hash, ...key }: ApiKey) => key

const tags = ['keys'] as const

/** `/keys`: API keys of programs. `/signing-keys` and `/.well-known/jwks.json`: what tokens are signed with. */
export const addKeyRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { store, apiKeys, keys, audit, now } = deps

  app.get(
    '/keys',
    {
      config: { policy: 'keys:read' },
      schema: {
        operationId: 'listKeys',
        summary: 'API keys of programs',
        tags,
        response: { 200: answerSchema({ keys: listSchema(keySchema) }) },
      },
    },
    async () => ({ keys: (await store.listApiKeys()).map(viewOf) }),
  )

  app.post<{ Body: { name: string; scopes: Permission[]; days: number } }>(
    '/keys',
    {
      config: { policy: 'keys:write' },
      schema: {
        operationId: 'createKey',
        summary: 'Make an API key; its secret is shown this once',
        tags,
        body: newKeySchema,
        response: { 201: answerSchema({ key: keySchema, secret: anyText }) },
      },
    },
    async (request, reply) => {
      const { name, scopes, days } = request.body
      const createdBy = whoIs(request).userId
      const { key, text } = await apiKeys.issue({ name, scopes, createdBy, expiresAt: now() + days * DAY_MS })
      const detail = { name, scopes: scopes.join(' '), days }
      await noteAct(audit, request, { event: 'key.create', subject: key.id, detail })
      return reply.code(201).send({ key: viewOf(key), secret: text })
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/keys/:id',
    {
      config: { policy: 'keys:write', problems: [404] },
      schema: {
        operationId: 'deleteKey',
        summary: 'End an API key',
        tags,
        params: idSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (!(await store.deleteApiKey(id, holderOf(id), now()))) return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'key.delete', subject: id })
      return reply.code(204).send()
    },
  )

  app.post(
    '/signing-keys',
    {
      config: { policy: 'signing-keys:rotate', problems: [409] },
      schema: {
        operationId: 'rotateSigningKey',
        summary: 'Make a new key that access tokens are signed with',
        tags,
        body: emptySchema,
        response: { 201: answerSchema({ kid: anyText }) },
      },
    },
    async (request, reply) => {
      const kid = await keys.rotate()
      if (kid === undefined) return sendProblem(reply, 409, 'another gateway has just made one')
      await noteAct(audit, request, { event: 'signing-key.rotate', subject: kid })
      return reply.code(201).send({ kid })
    },
  )

  app.get(
    '/.well-known/jwks.json',
    {
      config: { policy: 'public' },
      schema: {
        operationId: 'listPublicKeys',
        summary: 'What the signatures of access tokens are checked with (RFC 7517)',
        tags,
        response: { 200: answerSchema({ keys: listSchema(jwkSchema) }) },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_S}`)
      return { keys: keys.publicKeys() }
    },
  )
}
