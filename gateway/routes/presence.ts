import type { FastifyInstance } from 'fastify'
import type { RouteDeps } from './route.ts'
import { answerSchema, countSchema } from './schemas.ts'

/** `GET /presence`: how many are connected, over all gateways. */
export const addPresenceRoutes = (app: FastifyInstance, { presence }: RouteDeps): void => {
  app.get(
    '/presence',
    {
      config: { policy: 'system:read' },
      schema: {
        operationId: 'getPresence',
        summary: 'How many gateways there are, and users and sockets that are connected to them',
        tags: ['system'],
        response: { 200: answerSchema({ gateways: countSchema, users: countSchema, sockets: countSchema }) },
      },
    },
    async () => presence(),
  )
}
