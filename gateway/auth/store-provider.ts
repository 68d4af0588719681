import { randomBytes, randomUUID } from 'node:crypto'
import type { Tokens } from '../../schemas/wire.ts'
import type { Holder, Session, SessionStore } from '../store/sessions.ts'
import type { User, UserStore } from '../store/users.ts'
import type { AccessTokens } from './access-tokens.ts'
import type { Audit } from './audit.ts'
import { AUDIENCE, ISSUER } from './claims.ts'
import type { Logins, RefusedLogin } from './logins.ts'
import type { PasswordRules } from './password-rules.ts'
import type { Passwords } from './passwords.ts'
import { GRANTS } from './permissions.ts'
import {
  type Credentials,
  isRefusal,
  type Principal,
  type Refusal,
  type SessionProvider,
  type Source,
} from './provider.ts'
import { digest, type Sealer } from './sealing.ts'
import { foldUsername } from './usernames.ts'

const REFRESH_TOKEN_BYTES = 32
const REFRESH_TOKEN = /^[A-Za-z0-9_-]{43}$/

/** How long the same refresh token leads to the same successor: two tabs, or an answer that was lost. In ms. */
const REPEAT_MS = 10_000

/** A program in the gateway's own process. */
const WITHIN: Source = { address: 'local', client: 'netsentinel' }

/** How long tokens and sessions live, in s. */
export interface Lifetimes {
  readonly accessTokenS: number
  /** A session that is not refreshed for so long is over. */
  readonly refreshTokenS: number
  /** A session is over after so long, however often it is refreshed. */
  readonly sessionS: number
}

interface StoreProviderDeps {
  readonly store: SessionStore & Pick<UserStore, 'findUserByName' | 'findUserById' | 'setPassword'>
  readonly logins: Logins
  readonly passwords: Pick<Passwords, 'hash'>
  readonly rules: PasswordRules
  readonly tokens: AccessTokens
  readonly sealer: Sealer
  readonly lifetimes: Lifetimes
  readonly audit: Audit
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** A new password that an account may not have, in words for its owner. */
export interface PasswordProblem {
  readonly problem: string
}

/** Users in the store, with signed access tokens and rotating refresh tokens. */
export interface StoreProvider extends SessionProvider {
  /**
   * Gives a user the password of their choice, for their credentials; it ends all of their sessions and opens a new one.
   */
  changePassword(
    credentials: Credentials & { readonly newPassword: string },
    source: Source,
  ): Promise<Tokens | Refusal | PasswordProblem>
  /**
   * Opens a session for a user without a password: for a program that runs in the gateway's own process, and so could
   * read the store anyway. Not for anything that comes over the network.
   */
  openSession(username: string): Promise<Tokens | Refusal>
}

/** Makes the provider. Who is disabled, or whose session was ended, is refused at the next check of any token. */
export const createStoreProvider = (deps: StoreProviderDeps): StoreProvider => {
  const { store, logins, tokens, sealer, lifetimes, audit, now } = deps

  const tokensFor = (session: Session, refreshToken: string): Tokens => {
    const iat = Math.floor(now() / 1000)
    const left = Math.max(1, Math.floor(session.expiresAt / 1000) - iat)
    const expiresIn = Math.min(lifetimes.accessTokenS, left)
    const accessToken = tokens.sign({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: session.userId,
      jti: randomUUID(),
      sid: session.id,
      iat,
      exp: iat + expiresIn,
    })
    return { accessToken, refreshToken, expiresIn }
  }

  const newRefreshToken = () => {
    const token = randomBytes(REFRESH_TOKEN_BYTES).toString('base64url')
    return { token, stored: { hash: digest(token), expiresAt: now() + lifetimes.refreshTokenS * 1000 } }
  }

  const openSessionFor = async (user: User, { address, client }: Source): Promise<Tokens> => {
    const time = now()
    const session: Session = {
      id: randomUUID(),
      userId: user.id,
      createdAt: time,
      expiresAt: time + lifetimes.sessionS * 1000,
      lastUsedAt: time,
      address,
      client,
    }
    const { token, stored } = newRefreshToken()
    await store.addSession(session, stored, time)
    return tokensFor(session, token)
  }

  const note = (event: string, outcome: string, user: User | undefined, { address, client }: Source) =>
    audit.note({
      event,
      outcome,
      actor: outcome === 'accepted' ? user?.id : undefined,
      subject: user?.id,
      address,
      detail: { client, ...(user === undefined ? {} : { username: user.username }) },
    })

  /** People are told of it (`pipelines/notifying`): one of the session's holders is a thief. */
  const noteReuse = async ({ id, userId, address }: Session, source: Source) => {
    const user = await store.findUserById(userId)
    const username = user === undefined ? {} : { username: user.username }
    await audit.note({
      event: 'refresh',
      outcome: 'reused',
      subject: userId,
      address: source.address,
      detail: { client: source.client, sessionId: id, openedFrom: address, ...username },
    })
  }

  const refuse = async (event: string, { refused, because, user }: RefusedLogin, source: Source) => {
    await note(event, because, user, source)
    return { refused } satisfies Refusal
  }

  const principalOf = (
    holder: Holder | undefined,
    token: Pick<Principal, 'userId' | 'tokenId' | 'issuedAt' | 'expiresAt'> & { readonly sessionId: string },
  ): Principal | Refusal => {
    if (holder === undefined || holder.user.id !== token.userId) return { refused: 'expired' }
    const { user, isOpen } = holder
    if (user.disabled) return { refused: 'disabled' }
    if (!isOpen) return { refused: 'expired' }
    return { ...token, username: user.username, role: user.role, grants: GRANTS[user.role], rows: null }
  }

  return {
    authenticate: async (credentials, source = WITHIN) => {
      const user = await logins.check(credentials)
      if (isRefusal(user)) return refuse('login', user, source)
      const answer = await openSessionFor(user, source)
      await note('login', 'accepted', user, source)
      return answer
    },
    validateToken: async token => {
      const claims = tokens.verify(token)
      if (isRefusal(claims)) return claims
      const holder = await store.findHolder({ sessionId: claims.sid, tokenId: claims.jti }, now())
      return principalOf(holder, {
        userId: claims.sub,
        tokenId: claims.jti,
        sessionId: claims.sid,
        issuedAt: claims.iat * 1000,
        expiresAt: claims.exp * 1000,
      })
    },
    recheck: async principal => {
      const { sessionId, tokenId, userId, issuedAt, expiresAt } = principal
      if (sessionId === null) return { refused: 'expired' }
      const holder = await store.findHolder({ sessionId, tokenId }, now())
      return principalOf(holder, { userId, tokenId, sessionId, issuedAt, expiresAt })
    },
    refresh: async (refreshToken, source = WITHIN) => {
      if (!REFRESH_TOKEN.test(refreshToken)) return { refused: 'malformed' }
      const { token, stored } = newRefreshToken()
      const hash = digest(refreshToken)
      const successor = { ...stored, sealed: sealer.seal(token, hash) }
      const rotation = await store.rotateRefreshToken(hash, successor, now(), REPEAT_MS)
      switch (rotation.outcome) {
        case 'unknown':
          return { refused: 'credentials' }
        case 'rotated':
          return tokensFor(rotation.session, token)
        case 'repeated': {
          const opened = sealer.open(rotation.sealed, hash)
          return opened === undefined
            ? { refused: 'credentials' }
            : tokensFor(rotation.session, opened.toString('utf8'))
        }
        case 'reused':
          await noteReuse(rotation.session, source)
          return { refused: 'credentials' }
      }
    },
    logOut: async ({ userId, sessionId }, { everywhere = false } = {}, source = WITHIN) => {
      if (everywhere) await store.endSessionsOf(userId, now())
      else if (sessionId !== null) await store.endSession({ id: sessionId, userId }, now())
      await audit.note({
        event: 'logout',
        outcome: 'accepted',
        actor: userId,
        subject: userId,
        address: source.address,
        detail: { everywhere },
      })
    },
    changePassword: async ({ newPassword, ...credentials }, source) => {
      const user = await logins.check(credentials, { toChange: true })
      if (isRefusal(user)) return refuse('password.change', user, source)
      const problem =
        newPassword === credentials.password
          ? 'this is the present password'
          : deps.rules.problemOf(newPassword, user.username)
      if (problem !== undefined) return { problem }
      const passwordHash = await deps.passwords.hash(newPassword)
      const next = { passwordHash, passwordExpiresAt: null, previous: user.passwordHash }
      if (!(await store.setPassword(user.id, next, now()))) return { refused: 'credentials' }
      await note('password.change', 'accepted', user, source)
      return openSessionFor(user, source)
    },
    openSession: async username => {
      const user = await store.findUserByName(foldUsername(username))
      return user === undefined || user.disabled ? { refused: 'credentials' } : openSessionFor(user, WITHIN)
    },
  }
}
