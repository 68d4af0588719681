import type { FastifyReply } from 'fastify'
import type { Check } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Permission } from '../auth/permissions.ts'
import type { Principal, SessionProvider } from '../auth/provider.ts'
import type { LoginThrottle } from '../auth/throttle.ts'
import type { Tickets } from '../auth/tickets.ts'
import { PROBLEM_TYPE, problem } from '../problem.ts'

/** Who may use a route. Every route states it; one that does not keeps the gateway from starting. */
export type Policy = 'public' | 'authenticated' | Permission

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: Policy
  }
  interface FastifyRequest {
    /** Who asks; null on public routes. */
    principal: Principal | null
  }
}

/** What the routes need. */
export interface RouteDeps {
  readonly auth: SessionProvider
  readonly throttle: LoginThrottle
  readonly tickets: Tickets
  /** What the gateway depends on, looked at now. */
  readonly check: () => Promise<readonly Check[]>
  readonly log: Log
  readonly metrics: Metrics
}

/** Answers with a problem (RFC 9457). */
export const sendProblem = (reply: FastifyReply, status: number, detail?: string): FastifyReply =>
  reply
    .code(status)
    .header('content-type', PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problem(status, detail))
