import { randomBytes, randomUUID } from 'node:crypto'
import type { Tokens } from '../../schemas/wire.ts'
import { GRANTS, type Role } from './permissions.ts'
import type { Principal, Refusal, SessionProvider } from './provider.ts'
import { isSame } from './sealing.ts'
import { foldUsername } from './usernames.ts'

const REPEAT_MS = 10_000

interface Account {
  readonly username: string
  readonly password: string
  readonly role: Role
  readonly disabled?: boolean
}

interface MemoryProviderDeps {
  readonly accounts: readonly Account[]
  readonly accessTokenS: number
  readonly now: () => number
}

interface RefreshToken {
  readonly username: string
  readonly sessionId: string
  /** When it was used, and what for. */
  used?: { readonly at: number; readonly tokens: Tokens }
}

/** An AuthProvider for tests of what stands on it: accounts and tokens are in memory, tokens are random text. */
export const createMemoryProvider = (deps: MemoryProviderDeps): SessionProvider => {
  const { now, accessTokenS } = deps
  const users = new Map(
    deps.accounts.map(account => [foldUsername(account.username), { id: randomUUID(), ...account }]),
  )
  const accessTokens = new Map<string, Principal>()
  const refreshTokens = new Map<string, RefreshToken>()
  const ended = new Set<string>()
  const random = () => randomBytes(32).toString('base64url')

  const tokensFor = (username: string, sessionId: string): Tokens => {
    const user = users.get(username)
    const role = user?.role ?? 'viewer'
    const tokens = { accessToken: random(), refreshToken: random(), expiresIn: accessTokenS }
    const issuedAt = Math.floor(now() / 1000) * 1000
    accessTokens.set(tokens.accessToken, {
      userId: user?.id ?? '',
      username,
      role,
      grants: GRANTS[role],
      rows: null,
      tokenId: randomUUID(),
      sessionId,
      issuedAt,
      expiresAt: issuedAt + accessTokenS * 1000,
    })
    refreshTokens.set(tokens.refreshToken, { username, sessionId })
    return tokens
  }

  const recheck = async (principal: Principal): Promise<Principal | Refusal> =>
    ended.has(principal.sessionId ?? '') ? { refused: 'expired' } : principal

  return {
    authenticate: async ({ username, password }) => {
      const name = foldUsername(username)
      const user = users.get(name)
      if (user === undefined || user.disabled || !isSame(password, user.password)) {
        return { refused: 'credentials' }
      }
      return tokensFor(name, randomUUID())
    },
    validateToken: async token => {
      const principal = accessTokens.get(token)
      if (principal === undefined) return { refused: 'malformed' }
      return principal.expiresAt <= now() ? { refused: 'expired' } : recheck(principal)
    },
    recheck,
    refresh: async refreshToken => {
      const found = refreshTokens.get(refreshToken)
      if (found === undefined || ended.has(found.sessionId)) return { refused: 'credentials' }
      if (found.used !== undefined) {
        if (now() - found.used.at < REPEAT_MS) return found.used.tokens
        ended.add(found.sessionId)
        return { refused: 'credentials' }
      }
      const tokens = tokensFor(found.username, found.sessionId)
      found.used = { at: now(), tokens }
      return tokens
    },
    logOut: async ({ userId, sessionId }, { everywhere = false } = {}) => {
      const theirs = [...accessTokens.values()].filter(each => each.userId === userId)
      for (const each of everywhere ? theirs : theirs.filter(one => one.sessionId === sessionId)) {
        ended.add(each.sessionId ?? '')
      }
    },
  }
}
