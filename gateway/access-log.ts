import type { Log } from '../runtime/log.ts'
import { isKeyHolder } from './auth/api-keys.ts'
import type { Principal } from './auth/provider.ts'

/** What is known of a request or a socket; none of it was made up by the client but the method, which HTTP bounds. */
export interface Access {
  /** Who it was; null when that is not known. */
  readonly principal: Principal | null
  /** Network address of the client, as far as the proxies before the gateway are believed. */
  readonly address: string
  readonly method?: string
  /** The pattern of a route, never the address that was asked for: whatever somebody put into that stays out of the log. */
  readonly route?: string
  /** Of HTTP, or of the close of a WebSocket. */
  readonly status?: number
  /** How long it took, or was open. */
  readonly ms?: number
}

/** Notes who asks for what, and what comes of it. */
export interface AccessLog {
  /** `isQuiet`: what comes again and again is written at the level debug only. */
  note(what: string, access: Access, isQuiet?: boolean): void
}

interface AccessLogDeps {
  readonly log: Log
  /** Whether it is written at the level info; else at debug. */
  readonly accessLog: boolean
}

const actorOf = (principal: Principal | null) => {
  if (principal === null) return { actor: null }
  const { userId, role, tokenId } = principal
  return { actor: userId, role, ...(isKeyHolder(principal) ? { key: tokenId } : {}) }
}

/** Writes lines of the log: no token, no secret, no query, no body. */
export const createAccessLog = ({ log, accessLog }: AccessLogDeps): AccessLog => ({
  note: (what, { principal, ...rest }, isQuiet = false) => {
    log[accessLog && !isQuiet ? 'info' : 'debug']({ ...actorOf(principal), ...rest }, what)
  },
})
