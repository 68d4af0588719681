import type { FastifyInstance } from 'fastify'
import { objectSchema, type RouteDeps, textSchema } from './route.ts'

const MAX_PAGE = 500

const querySchema = objectSchema(
  {
    event: textSchema(1, 64),
    actor: textSchema(1, 128),
    subject: textSchema(1, 128),
    before: textSchema(1, 64),
    limit: { type: 'string', pattern: '^[1-9][0-9]{0,2}$' },
  },
  [],
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
    { config: { policy: 'audit:read' }, schema: { querystring: querySchema } },
    async request => {
      const { limit: wanted, ...filter } = request.query
      const limit = Math.min(Number(wanted ?? MAX_PAGE), MAX_PAGE)
      const entries = await store.listAudit({ ...filter, limit })
      return { entries, next: entries.length < limit ? null : (entries.at(-1)?.id ?? null) }
    },
  )
}
