import { afterAll } from '@jest/globals'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../gateway/app.ts'
import type { Role } from '../../gateway/auth/permissions.ts'
import type { Credentials } from '../../gateway/auth/provider.ts'
import { createMemoryThrottle, SHARED_LIMITS } from '../../gateway/auth/throttle.ts'
import { createMemoryTicketStore, createTickets } from '../../gateway/auth/tickets.ts'
import { createRecords } from '../../gateway/records.ts'
import { openApiOf } from '../../gateway/routes/openapi.ts'
import { visibleTo } from '../../gateway/sockets/filter.ts'
import { createTriage } from '../../gateway/triage/triage.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Tokens } from '../../schemas/wire.ts'
import { createAnswerCheck } from './answers.ts'
import { createMemoryBackOffice } from './back-office.ts'
import { addAccount, createIdentity } from './identity.ts'
import { tempDir } from './temp.ts'

/** What an application is built from. */
export type AppDeps = Parameters<typeof buildApp>[0]

/** Password of every account that {@link createTestApp} makes. */
export const PASSWORD = 'correct horse battery'

/** The routes of an application, from the table as Fastify prints it, so that none can hide. */
export const routesOf = (app: FastifyInstance): { readonly method: 'GET'; readonly url: string }[] => {
  const path: string[] = []
  const lines = app.printRoutes({ commonPrefix: false }).split('\n')
  return lines.flatMap(line => {
    const [, indent, part, methods] = /^([│├└─ ]+)(\S+)(?: \((.+)\))?$/.exec(line) ?? []
    if (indent === undefined || part === undefined) return []
    path.splice(indent.length / 4 - 1, path.length, part)
    const url = path.join('')
    // Any method: the type of `inject` wants one of its own.
    return (methods ?? '')
      .split(', ')
      .flatMap(method => (method === '' ? [] : [{ method: method as 'GET', url }]))
  })
}

/** One hash for all accounts of a file: working it out takes time on purpose. */
let hashed: Promise<string> | undefined

const open: Array<() => Promise<unknown>> = []
afterAll(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** The gateway's HTTP application on a store of its own, with a user for each role, and no network in between. */
export const createTestApp = async (
  changes: Partial<AppDeps> = {},
  env: Readonly<Record<string, string>> = {},
) => {
  const identity = await createIdentity(
    tempDir(),
    { BOOTSTRAP_ADMIN_PASSWORD: PASSWORD, ...env },
    changes.log,
  )
  open.push(() => identity.store.close())
  const now = changes.now ?? identity.now
  const roles: readonly Role[] = ['viewer', 'analyst', 'auditor']
  const { store } = identity
  hashed ??= identity.passwords.hash(PASSWORD)
  const passwords = { hash: () => hashed ?? Promise.reject(new Error('no hash')) }
  for (const role of roles)
    await addAccount({ store, passwords }, { username: role, password: PASSWORD }, { role })
  const records = createRecords(identity)
  const triage = createTriage({
    store,
    findAlert: (id, principal) => records.find('alerts', id, visibleTo(principal).matches),
    wake: () => undefined,
    audit: identity.audit,
    now,
  })
  const deps: AppDeps = {
    ...identity,
    records,
    triage,
    presence: () => ({ gateways: 1, users: 2, sockets: 3 }),
    now,
    accessTokenS: 60,
    refreshTokenS: 3_600,
    origins: [],
    trustedProxies: [],
    maxLagMs: 0,
    maxHeapBytes: 0,
    accessLog: true,
    throttle: createMemoryThrottle({ limits: { ...SHARED_LIMITS, overall: 1_000 }, now }),
    tickets: createTickets({
      store: createMemoryTicketStore({ now }),
      sealer: identity.sealer,
      prefix: '',
      now,
    }),
    backOffice: createMemoryBackOffice(),
    check: async () => [],
    log: silentLog(),
    metrics: createMetrics(),
    ...changes,
  }
  const app: FastifyInstance = await buildApp(deps)
  open.push(() => app.close())

  const checkAnswer = createAnswerCheck(openApiOf(app.operations))
  /** Asks, and throws when the answer is not one that the OpenAPI document describes. */
  const ask = async (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    { token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
  ) => {
    const response = await app.inject({
      method,
      url,
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    checkAnswer(method, url, response)
    return response
  }
  const logIn = async (username: string, credentials: Partial<Credentials> = {}): Promise<Tokens> => {
    const body = { username, password: PASSWORD, ...credentials }
    const response = await ask('POST', '/auth/login', { body })
    if (response.statusCode !== 200) throw new Error(`the login was answered with ${response.statusCode}`)
    return response.json<Tokens>()
  }
  const tokenOf = async (username: string) => (await logIn(username)).accessToken
  return { app, deps, ...identity, ask, logIn, tokenOf }
}
