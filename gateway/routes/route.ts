import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Check } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { ApiKeys } from '../auth/api-keys.ts'
import type { Audit, SecurityEvent } from '../auth/audit.ts'
import type { KeyRing } from '../auth/key-ring.ts'
import type { Logins } from '../auth/logins.ts'
import type { Passwords } from '../auth/passwords.ts'
import type { Permission } from '../auth/permissions.ts'
import type { Principal, SessionProvider, Source } from '../auth/provider.ts'
import type { StoreProvider } from '../auth/store-provider.ts'
import type { LoginThrottle } from '../auth/throttle.ts'
import type { Tickets } from '../auth/tickets.ts'
import type { Totp } from '../auth/totp.ts'
import type { BackOffice } from '../back-office.ts'
import { PROBLEM_TYPE, problem } from '../problem.ts'
import type { Records } from '../records.ts'
import type { Presence } from '../sockets/presence.ts'
import type { Store } from '../store/store.ts'
import type { Triage } from '../triage/triage.ts'

/** Who may use a route. Every route states it; one that does not keeps the gateway from starting. */
export type Policy = 'public' | 'authenticated' | Permission

/** Statuses that a route may answer with a problem, beside those that follow from its policy and its schemas. */
export type ProblemStatus = 401 | 403 | 404 | 409 | 422 | 429

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: Policy
    problems?: readonly ProblemStatus[]
  }
  interface FastifySchema {
    /** Name of the operation for programs, e.g. `listKeys`. */
    operationId?: string
    /** What it does, in a line. */
    summary?: string
    /** What it belongs to. */
    tags?: readonly string[]
  }
  interface FastifyRequest {
    /** Who asks; null on public routes. */
    principal: Principal | null
  }
}

/** What the routes need. */
export interface RouteDeps {
  readonly auth: SessionProvider
  readonly accounts: Pick<StoreProvider, 'changePassword'>
  readonly logins: Logins
  readonly passwords: Pick<Passwords, 'hash'>
  readonly totp: Totp
  readonly apiKeys: Pick<ApiKeys, 'issue'>
  readonly keys: Pick<KeyRing, 'publicKeys' | 'rotate'>
  readonly store: Store
  readonly backOffice: BackOffice
  readonly records: Records
  readonly triage: Triage
  /** Who is connected, as it was counted last. */
  readonly presence: () => Presence
  readonly audit: Audit
  readonly throttle: LoginThrottle
  readonly tickets: Tickets
  /** Where people log in, when it is not here. */
  readonly issuer?: string | undefined
  /** Origins whose pages may use the gateway; its own when empty. */
  readonly origins: readonly string[]
  /** How long the cookie of a browser's login is kept, in s. */
  readonly refreshTokenS: number
  /** Longest life of an access token, in s. */
  readonly accessTokenS: number
  /** What the gateway depends on, looked at now. */
  readonly check: () => Promise<readonly Check[]>
  readonly log: Log
  readonly metrics: Metrics
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Answers with a problem (RFC 9457). */
export const sendProblem = (reply: FastifyReply, status: number, detail?: string): FastifyReply => {
  // RFC 9110, section 15.5.2: who is not let in is told how to ask.
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  return reply
    .code(status)
    .header('content-type', PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problem(status, detail))
}

/** Who asks, on a route that is not public. */
export const whoIs = ({ principal }: FastifyRequest): Principal => {
  if (principal === null) throw new Error('an authenticated route was reached without a principal')
  return principal
}

const MAX_CLIENT_CHARS = 200

/** Where a request comes from. */
export const sourceOf = (request: FastifyRequest): Source => ({
  address: request.ip,
  client: (request.headers['user-agent'] ?? '').slice(0, MAX_CLIENT_CHARS),
})

/** Notes what somebody did who is logged in. */
export const noteAct = (
  audit: Audit,
  request: FastifyRequest,
  event: Omit<SecurityEvent, 'actor' | 'address' | 'outcome'> & { readonly outcome?: string },
): Promise<void> =>
  audit.note({ outcome: 'accepted', ...event, actor: whoIs(request).userId, address: request.ip })
