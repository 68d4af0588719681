import { randomBytes, randomUUID } from 'node:crypto'
import type { Tokens } from '../../schemas/wire.ts'
import type { Principal, Role, SessionProvider } from './provider.ts'
import { isSame } from './sealing.ts'
import { foldUsername } from './usernames.ts'

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

/** An AuthProvider for tests of what stands on it: accounts and tokens are in memory, tokens are random text. */
export const createMemoryProvider = (deps: MemoryProviderDeps): SessionProvider => {
  const { now, accessTokenS } = deps
  const users = new Map(
    deps.accounts.map(account => [foldUsername(account.username), { id: randomUUID(), ...account }]),
  )
  const accessTokens = new Map<string, { principal: Principal; sessionId: string }>()
  const refreshTokens = new Map<string, { username: string; sessionId: string; used: boolean }>()
  const ended = new Set<string>()
  const random = () => randomBytes(32).toString('base64url')

  const tokensFor = (username: string, sessionId: string): Tokens => {
    const user = users.get(username)
    const tokens = { accessToken: random(), refreshToken: random(), expiresIn: accessTokenS }
    const principal: Principal = {
      userId: user?.id ?? '',
      username,
      role: user?.role ?? 'viewer',
      tokenId: randomUUID(),
      expiresAt: (Math.floor(now() / 1000) + accessTokenS) * 1000,
    }
    accessTokens.set(tokens.accessToken, { principal, sessionId })
    refreshTokens.set(tokens.refreshToken, { username, sessionId, used: false })
    return tokens
  }

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
      const found = accessTokens.get(token)
      if (found === undefined) return { refused: 'malformed' }
      const { principal, sessionId } = found
      return principal.expiresAt <= now() || ended.has(sessionId) ? { refused: 'expired' } : principal
    },
    refresh: async refreshToken => {
      const found = refreshTokens.get(refreshToken)
      if (found === undefined || ended.has(found.sessionId)) return { refused: 'credentials' }
      if (found.used) {
        ended.add(found.sessionId)
        return { refused: 'credentials' }
      }
      found.used = true
      return tokensFor(found.username, found.sessionId)
    },
  }
}
