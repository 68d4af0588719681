import { describe, expect, it } from '@jest/globals'
import { Validator } from '@seriousme/openapi-schema-validator'
import { createTestApp, routesOf } from '../../test/support/app.ts'
import { isPermission } from '../auth/permissions.ts'
import { openApiOf } from './openapi.ts'

interface Described {
  readonly operationId: string
  readonly security: readonly Readonly<Record<string, unknown>>[]
  readonly 'x-permission': string
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>
}

const read = async () => {
  const { ask, app, tokenOf } = await createTestApp()
  const response = await ask('GET', '/openapi.json', { token: await tokenOf('viewer') })
  const document = response.json()
  const paths: Record<string, Record<string, Described>> = document.paths
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      name: `${method.toUpperCase()} ${path}`,
    })),
  )
  return { app, document, operations }
}

describe('the OpenAPI document', () => {
  it('is valid by OpenAPI 3.1', async () => {
    const { document } = await read()
    expect(document.openapi).toBe('3.1.0')
    expect(await new Validator().validate(document)).toMatchObject({ valid: true })
  })

  it('has every route, each under a name of its own', async () => {
    const { app, operations } = await read()
    const routes = routesOf(app).map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(operations.map(({ name }) => name).toSorted()).toEqual(routes.toSorted())
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  })

  it('says of each what it needs, and how it refuses who has not got it', async () => {
    const { operations } = await read()
    for (const { name, 'x-permission': permission, security, responses } of operations) {
      const isKnown = permission === 'public' || permission === 'authenticated' || isPermission(permission)
      expect([name, isKnown]).toEqual([name, true])
      const needsToken = security.some(each => 'accessToken' in each)
      expect([name, needsToken]).toEqual([name, permission !== 'public'])
      expect([name, '403' in responses || !isPermission(permission)]).toEqual([name, true])
      expect([name, '401' in responses || !needsToken]).toEqual([name, true])
    }
  })

  it('has a schema for each answer: a problem for what goes wrong', async () => {
    const { operations, document } = await read()
    for (const { name, responses } of operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        const [type] = Object.keys(content ?? {})
        const wanted =
          status === '204'
            ? undefined
            : status.startsWith('2') || (name === 'GET /ready' && status === '503')
              ? 'application/json'
              : 'application/problem+json'
        expect([name, status, type]).toEqual([name, status, wanted])
      }
    }
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Problem', 'User', 'Tokens', 'AuditEntry']),
    )
  })

  it('is not made of two schemas with one title', () => {
    const operation = (id: string, title: object) => ({
      method: 'GET',
      url: `/${id}`,
      policy: 'public' as const,
      id,
      summary: id,
      tags: ['a'],
      input: {},
      answers: { 200: title },
      problems: [],
    })
    const [first, second] = [
      { title: 'Thing', type: 'string' },
      { title: 'Thing', type: 'integer' },
    ]
    expect(() => openApiOf([operation('a', first), operation('b', first)])).not.toThrow()
    expect(() => openApiOf([operation('a', first), operation('b', second)])).toThrow(/the title Thing/)
  })
})
