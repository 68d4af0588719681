import { isSentinelError, messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Tokens } from '../../schemas/wire.ts'

/**
 * What a client logs in with: what a person types; a function that opens a session whenever one is needed; or, in a page, the
 * cookie of a session that is open.
 */
export type Login =
  | { readonly username: string; readonly password: string; readonly code?: string }
  | { readonly openSession: () => Promise<Tokens> }
  | 'cookie'

/** Tokens as they come: those of a page are without the refresh token, which is in a cookie that no script sees. */
type Given = Omit<Tokens, 'refreshToken'> & Partial<Tokens>

/** How requests are made: the platform's own `fetch`, unless a test gives another. */
export type Fetch = (address: URL, init: RequestInit) => Promise<Response>

const TIMEOUT_MS = 15_000

/** A token is replaced this long before it runs out, in ms; a shorter-lived one at half its life. */
const MARGIN_MS = 10_000

/** A header that pages of other origins cannot send. */
const HEADERS = { 'content-type': 'application/json', 'x-netsentinel-client': '1' }

/**
 * Posts to a gateway. Resolves with its answer, or with undefined when it answered 401. Throws NS_LOGIN_REFUSED and
 * NS_SERVICE_UNREACHABLE.
 */
export const post = async <T>(
  fetch: Fetch,
  url: string,
  path: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<T | undefined> => {
  try {
    const response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { ...HEADERS, ...headers },
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
    return (await response.json()) as T
  } catch (cause) {
    if (isSentinelError(cause)) throw cause
    throw new SentinelError('NS_SERVICE_UNREACHABLE', `the gateway at ${url}: ${messageOf(cause)}`, { cause })
  }
}

/** Keeps an access token at hand: logs in, refreshes, and logs in again when the session is over. */
export interface TokenKeeper {
  /** How long the token at hand is still good enough to be kept, in ms. */
  freshForMs(): number
  /** A token that is good for a while. Throws NS_LOGIN_REFUSED, NS_SERVICE_UNREACHABLE. */
  accessToken(): Promise<string>
  /** The gateway did not take the token: the next one is a new one. */
  expire(): void
}

/** Makes the keeper of a login. */
export const createLogin = (url: string, login: Login, fetch: Fetch = globalThis.fetch): TokenKeeper => {
  let tokens: Given | undefined
  let freshUntil = 0
  /** Whether there is a session that can be refreshed. */
  let isOpen = login === 'cookie'

  const keep = (next: Given): string => {
    tokens = next
    isOpen = true
    const lifetimeMs = next.expiresIn * 1000
    freshUntil = Date.now() + Math.max(lifetimeMs - MARGIN_MS, lifetimeMs / 2)
    return next.accessToken
  }
  const refresh = (): Promise<Given | undefined> => {
    const refreshToken = tokens?.refreshToken
    // Good once: whatever comes of it, it must not be presented again.
    tokens = undefined
    isOpen = login === 'cookie'
    return post<Given>(fetch, url, '/auth/refresh', refreshToken === undefined ? {} : { refreshToken })
  }
  const open = async (): Promise<Given | undefined> => {
    if (login === 'cookie') return undefined
    return 'openSession' in login ? login.openSession() : post<Given>(fetch, url, '/auth/login', login)
  }
  const renew = async (): Promise<string> => {
    const next = (isOpen ? await refresh() : undefined) ?? (await open())
    if (next !== undefined) return keep(next)
    throw new SentinelError('NS_LOGIN_REFUSED', `the gateway at ${url} refused the login`)
  }

  let renewing: Promise<string> | undefined
  return {
    freshForMs: () => Math.max(0, freshUntil - Date.now()),
    accessToken: () => {
      if (tokens !== undefined && Date.now() < freshUntil) return Promise.resolve(tokens.accessToken)
      // A refresh token is good once: whoever asks meanwhile waits for the same answer.
      renewing ??= renew().finally(() => {
        renewing = undefined
      })
      return renewing
    },
    expire: () => {
      freshUntil = 0
    },
  }
}
