import type { FastifyReply, FastifyRequest } from 'fastify'
import { isRefusal, type Refusal } from '../auth/provider.ts'
import { foldUsername } from '../auth/usernames.ts'
import { type RouteDeps, sendProblem } from './route.ts'

const RETRY_AFTER_S = 1

/** One answer for an unknown user, a wrong password or code, a disabled account and a locked one. */
const refuseLogin = (reply: FastifyReply) => sendProblem(reply, 401, 'the login was refused')

const refuseForNow = (reply: FastifyReply) =>
  sendProblem(reply.header('retry-after', RETRY_AFTER_S), 503, 'too many logins at this moment')

/** How a request is known that shows credentials. */
interface Showing {
  /** What it is for, as the audit log names it. */
  readonly event: string
  readonly username: string
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** Lets requests look at credentials as often as the throttle allows, and answers those that are refused. */
export interface LoginGate {
  /** Resolves with what `look` found, or undefined when the request has been answered. */
  pass<T extends object>(showing: Showing, look: () => Promise<T | Refusal>): Promise<T | undefined>
}

/** Makes the gate that every look at a password goes through. */
export const createLoginGate = ({ throttle, metrics, log }: RouteDeps): LoginGate => ({
  pass: async ({ event, username, request, reply }, look) => {
    const attempt = { account: foldUsername(username), address: request.ip }
    const count = (outcome: 'accepted' | 'refused') => metrics.logins.inc({ outcome })
    const admission = await throttle.admit(attempt)
    if (admission !== 'admitted') {
      count('refused')
      metrics.limited.inc({ limit: admission === 'busy' ? 'logins' : 'login-failures' })
      // Not for the audit log: who is locked out could fill it.
      log.warn({ event, outcome: admission, address: request.ip }, 'security event')
      admission === 'busy' ? refuseForNow(reply) : refuseLogin(reply)
      return undefined
    }
    const answer = await look()
    if (!isRefusal(answer)) {
      await throttle.succeeded(attempt)
      count('accepted')
      return answer
    }
    count('refused')
    if (answer.refused === 'overloaded') {
      metrics.limited.inc({ limit: 'hashing' })
      await throttle.withdrawn(attempt)
      refuseForNow(reply)
    } else if (answer.refused === 'password-change') {
      await throttle.succeeded(attempt)
      sendProblem(reply, 403, 'this password is temporary: choose one of your own with POST /auth/password')
    } else refuseLogin(reply)
    return undefined
  },
})
