import type { FastifyInstance } from 'fastify'
import type { RouteDeps } from './route.ts'
import {
  answerSchema,
  anyText,
  limitOf,
  limitSchema,
  listSchema,
  objectSchema,
  textOrNull,
  textSchema,
  timeSchema,
} from './schemas.ts'

const querySchema = objectSchema(
  {
    event: textSchema(1, 64),
    actor: textSchema(1, 128),
    subject: textSchema(1, 128),
    before: textSchema(1, 64),
    limit: limitSchema,
  },
  [],
)

const entrySchema = answerSchema(
  {
    id: anyText,
    at: timeSchema,
    event: anyText,
    outcome: anyText,
    actor: textOrNull,
    subject: textOrNull,
    address: textOrNull,
    detail: { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
  },
  'AuditEntry',
)

interface Query {
  readonly event?: string
  readonly actor?: string
  readonly subject?: string
  readonly before?: string
  readonly limit?: string
}

/** `GET /audit`: the security events, the latest first, page by page: `next` is the `before` of the following page. */
export const addAuditRoutes = (app: FastifyInstance, { store }: RouteDeps): void => {
  app.get<{ Querystring: Query }>(
    '/audit',
    {
      config: { policy: 'audit:read' },
      schema: {
        operationId: 'listAudit',
        summary: 'Security events, the latest first',
        tags: ['audit'],
        querystring: querySchema,
        response: { 200: answerSchema({ entries: listSchema(entrySchema), next: textOrNull }) },
      },
    },
    async request => {
      const { limit: wanted, ...filter } = request.query
      const limit = limitOf(wanted)
      const entries = await store.listAudit({ ...filter, limit })
      return { entries, next: entries.length < limit ? null : (entries.at(-1)?.id ?? null) }
    },
  )
}
