import type { FastifyInstance } from 'fastify'
import { openApiOf } from './openapi.ts'

const document = { type: 'object', additionalProperties: true } as const

/** `GET /openapi.json`: what the gateway answers to, for whoever is logged in. */
export const addDocumentRoutes = (app: FastifyInstance): void => {
  let openApi: ReturnType<typeof openApiOf> | undefined
  app.get(
    '/openapi.json',
    {
      config: { policy: 'authenticated' },
      schema: {
        operationId: 'getOpenApi',
        summary: 'This document',
        tags: ['documents'],
        response: { 200: document },
      },
    },
    async () => {
      openApi ??= openApiOf(app.operations)
      return openApi
    },
  )
}
