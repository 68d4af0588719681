import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Store, User } from '../../gateway/store/store.ts'

const NOW = 1_700_000_000_000

const makeUser = (fields: Partial<User> = {}): User => ({
  id: randomUUID(),
  username: `user-${randomUUID()}`,
  passwordHash: '$argon2id$x',
  role: 'viewer',
  disabled: false,
  createdAt: NOW,
  ...fields,
})

/** What every store must do. `create` opens an empty one, and a second time what two gateways would share. */
export const storeContract = (create: () => Promise<readonly [Store, Store]>): void => {
  const withSession = async () => {
    const [store, other] = await create()
    const user = makeUser()
    await store.addUser(user)
    const session = { id: randomUUID(), userId: user.id, createdAt: NOW, expiresAt: NOW + 1_000 }
    await store.addSession(session, { hash: 'first', expiresAt: NOW + 500 }, NOW)
    return { store, other, user, session }
  }
  const next = (hash: string) => ({ hash, expiresAt: NOW + 900 })

  describe('users', () => {
    it('are found by name and by id, in every gateway, as they were added', async () => {
      const [store, other] = await create()
      const user = makeUser({ role: 'auditor', disabled: true })
      expect(await store.hasUsers()).toBe(false)
      expect(await store.addUser(user)).toBe(true)
      expect(await other.hasUsers()).toBe(true)
      expect(await other.findUserByName(user.username)).toEqual(user)
      expect(await other.findUserById(user.id)).toEqual(user)
      expect(await other.findUserById('nobody')).toBeUndefined()
    })

    it('have a name of their own', async () => {
      const [store, other] = await create()
      const user = makeUser()
      expect(await store.addUser(user)).toBe(true)
      expect(await other.addUser(makeUser({ username: user.username }))).toBe(false)
      expect(await store.findUserByName(user.username)).toEqual(user)
    })

    it('get their first one once, whoever adds it', async () => {
      const stores = await create()
      const answers = await Promise.all(stores.map(store => store.addFirstUser(makeUser())))
      expect(answers.filter(Boolean)).toHaveLength(1)
    })

    it('keep a password hash that has been replaced by somebody else meanwhile', async () => {
      const [store] = await create()
      const user = makeUser()
      await store.addUser(user)
      await store.replacePasswordHash(user.id, 'not the one', 'a')
      expect((await store.findUserById(user.id))?.passwordHash).toBe(user.passwordHash)
      await store.replacePasswordHash(user.id, user.passwordHash, 'b')
      expect((await store.findUserById(user.id))?.passwordHash).toBe('b')
    })

    it('can be disabled and enabled', async () => {
      const [store, other] = await create()
      const user = makeUser()
      await store.addUser(user)
      await store.setUserDisabled(user.id, true)
      expect((await other.findUserById(user.id))?.disabled).toBe(true)
      await other.setUserDisabled(user.id, false)
      expect((await store.findUserById(user.id))?.disabled).toBe(false)
    })
  })

  describe('signing keys', () => {
    it('get their first one once, and every gateway sees it', async () => {
      const [store, other] = await create()
      const keys = ['a', 'b'].map(kid => ({ kid, sealed: `sealed ${kid}`, createdAt: NOW }))
      const answers = await Promise.all(
        [store, other].map((each, i) =>
          each.addFirstSigningKey(keys[i] ?? { kid: '', sealed: '', createdAt: 0 }),
        ),
      )
      expect(answers).toEqual([true, false])
      expect(await other.listSigningKeys()).toEqual([keys[0]])
    })
  })

  describe('sessions', () => {
    it('rotate a refresh token once, in whichever gateway', async () => {
      const { store, other, session } = await withSession()
      expect(await other.rotateRefreshToken('first', next('second'), NOW)).toEqual({
        outcome: 'rotated',
        session,
      })
      expect(await store.rotateRefreshToken('second', next('third'), NOW)).toEqual({
        outcome: 'rotated',
        session,
      })
      expect(await store.rotateRefreshToken('nothing', next('x'), NOW)).toEqual({ outcome: 'unknown' })
    })

    it('end when a used token comes again, with all of their tokens', async () => {
      const { store, other, session } = await withSession()
      await store.rotateRefreshToken('first', next('second'), NOW)
      expect(await other.rotateRefreshToken('first', next('x'), NOW)).toEqual({ outcome: 'reused', session })
      expect(await store.isSessionOpen(session.id, NOW)).toBe(false)
      expect(await store.rotateRefreshToken('second', next('y'), NOW)).toEqual({ outcome: 'unknown' })
      expect(await store.rotateRefreshToken('x', next('y'), NOW)).toEqual({ outcome: 'unknown' })
    })

    it('end with their idle time, their absolute time, or when they are ended', async () => {
      const idle = await withSession()
      expect(await idle.store.rotateRefreshToken('first', next('second'), NOW + 500)).toEqual({
        outcome: 'unknown',
      })
      const old = await withSession()
      await old.store.rotateRefreshToken('first', { hash: 'second', expiresAt: NOW + 5_000 }, NOW)
      expect(await old.store.isSessionOpen(old.session.id, NOW + 999)).toBe(true)
      expect(await old.store.isSessionOpen(old.session.id, NOW + 1_000)).toBe(false)
      expect(await old.store.rotateRefreshToken('second', next('third'), NOW + 1_000)).toEqual({
        outcome: 'unknown',
      })
      const ended = await withSession()
      await ended.other.endSession(ended.session.id)
      expect(await ended.store.rotateRefreshToken('first', next('second'), NOW)).toEqual({
        outcome: 'unknown',
      })
    })

    it('are forgotten when they are over and another begins', async () => {
      const { store, user, session } = await withSession()
      const later = { id: randomUUID(), userId: user.id, createdAt: NOW, expiresAt: NOW + 9_000 }
      await store.addSession(later, { hash: 'later', expiresAt: NOW + 9_000 }, NOW + 1_000)
      // At a time before its end, only having been forgotten can make it unknown.
      expect(await store.isSessionOpen(session.id, NOW)).toBe(false)
      expect(await store.isSessionOpen(later.id, NOW + 1_000)).toBe(true)
    })
  })

  it('has no problem until it is closed', async () => {
    const [store] = await create()
    expect(await store.problem()).toBeUndefined()
    await store.close()
    expect(await store.problem()).toEqual(expect.any(String))
    await store.close()
  })
}
