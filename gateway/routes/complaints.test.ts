import { expect, it } from '@jest/globals'
import { createTestApp } from '../../test/support/app.ts'

const create = async () => {
  const { app, tokenOf } = await createTestApp()
  const authorization = `Bearer ${await tokenOf('admin')}`
  return async (
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    payload?: string,
    type = 'application/json',
  ) => {
    const headers = { authorization, ...(payload === undefined ? {} : { 'content-type': type }) }
    const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) })
    const { detail } = response.json<{ detail?: string }>()
    return { status: response.statusCode, detail, headers: response.headers }
  }
}

it('says which field is wrong, and what it may be', async () => {
  const ask = await create()
  for (const [method, url, body, status, detail] of [
    [
      'POST',
      '/suppressions',
      '{"cidr":"10.0.0.0/8","why":"x"}',
      400,
      'body has a field "why", and there is no such',
    ],
    ['GET', '/threats?who=x', undefined, 400, 'querystring has a field "who", and there is no such'],
    [
      'GET',
      '/threats?severity=bad',
      undefined,
      400,
      'querystring/severity must be one of low, medium, high, critical',
    ],
    ['GET', '/threats?limit=501', undefined, 400, 'querystring/limit must be: a number from 1 to 500'],
    ['POST', '/users', '{"role":"viewer"}', 400, "body must have required property 'username'"],
    ['POST', '/users', '{"role":', 400, 'the body is not JSON'],
    ['DELETE', '/keys/none', '', 400, 'the content type says that there is a body, and there is none'],
    ['POST', '/users', `{"username":"${'x'.repeat(17_000)}"}`, 413, 'the body is too large'],
    ['GET', '/users/none/sessions', undefined, 404, undefined],
    ['DELETE', '/users/none/sessions', undefined, 404, undefined],
    ['POST', '/revocations', '{"userId":"none"}', 404, 'there is no such user'],
  ] as const) {
    expect([url, await ask(method, url, body)]).toMatchObject([url, { status, detail }])
  }
  const form = await ask('POST', '/users', 'a=b', 'application/x-www-form-urlencoded')
  expect(form).toMatchObject({ status: 415, detail: 'a body is of the type application/json' })
})

it('tells a request to the path of the WebSocket to upgrade', async () => {
  const ask = await create()
  expect(await ask('GET', '/ws')).toMatchObject({ status: 426, headers: { upgrade: 'websocket' } })
})
