import { randomBytes, randomUUID } from 'node:crypto'
import { isSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Tokens } from '../../schemas/wire.ts'
import type { Store, User } from '../store/store.ts'
import type { AccessTokens } from './access-tokens.ts'
import { AUDIENCE, ISSUER } from './claims.ts'
import type { Passwords } from './passwords.ts'
import { isRefusal, type Refusal, type SessionProvider } from './provider.ts'
import { digest } from './sealing.ts'
import { foldUsername } from './usernames.ts'

const REFRESH_TOKEN_BYTES = 32
const REFRESH_TOKEN = /^[A-Za-z0-9_-]{43}$/

/** How long tokens and sessions live, in s. */
export interface Lifetimes {
  readonly accessTokenS: number
  /** A session that is not refreshed for so long is over. */
  readonly refreshTokenS: number
  /** A session is over after so long, however often it is refreshed. */
  readonly sessionS: number
}

interface StoreProviderDeps {
  readonly store: Store
  readonly passwords: Passwords
  readonly tokens: AccessTokens
  readonly lifetimes: Lifetimes
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Users in the store, with signed access tokens and rotating refresh tokens. */
export interface StoreProvider extends SessionProvider {
  /**
   * Opens a session for a user without a password: for a program that runs in the gateway's own process, and so could
   * read the store anyway. Not for anything that comes over the network.
   */
  openSession(username: string): Promise<Tokens | Refusal>
}

/** Makes the provider. Who is disabled, or whose session was ended, is refused at the next check of any token. */
export const createStoreProvider = (deps: StoreProviderDeps): StoreProvider => {
  const { store, passwords, tokens, lifetimes, log, now } = deps

  const newRefreshToken = () => {
    const token = randomBytes(REFRESH_TOKEN_BYTES).toString('base64url')
    return { token, stored: { hash: digest(token), expiresAt: now() + lifetimes.refreshTokenS * 1000 } }
  }

  const tokensFor = (userId: string, sessionId: string, sessionEnd: number, refreshToken: string): Tokens => {
    const iat = Math.floor(now() / 1000)
    const left = Math.max(1, Math.floor(sessionEnd / 1000) - iat)
    const expiresIn = Math.min(lifetimes.accessTokenS, left)
    const accessToken = tokens.sign({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: userId,
      jti: randomUUID(),
      sid: sessionId,
      iat,
      exp: iat + expiresIn,
    })
    return { accessToken, refreshToken, expiresIn }
  }

  const openSessionFor = async (user: User): Promise<Tokens> => {
    const time = now()
    const session = {
      id: randomUUID(),
      userId: user.id,
      createdAt: time,
      expiresAt: time + lifetimes.sessionS * 1000,
    }
    const { token, stored } = newRefreshToken()
    await store.addSession(session, stored, time)
    return tokensFor(user.id, session.id, session.expiresAt, token)
  }

  const rehash = async (user: User, password: string) => {
    if (!passwords.isOutdated(user.passwordHash)) return
    await store.replacePasswordHash(user.id, user.passwordHash, await passwords.hash(password))
    log.info({ userId: user.id }, 'password hash brought up to date')
  }

  return {
    authenticate: async ({ username, password }) => {
      const user = await store.findUserByName(foldUsername(username))
      try {
        const fits = await passwords.verify(password, user?.passwordHash)
        if (!fits || user === undefined || user.disabled) return { refused: 'credentials' }
        await rehash(user, password)
      } catch (error) {
        if (isSentinelError(error, 'NS_SERVICE_UNREACHABLE')) return { refused: 'overloaded' }
        throw error
      }
      return openSessionFor(user)
    },
    validateToken: async token => {
      const claims = tokens.verify(token)
      if (isRefusal(claims)) return claims
      if (!(await store.isSessionOpen(claims.sid, now()))) return { refused: 'expired' }
      const user = await store.findUserById(claims.sub)
      if (user === undefined || user.disabled) return { refused: 'disabled' }
      return {
        userId: user.id,
        username: user.username,
        role: user.role,
        tokenId: claims.jti,
        expiresAt: claims.exp * 1000,
      }
    },
    refresh: async refreshToken => {
      if (!REFRESH_TOKEN.test(refreshToken)) return { refused: 'malformed' }
      const { token, stored } = newRefreshToken()
      const rotation = await store.rotateRefreshToken(digest(refreshToken), stored, now())
      if (rotation.outcome === 'unknown') return { refused: 'credentials' }
      const { session } = rotation
      if (rotation.outcome === 'reused') {
        log.warn(
          { userId: session.userId, sessionId: session.id },
          'a used refresh token was presented again: the session is ended',
        )
        return { refused: 'credentials' }
      }
      const user = await store.findUserById(session.userId)
      if (user === undefined || user.disabled) return { refused: 'disabled' }
      return tokensFor(user.id, session.id, session.expiresAt, token)
    },
    openSession: async username => {
      const user = await store.findUserByName(foldUsername(username))
      return user === undefined || user.disabled ? { refused: 'credentials' } : openSessionFor(user)
    },
  }
}
