import type { Server } from 'node:http'
import underPressure from '@fastify/under-pressure'
import Fastify, { type FastifyInstance } from 'fastify'
import { createAccessLog } from './access-log.ts'
import { createHttpServer, type Tls } from './http-server.ts'
import { endWithProblem } from './problem.ts'
import { addAccounting } from './routes/accounting.ts'
import { addAlertRoutes } from './routes/alerts.ts'
import { addAuditRoutes } from './routes/audit.ts'
import { addAuthRoutes } from './routes/auth.ts'
import { addBrowserHeaders } from './routes/browser-headers.ts'
import { addDeadLetterRoutes } from './routes/dead-letters.ts'
import { addDocumentRoutes } from './routes/documents.ts'
import { addEntityRoutes } from './routes/entities.ts'
import { addGroundRules } from './routes/ground-rules.ts'
import { addHealthRoutes } from './routes/health.ts'
import { addKeyRoutes } from './routes/keys.ts'
import { createLoginGate } from './routes/login-gate.ts'
import { addModelRoutes } from './routes/models.ts'
import { addPresenceRoutes } from './routes/presence.ts'
import { addRetrainingRoutes } from './routes/retraining.ts'
import { type RouteDeps, sendProblem } from './routes/route.ts'
import { addRowFilterRoutes } from './routes/row-filters.ts'
import { addSessionRoutes } from './routes/sessions.ts'
import { addSuppressionRoutes } from './routes/suppressions.ts'
import { addThreatRoutes } from './routes/threats.ts'
import { addTotpRoutes } from './routes/totp.ts'
import { addTriageRoutes } from './routes/triage.ts'
import { addUserRoutes } from './routes/users.ts'

/** Largest body of a request, in bytes. */
const BODY_BYTES = 16_384

/** Longest parameter in a path: the schemas say how long each may be, and no head is longer. */
const PARAM_CHARS = 16_384

/** Statuses of requests that are not HTTP, by what Node finds wrong with them; 400 for any other. */
const CLIENT_ERRORS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}

/** Settings of the application itself. */
interface AppSettings {
  readonly trustedProxies: readonly string[]
  /** Delay of the event loop, in ms, and heap in use, in bytes, above which requests are put off; no limit at 0. */
  readonly maxLagMs: number
  readonly maxHeapBytes: number
  /** Whether each request is a line in the log at the level info. */
  readonly accessLog: boolean
  /** The certificate to serve with; plain HTTP when there is none. */
  readonly tls?: Tls | undefined
}

/** After how long somebody who was put off may ask again, in s. */
const RETRY_AFTER_S = 1

/** Puts requests off while the process has more to do than it can, but for the one that asks whether it lives. */
const addPressureLimit = async (
  app: FastifyInstance,
  { maxLagMs, maxHeapBytes, metrics }: AppSettings & Pick<RouteDeps, 'metrics'>,
) => {
  await app.register(underPressure, {
    maxEventLoopDelay: maxLagMs,
    maxHeapUsedBytes: maxHeapBytes,
    pressureHandler: (request, reply) => {
      if (request.routeOptions.url === '/live') return
      metrics.limited.inc({ limit: 'pressure' })
      sendProblem(reply.header('retry-after', RETRY_AFTER_S), 503, 'too much to do at this moment')
    },
  })
}

/**
 * Builds the HTTP application; it does not listen. Everything is denied that a route's policy does not allow, every
 * body is checked against a schema, and every error is a problem document without inner details.
 */
export const buildApp = async (deps: RouteDeps & AppSettings): Promise<FastifyInstance> => {
  const { tls } = deps
  const app = Fastify<Server>({
    // Only these may say for whom they ask: X-Forwarded-For of anybody else is a claim.
    trustProxy: deps.trustedProxies.length > 0 ? [...deps.trustedProxies] : false,
    logger: false,
    bodyLimit: BODY_BYTES,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: PARAM_CHARS },
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, error.statusCode ?? 400)
    },
    clientErrorHandler: (error, socket) => {
      if (socket.writable) endWithProblem(socket, CLIENT_ERRORS[error.code] ?? 400)
    },
    forceCloseConnections: true,
    serverFactory: handler => createHttpServer(tls, handler),
    // Verbose, so that a complaint can say what a field is for.
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, verbose: true },
    },
  })
  // First what holds for every answer, also for those that come of too much to do.
  await addBrowserHeaders(app)
  addAccounting(app, { access: createAccessLog(deps), metrics: deps.metrics })
  await addPressureLimit(app, deps)
  addGroundRules(app, deps)
  const gate = createLoginGate(deps)
  addAuthRoutes(app, deps, gate)
  addTotpRoutes(app, deps, gate)
  addSessionRoutes(app, deps)
  addUserRoutes(app, deps)
  addKeyRoutes(app, deps)
  addRowFilterRoutes(app, deps)
  addAuditRoutes(app, deps)
  addThreatRoutes(app, deps)
  addAlertRoutes(app, deps)
  addTriageRoutes(app, deps)
  addSuppressionRoutes(app, deps)
  addEntityRoutes(app, deps)
  addModelRoutes(app, deps)
  addRetrainingRoutes(app, deps)
  addDeadLetterRoutes(app, deps)
  addPresenceRoutes(app, deps)
  addHealthRoutes(app, deps)
  addDocumentRoutes(app)
  await app.ready()
  return app
}
