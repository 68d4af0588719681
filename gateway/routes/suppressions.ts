import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SuppressionEntry } from '../store/decisions.ts'
import type { NewSuppression } from '../triage/triage.ts'
import { type RouteDeps, sendProblem, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  idSchema,
  limitOf,
  limitSchema,
  listSchema,
  noContent,
  objectSchema,
  textOrNull,
  textSchema,
  timeOrNull,
  timeSchema,
} from './schemas.ts'

const pageSchema = objectSchema(
  { before: { type: 'string', pattern: '^[0-9]{1,15}$' }, limit: limitSchema },
  [],
)

const newSchema = objectSchema(
  {
    entity: textSchema(1, 512),
    cidr: textSchema(1, 64),
    sensor: textSchema(1, 256),
    technique: { type: 'string', pattern: '^T[0-9]{4}(\\.[0-9]{3})?$' },
    rule: textSchema(1, 256),
    expiresAt: { ...timeSchema, minimum: 1, maximum: 8_640_000_000_000_000 },
    comment: textSchema(1, 2_000),
  },
  [],
)

const suppressionSchema = answerSchema(
  {
    id: anyText,
    by: anyText,
    at: timeSchema,
    comment: textOrNull,
    entity: textOrNull,
    cidr: textOrNull,
    sensor: textOrNull,
    technique: textOrNull,
    rule: textOrNull,
    expiresAt: timeOrNull,
  },
  'Suppression',
)

/** A suppression as others see it. */
const viewOf = ({ decision }: Pick<SuppressionEntry, 'decision'>) => {
  const { id, by, at, comment, entity, cidr, sensor, technique, rule, expiresAt } = decision
  return { id, by, at, comment, entity, cidr, sensor, technique, rule, expiresAt }
}

const tags = ['suppressions'] as const

/** Keeps out who sees only some of the threats: a suppression tells of others, and concerns them. */
export const refuseLimited = async (request: FastifyRequest, reply: FastifyReply) =>
  whoIs(request).rows === null ? undefined : sendProblem(reply, 403, 'this concerns more than you may see')

/** `/suppressions`: which threats make no alerts. Those that `netsentinel decide` made are not here. */
export const addSuppressionRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { store, triage, now } = deps

  app.get<{ Querystring: { before?: string; limit?: string } }>(
    '/suppressions',
    {
      config: { policy: 'suppressions:read' },
      preHandler: refuseLimited,
      schema: {
        operationId: 'listSuppressions',
        summary: 'Suppressions in force, the latest first',
        tags,
        querystring: pageSchema,
        response: { 200: answerSchema({ suppressions: listSchema(suppressionSchema), next: textOrNull }) },
      },
    },
    async request => {
      const { before, limit: wanted } = request.query
      const limit = limitOf(wanted)
      const entries = await store.listSuppressions(now(), {
        before: before === undefined ? undefined : Number(before),
        limit,
      })
      const last = entries.length < limit ? undefined : entries.at(-1)
      return { suppressions: entries.map(viewOf), next: last === undefined ? null : String(last.place) }
    },
  )

  app.post<{ Body: NewSuppression }>(
    '/suppressions',
    {
      config: { policy: 'suppressions:write', problems: [422] },
      preHandler: refuseLimited,
      schema: {
        operationId: 'createSuppression',
        summary: 'Suppress threats of which all that is named holds, from now on',
        tags,
        body: newSchema,
        response: { 201: suppressionSchema },
      },
    },
    async (request, reply) => {
      const decider = { principal: whoIs(request), address: request.ip }
      const made = await triage.suppress(decider, request.body)
      return typeof made === 'string'
        ? sendProblem(reply, 422, made)
        : reply.code(201).send(viewOf({ decision: made }))
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/suppressions/:id',
    {
      config: { policy: 'suppressions:write', problems: [404] },
      preHandler: refuseLimited,
      schema: {
        operationId: 'deleteSuppression',
        summary: 'End a suppression',
        tags,
        params: idSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const decider = { principal: whoIs(request), address: request.ip }
      const isLifted = await triage.lift(decider, request.params.id)
      return isLifted ? reply.code(204).send() : sendProblem(reply, 404)
    },
  )
}
