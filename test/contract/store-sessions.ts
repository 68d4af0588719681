import { describe, expect, it } from '@jest/globals'
import type { Store } from '../../gateway/store/store.ts'
import { makeSession, makeUser, NOW } from './store-values.ts'

const REPEAT_MS = 100

/** What every store must do with sessions and what is revoked. */
export const sessionContract = (create: () => Promise<readonly [Store, Store]>): void => {
  const withSession = async () => {
    const [store, other] = await create()
    const user = makeUser()
    await store.addUser(user)
    const session = makeSession(user.id)
    await store.addSession(session, { hash: 'first', expiresAt: NOW + 500 }, NOW)
    const isOpen = async (now = NOW, tokenId = 'token') =>
      (await other.findHolder({ sessionId: session.id, tokenId }, now))?.isOpen
    return { store, other, user, session, isOpen }
  }
  const next = (hash: string) => ({ hash, expiresAt: NOW + 900, sealed: `sealed ${hash}` })
  const rotate = (store: Store, from: string, to: string, now = NOW) =>
    store.rotateRefreshToken(from, next(to), now, REPEAT_MS)

  describe('sessions', () => {
    it('rotate a refresh token once, in whichever gateway', async () => {
      const { store, other, session } = await withSession()
      expect(await rotate(other, 'first', 'second', NOW + 1)).toEqual({
        outcome: 'rotated',
        session: { ...session, lastUsedAt: NOW + 1 },
      })
      expect(await rotate(store, 'second', 'third', NOW + 2)).toMatchObject({ outcome: 'rotated' })
      expect(await rotate(store, 'nothing', 'x')).toEqual({ outcome: 'unknown' })
    })

    it('give one successor to a token that comes many times at once, in several gateways', async () => {
      const { store, other, isOpen } = await withSession()
      const rotations = await Promise.all(
        Array.from({ length: 100 }, (_, i) => rotate(i % 2 === 0 ? store : other, 'first', `second-${i}`)),
      )
      const rotated = rotations.flatMap(({ outcome }, i) => (outcome === 'rotated' ? [i] : []))
      expect(rotated).toHaveLength(1)
      const repeated = rotations.filter(rotation => rotation.outcome === 'repeated')
      expect(repeated).toHaveLength(99)
      expect(new Set(repeated.map(rotation => 'sealed' in rotation && rotation.sealed))).toEqual(
        new Set([`sealed second-${rotated[0]}`]),
      )
      expect(await isOpen()).toBe(true)
    })

    it('repeat only the last rotation, and for a moment', async () => {
      const { store, other, isOpen } = await withSession()
      await rotate(store, 'first', 'second')
      expect(await rotate(other, 'first', 'x', NOW + REPEAT_MS - 1)).toMatchObject({
        outcome: 'repeated',
        sealed: 'sealed second',
      })
      await rotate(store, 'second', 'third', NOW + 1)
      expect(await rotate(other, 'first', 'x', NOW + 2)).toMatchObject({ outcome: 'reused' })
      expect(await isOpen()).toBe(false)
    })

    it('end when a used token comes again later, with all of their tokens', async () => {
      const { store, other, session, isOpen } = await withSession()
      await rotate(store, 'first', 'second')
      expect(await rotate(other, 'first', 'x', NOW + REPEAT_MS)).toMatchObject({
        outcome: 'reused',
        session: { id: session.id },
      })
      expect(await isOpen()).toBe(false)
      expect(await rotate(store, 'second', 'y')).toEqual({ outcome: 'unknown' })
      expect(await rotate(store, 'x', 'y')).toEqual({ outcome: 'unknown' })
    })

    it('end with their idle time, their absolute time, or when they are ended', async () => {
      const idle = await withSession()
      expect(await rotate(idle.store, 'first', 'second', NOW + 500)).toEqual({ outcome: 'unknown' })
      const old = await withSession()
      await old.store.rotateRefreshToken(
        'first',
        { ...next('second'), expiresAt: NOW + 5_000 },
        NOW,
        REPEAT_MS,
      )
      expect(await old.isOpen(NOW + 999)).toBe(true)
      expect(await old.isOpen(NOW + 1_000)).toBe(false)
      expect(await rotate(old.store, 'second', 'third', NOW + 1_000)).toEqual({ outcome: 'unknown' })
      const { store, other, user, session } = await withSession()
      expect(await other.endSession({ id: session.id, userId: 'another' }, NOW)).toBe(false)
      expect(await other.endSession({ id: session.id, userId: user.id }, NOW)).toBe(true)
      expect(await other.endSession({ id: session.id, userId: user.id }, NOW)).toBe(false)
      expect(await rotate(store, 'first', 'second')).toEqual({ outcome: 'unknown' })
    })

    it('are listed while they are open, and end together', async () => {
      const { store, other, user, session } = await withSession()
      const later = makeSession(user.id, { lastUsedAt: NOW + 5, expiresAt: NOW + 9_000 })
      await store.addSession(later, { hash: 'later', expiresAt: NOW + 9_000 }, NOW)
      expect(await other.listSessions(user.id, NOW)).toEqual([later, session])
      expect(await other.listSessions(user.id, NOW + 1_000)).toEqual([later])
      expect(await other.endSessionsOf(user.id, NOW)).toBe(2)
      expect(await store.listSessions(user.id, NOW)).toEqual([])
      expect(await other.endSessionsOf(user.id, NOW)).toBe(0)
    })

    it('end when their user is disabled, and do not begin again', async () => {
      const { store, user, isOpen } = await withSession()
      await store.updateUser(user.id, { disabled: true }, NOW)
      await store.updateUser(user.id, { disabled: false }, NOW)
      expect(await isOpen()).toBe(false)
    })

    it('are forgotten when they are over and another begins', async () => {
      const { store, user, session } = await withSession()
      const later = makeSession(user.id, { expiresAt: NOW + 9_000 })
      await store.addSession(later, { hash: 'later', expiresAt: NOW + 9_000 }, NOW + 1_000)
      expect(await store.findHolder({ sessionId: session.id, tokenId: 't' }, NOW)).toBeUndefined()
      expect((await store.findHolder({ sessionId: later.id, tokenId: 't' }, NOW + 1_000))?.user).toEqual(user)
    })
  })

  describe('revocations', () => {
    it('take one token from a session, and only that', async () => {
      const { store, user, isOpen } = await withSession()
      const revocation = { kind: 'token', subject: 'bad', userId: user.id, expiresAt: NOW + 100 } as const
      await store.revoke(revocation, NOW)
      await store.revoke(revocation, NOW + 1)
      expect(await isOpen(NOW, 'bad')).toBe(false)
      expect(await isOpen(NOW, 'good')).toBe(true)
    })

    it('are remembered until they expire', async () => {
      const [store, other] = await create()
      await store.revoke({ kind: 'user', subject: 'u', userId: 'u', expiresAt: NOW + 100 }, NOW)
      expect(await other.revokedAt('user', 'u')).toBe(NOW)
      expect(await other.revokedAt('token', 'u')).toBeUndefined()
      await other.revoke({ kind: 'user', subject: 'v', userId: 'v', expiresAt: NOW + 200 }, NOW + 100)
      expect(await store.revokedAt('user', 'u')).toBeUndefined()
    })

    it('and every other change of access is told to who asks what has changed', async () => {
      const { store, other, user, session } = await withSession()
      const changes: ReadonlyArray<() => Promise<unknown>> = [
        () => store.updateUser(user.id, { role: 'analyst' }, NOW),
        () => store.setPassword(user.id, { passwordHash: 'x', passwordExpiresAt: null }, NOW),
        () => store.endSessionsOf(user.id, NOW),
        () => store.revoke({ kind: 'token', subject: 't', userId: user.id, expiresAt: NOW }, NOW),
        () => store.addSession(session, { hash: 'again', expiresAt: NOW + 500 }, NOW - 1),
        () => store.endSession({ id: session.id, userId: user.id }, NOW),
        () => store.deleteUser(user.id, NOW),
      ]
      const seen = new Set<string>()
      const told: number[] = []
      for (const [index, change] of changes.entries()) {
        if (index === 4) await store.deleteUser(user.id, NOW)
        if (index === 4) await store.addUser(user)
        for (const { id } of await other.accessChangesSince(NOW - 1)) seen.add(id)
        await change()
        const fresh = (await other.accessChangesSince(NOW - 1)).filter(({ id }) => !seen.has(id))
        expect(fresh.every(({ userId }) => userId === user.id)).toBe(true)
        told.push(fresh.length)
      }
      // All but the login that was added.
      expect(told).toEqual([1, 1, 1, 1, 0, 1, 1])
      expect(await other.accessChangesSince(NOW)).toEqual([])
    })

    it('of a session by a thief are told as well', async () => {
      const { store, other, user } = await withSession()
      await rotate(store, 'first', 'second')
      await rotate(store, 'first', 'x', NOW + REPEAT_MS)
      expect(await other.accessChangesSince(NOW)).toMatchObject([{ userId: user.id }])
    })
  })
}
