import type { FastifyInstance } from 'fastify'
import { type FilterExpression, isFilterProblem, parseFilter } from '../../schemas/filter.ts'
import { holderOf } from '../auth/api-keys.ts'
import { noteAct, type RouteDeps, sendProblem } from './route.ts'
import { answerSchema, filterOrNull, filterSchema, idSchema, noContent } from './schemas.ts'

const answer = answerSchema({ filter: filterOrNull })

/**
 * `/users/:id/rows` and `/keys/:id/rows`: which threats and alerts somebody may see at all. It is asked beside whatever
 * they ask for, on sockets that are open as well.
 */
export const addRowFilterRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { store, audit, now } = deps

  const kinds = [
    {
      path: '/users/:id/rows',
      name: 'UserRows',
      of: 'a user',
      tags: ['users'],
      holder: (id: string) => id,
      // Those of an issuer elsewhere are known there.
      isKnown: async (id: string) =>
        deps.issuer !== undefined || (await store.findUserById(id)) !== undefined,
    },
    {
      path: '/keys/:id/rows',
      name: 'KeyRows',
      of: 'the holder of a key',
      tags: ['keys'],
      holder: holderOf,
      isKnown: async (id: string) => (await store.findApiKey({ id })) !== undefined,
    },
  ]

  for (const { path, name, of, tags, holder, isKnown } of kinds) {
    app.get<{ Params: { id: string } }>(
      path,
      {
        config: { policy: 'users:read', problems: [404] },
        schema: {
          operationId: `get${name}`,
          summary: `Which threats and alerts ${of} may see at all`,
          tags,
          params: idSchema,
          response: { 200: answer },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        if (!(await isKnown(id))) return sendProblem(reply, 404)
        return { filter: await store.findRowFilter(holder(id)) }
      },
    )

    app.put<{ Params: { id: string }; Body: FilterExpression }>(
      path,
      {
        config: { policy: 'users:write', problems: [404, 422] },
        schema: {
          operationId: `set${name}`,
          summary: `Let ${of} see only what passes a filter`,
          tags,
          params: idSchema,
          body: filterSchema,
          response: { 200: answer },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        const filter = parseFilter(request.body, 'rows')
        if (isFilterProblem(filter)) return sendProblem(reply, 422, filter.problem)
        if (!(await isKnown(id))) return sendProblem(reply, 404)
        await store.setRowFilter(holder(id), filter, now())
        const detail = { filter: JSON.stringify(filter) }
        await noteAct(audit, request, { event: 'rows.update', subject: holder(id), detail })
        return { filter }
      },
    )

    app.delete<{ Params: { id: string } }>(
      path,
      {
        config: { policy: 'users:write', problems: [404] },
        schema: {
          operationId: `delete${name}`,
          summary: `Let ${of} see everything`,
          tags,
          params: idSchema,
          response: { 204: noContent },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        if (!(await isKnown(id))) return sendProblem(reply, 404)
        await store.setRowFilter(holder(id), null, now())
        await noteAct(audit, request, { event: 'rows.delete', subject: holder(id) })
        return reply.code(204).send()
      },
    )
  }
}
