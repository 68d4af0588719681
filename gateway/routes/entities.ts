import type { FastifyInstance } from 'fastify'
import { isGranted } from '../auth/permissions.ts'
import { digest } from '../auth/sealing.ts'
import { visibleTo } from '../sockets/filter.ts'
import { alertSchema } from './alerts.ts'
import { noteAct, type RouteDeps, whoIs } from './route.ts'
import { answerSchema, anyText, countSchema, listSchema, objectSchema, textSchema } from './schemas.ts'
import { refuseLimited } from './suppressions.ts'
import { threatSchema } from './threats.ts'

/** Threats and alerts that are shown of an entity; the lists have the others. */
const MOST_SHOWN = 50

/** Records that are erased in one statement. */
const ERASED_AT_ONCE = 1_000

const entitySchema = objectSchema({ id: textSchema(1, 512) }, ['id'])

const tags = ['entities'] as const

/** `GET /entities/:id`: the latest of an entity. `DELETE /entities/:id`: all that the store holds about it is gone. */
export const addEntityRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { records, store, triage, audit } = deps

  app.get<{ Params: { id: string } }>(
    '/entities/:id',
    {
      config: { policy: 'threats:read' },
      schema: {
        operationId: 'getEntity',
        summary: 'The latest threats and alerts of an entity, e.g. ip:203.0.113.9',
        tags,
        params: entitySchema,
        response: {
          200: answerSchema({
            id: anyText,
            threats: listSchema(threatSchema),
            alerts: { ...listSchema(alertSchema), description: 'None for who may not read alerts.' },
          }),
        },
      },
    },
    async request => {
      const { id } = request.params
      const principal = whoIs(request)
      const query = { filter: { entity: id }, matches: visibleTo(principal).matches, limit: MOST_SHOWN }
      const threats = await records.list('threats', query)
      const alerts = isGranted(principal, 'alerts:read') ? await records.list('alerts', query) : undefined
      return { id, threats: threats?.records ?? [], alerts: alerts?.records ?? [] }
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/entities/:id',
    {
      config: { policy: 'entities:delete' },
      preHandler: refuseLimited,
      schema: {
        operationId: 'deleteEntity',
        summary: 'Delete the threats, alerts, decisions and suppressions of an entity that the gateways keep',
        tags,
        params: entitySchema,
        response: { 200: answerSchema({ records: countSchema, decisions: countSchema }) },
      },
    },
    async request => {
      const { id } = request.params
      let erased = 0
      for (let more = ERASED_AT_ONCE; more === ERASED_AT_ONCE; erased += more) {
        more = await store.eraseFromHistory(id, ERASED_AT_ONCE)
      }
      const decisions = await triage.forget(id)
      // Whoever knows the entity can tell that it was deleted; the entry does not bring it back.
      await noteAct(audit, request, {
        event: 'entity.delete',
        subject: `sha256:${digest(id)}`,
        detail: { records: erased, decisions },
      })
      return { records: erased, decisions }
    },
  )
}
