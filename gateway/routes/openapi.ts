import { STATUS_CODES } from 'node:http'
import { VERSION } from '../../runtime/version.ts'
import { SERVICE_SCOPES } from '../auth/permissions.ts'
import { REFRESH_COOKIE } from './browser.ts'
import type { Operation } from './operations.ts'
import { anyText, objectSchema } from './schemas.ts'
import { createShelf, isObject, type Json, type Put } from './shelf.ts'

/** A problem as the routes answer with it (RFC 9457). */
const PROBLEM = objectSchema(
  {
    type: { type: 'string', const: 'about:blank' },
    title: anyText,
    status: { type: 'integer' },
    detail: anyText,
  },
  ['type', 'title', 'status'],
  'Problem',
)

const SECURITY_SCHEMES = {
  accessToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'Access token, from `POST /auth/login` or `POST /auth/refresh`.',
  },
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'nsk_…',
    description: 'API key of a program, from `POST /keys`; it may do what its scopes say.',
  },
  refreshCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: REFRESH_COOKIE,
    description: 'Refresh token of a browser, for `POST /auth/refresh` alone.',
  },
} as const

const DESCRIPTION =
  'What people and programs ask of a gateway. Each operation names the permission that it needs in `x-permission`: ' +
  '`public`, `authenticated`, or one that a role or an API key grants. Whatever goes wrong is a problem by RFC 9457. The ' +
  'WebSocket is described by `/asyncapi.json`.'

const parametersOf = ({ input }: Operation, put: Put) =>
  (['params', 'querystring'] as const).flatMap(place => {
    const schema = input[place] as { properties: Json; required?: readonly string[] } | undefined
    return Object.entries(schema?.properties ?? {}).map(([name, each]) => ({
      name,
      in: place === 'params' ? 'path' : 'query',
      required: place === 'params' || (schema?.required?.includes(name) ?? false),
      schema: put(each),
    }))
  })

const bodyOf = ({ input: { body } }: Operation, put: Put) => {
  if (!isObject(body)) return {}
  const isOptional = Array.isArray(body['type']) && body['type'].includes('null')
  return { requestBody: { required: !isOptional, content: { 'application/json': { schema: put(body) } } } }
}

const answerOf = (status: string, schema: object, put: Put) => {
  const hasBody = (schema as Json)['type'] !== 'null'
  const content = hasBody ? { content: { 'application/json': { schema: put(schema) } } } : {}
  return { description: STATUS_CODES[status] ?? status, ...content }
}

const HEADERS: Readonly<Record<number, Json>> = {
  401: { 'WWW-Authenticate': { schema: anyText } },
  503: { 'Retry-After': { description: 'In s.', schema: anyText } },
}

const problemOf = (status: number, put: Put) => ({
  description: STATUS_CODES[status] ?? String(status),
  ...(HEADERS[status] === undefined ? {} : { headers: HEADERS[status] }),
  content: { 'application/problem+json': { schema: put(PROBLEM) } },
})

const securityOf = ({ policy, url }: Operation) => {
  if (url === '/auth/refresh') return [{ refreshCookie: [] }, {}]
  if (policy === 'public') return []
  const isForPrograms = policy === 'authenticated' || (SERVICE_SCOPES as readonly string[]).includes(policy)
  return [{ accessToken: [] }, ...(isForPrograms ? [{ apiKey: [] }] : [])]
}

const pathOf = (url: string): string => url.replaceAll(/:(\w+)/g, '{$1}')

/** The OpenAPI 3.1 document of operations: all of it is what the routes state, and nothing is written twice. */
export const openApiOf = (operations: readonly Operation[]): Json => {
  const { put, schemas } = createShelf()
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    const { id, summary, tags, policy, answers, problems } = operation
    const path = pathOf(operation.url)
    paths[path] = {
      ...paths[path],
      [operation.method.toLowerCase()]: {
        operationId: id,
        summary,
        tags,
        'x-permission': policy,
        security: securityOf(operation),
        parameters: parametersOf(operation, put),
        ...bodyOf(operation, put),
        responses: Object.fromEntries([
          ...Object.entries(answers).map(([status, schema]) => [status, answerOf(status, schema, put)]),
          ...problems.map(status => [String(status), problemOf(status, put)]),
        ]),
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'NetSentinel gateway',
      version: VERSION,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(operations.flatMap(({ tags }) => tags))].sort().map(name => ({ name })),
    paths,
    components: { securitySchemes: SECURITY_SCHEMES, schemas: Object.fromEntries(schemas) },
  }
}
