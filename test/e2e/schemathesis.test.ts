import { expect, it } from '@jest/globals'
import type { Tokens } from '../../schemas/wire.ts'
import { findSchemathesis, runSchemathesis } from '../support/schemathesis.ts'
import { tempDir } from '../support/temp.ts'
import { createSystem } from './processes.ts'

const MINUTES = 60_000
const PASSWORD = 'quiet lamps rust slowly'
const PASSED = /(\d+) generated, \1 passed/

const found = await findSchemathesis()

/** A gateway with its administrator and a viewer, and what to ask it by. */
const start = async () => {
  // Each wrong password that is tried counts, and a thousand are.
  const system = await createSystem(tempDir(), {
    GATEWAY_LOGIN_FAILURES_PER_MINUTE: '1000000',
  })
  const cli = await system.ready(['gateway'])
  const url = /^gateway: (\S+)$/m.exec(cli.stderr())?.[1] ?? ''
  const post = async (path: string, body: object, token?: string) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`)
    return response.json()
  }
  const logIn = async (): Promise<string> => {
    const password = system.env['BOOTSTRAP_ADMIN_PASSWORD']
    const tokens = (await post('/auth/login', { username: 'admin', password })) as Tokens
    return tokens.accessToken
  }
  const addViewer = async (token: string): Promise<string> => {
    const { password } = (await post('/users', { username: 'vera', role: 'viewer' }, token)) as {
      password: string
    }
    const change = { username: 'vera', password, newPassword: PASSWORD }
    return ((await post('/auth/password', change)) as Tokens).accessToken
  }
  const read = async (token: string): Promise<object> =>
    (
      await fetch(`${url}/openapi.json`, { headers: { authorization: `Bearer ${token}` } })
    ).json() as Promise<object>
  const stop = async () => {
    cli.kill('SIGTERM')
    return (await cli.exited).code
  }
  return { url, logIn, addViewer, read, stop, log: () => cli.stderr() }
}

const check = async () => {
  if ('missing' in found) {
    console.warn(`SCHEMATHESIS WAS NOT RUN: it needs python3 (3.10 or later) with pip: ${found.missing}`)
    return
  }
  const { url, logIn, addViewer, read, stop, log } = await start()
  const token = await logIn()
  const [viewer, leaver, document] = [await addViewer(token), await logIn(), await read(token)]
  const ask = (who: string, options: readonly string[]) =>
    runSchemathesis({ ...found, url, document, token: who, options })
  const all = ['--exclude-operation-id=logOut']
  expect(await ask(token, [...all, '--phases=coverage,fuzzing', '--max-examples=4'])).toMatch(PASSED)
  expect(await ask(viewer, [...all, '--phases=fuzzing', '--max-examples=3'])).toMatch(PASSED)
  // Who has logged out gets no further: that is left to somebody who does nothing else.
  expect(
    await ask(leaver, ['--include-operation-id=logOut', '--phases=fuzzing', '--max-examples=1']),
  ).toMatch(PASSED)
  expect(log()).not.toContain('a request failed')
  expect(await stop()).toBe(0)
}

it(
  'missing' in found
    ? 'NOT RUN, for schemathesis cannot be had: what the OpenAPI document says is so'
    : 'what the OpenAPI document says is so, for an administrator and for a viewer',
  check,
  10 * MINUTES,
)
