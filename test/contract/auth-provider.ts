import { describe, expect, it } from '@jest/globals'
import {
  type Credentials,
  isRefusal,
  type Principal,
  type SessionProvider,
} from '../../gateway/auth/provider.ts'
import type { Tokens } from '../../schemas/wire.ts'

/** A provider with one account, `analyst` with role analyst, and a clock that the test moves. */
export interface AuthHarness {
  readonly provider: SessionProvider
  readonly credentials: Credentials
  /** Credentials, otherwise right, of an account that is disabled. */
  readonly disabled: Credentials
  readonly accessTokenS: number
  /** Moves the provider's clock. */
  advance(ms: number): void
}

const accepted = <T extends object>(answer: T): Exclude<T, { refused: unknown }> => {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.refused}`)
  return answer as Exclude<T, { refused: unknown }>
}

/** What every AuthProvider must do. */
export const authProviderContract = (create: () => Promise<AuthHarness>): void => {
  const logIn = async () => {
    const harness = await create()
    const tokens: Tokens = accepted(await harness.provider.authenticate(harness.credentials))
    return { ...harness, tokens }
  }

  describe('authenticate', () => {
    it('gives tokens for the right password, however the name is spelled', async () => {
      const { provider, credentials, accessTokenS } = await create()
      const username = ` ${credentials.username.toUpperCase()} `
      const tokens: Tokens = accepted(await provider.authenticate({ ...credentials, username }))
      expect(tokens.expiresIn).toBe(accessTokenS)
      expect(tokens.accessToken).not.toBe(tokens.refreshToken)
    })

    it('refuses a wrong password, an unknown user and a disabled one in the same words', async () => {
      const { provider, credentials, disabled } = await create()
      for (const attempt of [
        { ...credentials, password: `${credentials.password} ` },
        { ...credentials, password: '' },
        { ...credentials, username: 'nobody' },
        { username: '', password: '' },
        { ...credentials, username: '__proto__' },
        { ...credentials, username: "' OR 1=1 --" },
        disabled,
      ]) {
        expect(await provider.authenticate(attempt)).toEqual({ refused: 'credentials' })
      }
    })
  })

  describe('validateToken', () => {
    it('says who is behind an access token and until when', async () => {
      const { provider, tokens, credentials } = await logIn()
      const principal: Principal = accepted(await provider.validateToken(tokens.accessToken))
      expect(principal).toMatchObject({ username: credentials.username, role: 'analyst' })
      expect(principal.userId).not.toBe('')
      expect(principal.expiresAt % 1000).toBe(0)
    })

    it('gives each token an id of its own', async () => {
      const { provider, tokens, credentials } = await logIn()
      const other: Tokens = accepted(await provider.authenticate(credentials))
      const ids = await Promise.all(
        [tokens, other].map(async ({ accessToken }) => {
          const principal: Principal = accepted(await provider.validateToken(accessToken))
          return principal.tokenId
        }),
      )
      expect(new Set(ids).size).toBe(2)
    })

    it('refuses what is not an access token of its own', async () => {
      const { provider, tokens } = await logIn()
      for (const token of [
        '',
        'x',
        'a.b.c',
        tokens.refreshToken,
        `${tokens.accessToken}x`,
        ` ${tokens.accessToken}`,
      ]) {
        expect(isRefusal(await provider.validateToken(token))).toBe(true)
      }
    })

    it('refuses a token from the moment it has expired', async () => {
      const { provider, tokens, accessTokenS, advance } = await logIn()
      advance((accessTokenS - 1) * 1000 - 999)
      expect(isRefusal(await provider.validateToken(tokens.accessToken))).toBe(false)
      advance(2_000)
      expect(await provider.validateToken(tokens.accessToken)).toEqual({ refused: 'expired' })
    })
  })

  describe('refresh', () => {
    it('gives new tokens for the same user', async () => {
      const { provider, tokens, credentials } = await logIn()
      const next: Tokens = accepted(await provider.refresh(tokens.refreshToken))
      expect(next.refreshToken).not.toBe(tokens.refreshToken)
      const principal: Principal = accepted(await provider.validateToken(next.accessToken))
      expect(principal.username).toBe(credentials.username)
    })

    it('ends the session when a refresh token comes a second time', async () => {
      const { provider, tokens, advance } = await logIn()
      const next: Tokens = accepted(await provider.refresh(tokens.refreshToken))
      advance(10_000)
      expect(isRefusal(await provider.refresh(tokens.refreshToken))).toBe(true)
      expect(isRefusal(await provider.refresh(next.refreshToken))).toBe(true)
      expect(isRefusal(await provider.validateToken(next.accessToken))).toBe(true)
    })

    it('leads a token that comes again at once to the same successor, and nobody is logged out', async () => {
      const { provider, tokens, advance } = await logIn()
      const next: Tokens = accepted(await provider.refresh(tokens.refreshToken))
      advance(9_000)
      const again: Tokens = accepted(await provider.refresh(tokens.refreshToken))
      expect(again.refreshToken).toBe(next.refreshToken)
      expect(isRefusal(await provider.validateToken(next.accessToken))).toBe(false)
      expect(isRefusal(await provider.refresh(next.refreshToken))).toBe(false)
    })

    it('gives one successor to a token that is presented many times at once', async () => {
      const { provider, tokens } = await logIn()
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => provider.refresh(tokens.refreshToken)),
      )
      expect(new Set(answers.map(answer => accepted(answer).refreshToken)).size).toBe(1)
    })

    it('does not take an access token, or anything else, for a refresh token', async () => {
      const { provider, tokens } = await logIn()
      for (const token of [
        tokens.accessToken,
        '',
        'x',
        `${tokens.refreshToken}=`,
        tokens.refreshToken.slice(1),
      ]) {
        expect(isRefusal(await provider.refresh(token))).toBe(true)
      }
      expect(isRefusal(await provider.refresh(tokens.refreshToken))).toBe(false)
    })
  })
  describe('a session', () => {
    const principalOf = async ({ provider, tokens }: Awaited<ReturnType<typeof logIn>>) =>
      accepted(await provider.validateToken(tokens.accessToken))

    it("is still its holder's until it is logged out, and then nothing of it is good", async () => {
      const harness = await logIn()
      const { provider, tokens } = harness
      const principal = await principalOf(harness)
      expect(await provider.recheck(principal)).toEqual(principal)
      await provider.logOut(principal)
      expect(isRefusal(await provider.recheck(principal))).toBe(true)
      expect(isRefusal(await provider.validateToken(tokens.accessToken))).toBe(true)
      expect(isRefusal(await provider.refresh(tokens.refreshToken))).toBe(true)
    })

    it('outlives the logout of another one, but not that of all', async () => {
      const harness = await logIn()
      const { provider, credentials } = harness
      const other: Tokens = accepted(await provider.authenticate(credentials))
      await provider.logOut(await principalOf(harness))
      const principal = accepted(await provider.validateToken(other.accessToken))
      const third: Tokens = accepted(await provider.authenticate(credentials))
      await provider.logOut(principal, { everywhere: true })
      for (const { accessToken } of [other, third]) {
        expect(isRefusal(await provider.validateToken(accessToken))).toBe(true)
      }
    })
  })
}
