import { z } from 'zod'
import { isSentinelError, messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Tokens } from '../../schemas/wire.ts'

/** What a client logs in with: what a person types, or a function that opens a session whenever one is needed. */
export type Login =
  | { readonly username: string; readonly password: string; readonly code?: string }
  | { readonly openSession: () => Promise<Tokens> }

const tokensSchema = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  expiresIn: z.number(),
})

const TIMEOUT_MS = 15_000

/** A token is replaced this long before it runs out, in ms; a shorter-lived one at half its life. */
const MARGIN_MS = 10_000

const post = async (url: string, path: string, body: object): Promise<Tokens | undefined> => {
  try {
    const response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (response.status === 401) return undefined
    if (response.status === 403) {
      throw new SentinelError(
        'NS_LOGIN_REFUSED',
        'the password is temporary: choose one of your own with `netsentinel password`',
      )
    }
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    return tokensSchema.parse(await response.json())
  } catch (cause) {
    if (isSentinelError(cause)) throw cause
    throw new SentinelError('NS_SERVICE_UNREACHABLE', `the gateway at ${url}: ${messageOf(cause)}`, { cause })
  }
}

/** Keeps an access token at hand: logs in, refreshes, and logs in again when the session is over. */
export const createLogin = (url: string, login: Login) => {
  let tokens: Tokens | undefined
  let freshUntil = 0

  const keep = (next: Tokens): string => {
    tokens = next
    const lifetimeMs = next.expiresIn * 1000
    freshUntil = Date.now() + Math.max(lifetimeMs - MARGIN_MS, lifetimeMs / 2)
    return next.accessToken
  }
  const renew = async (): Promise<string> => {
    const refreshToken = tokens?.refreshToken
    // Good once: whatever comes of it, it must not be presented again.
    tokens = undefined
    const refreshed =
      refreshToken === undefined ? undefined : await post(url, '/auth/refresh', { refreshToken })
    if (refreshed !== undefined) return keep(refreshed)
    const fresh = 'openSession' in login ? await login.openSession() : await post(url, '/auth/login', login)
    if (fresh === undefined)
      throw new SentinelError('NS_LOGIN_REFUSED', `the gateway at ${url} refused the login`)
    return keep(fresh)
  }

  let renewing: Promise<string> | undefined
  /** A refresh token is good once: whoever asks meanwhile waits for the same answer. */
  const renewOnce = () => {
    renewing ??= renew().finally(() => {
      renewing = undefined
    })
    return renewing
  }

  return {
    /** How long the token at hand is still good enough to be kept, in ms. */
    freshForMs: (): number => Math.max(0, freshUntil - Date.now()),
    /** A token that is good for a while. Throws NS_LOGIN_REFUSED, NS_SERVICE_UNREACHABLE. */
    accessToken: async (): Promise<string> =>
      tokens !== undefined && Date.now() < freshUntil ? tokens.accessToken : renewOnce(),
    /** The gateway did not take the token: the next one is a new one. */
    expire: (): void => {
      freshUntil = 0
    },
  }
}
