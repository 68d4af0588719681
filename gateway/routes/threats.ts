import type { FastifyInstance } from 'fastify'
import { jsonSchemaOf } from '../../schemas/json-schema.ts'
import { visibleTo } from '../sockets/filter.ts'
import { type HistoryQuery, historyQuery, matchesOf, recordQueryOf, sendPage } from './history-queries.ts'
import { type RouteDeps, sendProblem, whoIs } from './route.ts'
import { answerSchema, idSchema, listSchema, objectSchema, textOrNull } from './schemas.ts'

/** A threat in an answer. */
export const threatSchema = jsonSchemaOf('Threat')

const querySchema = objectSchema(historyQuery, [])

const tags = ['threats'] as const

/** `GET /threats`: recent threats, the latest first. `GET /threats/:id`: one of them, as long as it is kept. */
export const addThreatRoutes = (app: FastifyInstance, { records }: RouteDeps): void => {
  app.get<{ Querystring: HistoryQuery }>(
    '/threats',
    {
      config: { policy: 'threats:read', problems: [422] },
      schema: {
        operationId: 'listThreats',
        summary: 'Recent threats, the latest first',
        tags,
        querystring: querySchema,
        response: { 200: answerSchema({ threats: listSchema(threatSchema), next: textOrNull }) },
      },
    },
    async (request, reply) => {
      const matches = matchesOf(request.query, whoIs(request))
      const page = await records.list('threats', { ...recordQueryOf(request.query), matches })
      return sendPage(reply, 'threats', page)
    },
  )

  app.get<{ Params: { id: string } }>(
    '/threats/:id',
    {
      config: { policy: 'threats:read', problems: [404] },
      schema: {
        operationId: 'getThreat',
        summary: 'A threat',
        tags,
        params: idSchema,
        response: { 200: threatSchema },
      },
    },
    async (request, reply) => {
      const threat = await records.find('threats', request.params.id, visibleTo(whoIs(request)).matches)
      return threat ?? sendProblem(reply, 404)
    },
  )
}
