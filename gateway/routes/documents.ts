import type { FastifyInstance } from 'fastify'
import { asyncApi } from './asyncapi.ts'
import { openApiOf } from './openapi.ts'
import type { Json } from './shelf.ts'

const response = { 200: { type: 'object', additionalProperties: true } } as const
const tags = ['documents'] as const

/** Makes something when it is first asked for. */
const once = (make: () => Json): (() => Json) => {
  let made: Json | undefined
  return () => (made ??= make())
}

/** `GET /openapi.json` and `/asyncapi.json`: what the gateway answers to, for whoever is logged in. */
export const addDocumentRoutes = (app: FastifyInstance): void => {
  const [openApi, socket] = [once(() => openApiOf(app.operations)), once(asyncApi)]
  const config = { policy: 'authenticated' } as const
  app.get(
    '/openapi.json',
    { config, schema: { operationId: 'getOpenApi', summary: 'This document', tags, response } },
    async () => openApi(),
  )
  app.get(
    '/asyncapi.json',
    { config, schema: { operationId: 'getAsyncApi', summary: 'What the WebSocket speaks', tags, response } },
    async () => socket(),
  )
}
