import { afterEach, describe, expect, it } from '@jest/globals'
import { hash } from '@node-rs/argon2'
import type { Tokens } from '../../schemas/wire.ts'
import { authProviderContract } from '../../test/contract/auth-provider.ts'
import { addAccount, createIdentity } from '../../test/support/identity.ts'
import { tempDir } from '../../test/support/temp.ts'

const CREDENTIALS = { username: 'analyst', password: 'correct horse' }
const DISABLED = { username: 'gone', password: 'battery staple' }

const open: Array<{ close(): Promise<void> }> = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(store => store.close()))
})

const create = async () => {
  const identity = await createIdentity(tempDir())
  open.push(identity.store)
  const userId = await addAccount(identity, CREDENTIALS)
  await addAccount(identity, DISABLED, { role: 'admin', disabled: true })
  return { ...identity, userId, credentials: CREDENTIALS, disabled: DISABLED, accessTokenS: 60 }
}

describe('the provider on the store', () => {
  authProviderContract(create)

  const logIn = async () => {
    const harness = await create()
    return { ...harness, first: (await harness.provider.authenticate(CREDENTIALS)) as Tokens }
  }

  it('refuses the tokens of a user from the moment he is disabled', async () => {
    const { provider, store, userId, first } = await logIn()
    await store.updateUser(userId, { disabled: true }, Date.now())
    expect(await provider.validateToken(first.accessToken)).toEqual({ refused: 'disabled' })
    expect(await provider.refresh(first.refreshToken)).toEqual({ refused: 'credentials' })
    expect(await provider.authenticate(CREDENTIALS)).toEqual({ refused: 'credentials' })
  })

  it('ends a session that is not refreshed in time, and any session at its absolute end', async () => {
    const { provider, advance, first } = await logIn()
    const kept = (await provider.authenticate(CREDENTIALS)) as Tokens
    let tokens = kept
    for (let hour = 0; hour < 24; hour += 1) {
      advance(3_599_000)
      tokens = (await provider.refresh(tokens.refreshToken)) as Tokens
    }
    expect(tokens).toMatchObject({ expiresIn: expect.any(Number) })
    expect(await provider.refresh(first.refreshToken)).toEqual({ refused: 'credentials' })
    advance(24 * 1_000)
    expect(await provider.refresh(tokens.refreshToken)).toEqual({ refused: 'credentials' })
  })

  it('brings an older hash up to date when its owner logs in', async () => {
    const { provider, store, passwords, userId } = await logIn()
    const before = (await store.findUserById(userId))?.passwordHash ?? ''
    const weaker = await hash(CREDENTIALS.password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 })
    await store.replacePasswordHash(userId, before, weaker)
    expect(await provider.authenticate(CREDENTIALS)).toHaveProperty('accessToken')
    const after = (await store.findUserById(userId))?.passwordHash ?? ''
    expect(after).not.toBe(weaker)
    expect(passwords.isOutdated(after)).toBe(false)
    expect(await provider.authenticate(CREDENTIALS)).toHaveProperty('accessToken')
  })

  it('keeps refresh tokens and passwords out of the store in clear text', async () => {
    const { store, userId, first, provider } = await logIn()
    const user = await store.findUserById(userId)
    expect(user?.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    const next = { hash: 'x', expiresAt: 0, sealed: 'x' }
    expect(await store.rotateRefreshToken(first.refreshToken, next, 0, 0)).toEqual({ outcome: 'unknown' })
    expect(await provider.refresh(first.refreshToken)).toHaveProperty('accessToken')
  })
})
