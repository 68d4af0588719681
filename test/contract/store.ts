import { describe, expect, it } from '@jest/globals'
import type { Store } from '../../gateway/store/store.ts'
import { credentialContract } from './store-credentials.ts'
import { decisionContract } from './store-decisions.ts'
import { historyContract } from './store-history.ts'
import { sessionContract } from './store-sessions.ts'
import { makeSession, makeUser, NOW } from './store-values.ts'

/** What every store must do. `create` opens an empty one, and a second time what two gateways would share. */
export const storeContract = (create: () => Promise<readonly [Store, Store]>): void => {
  describe('users', () => {
    it('are found by name and by id, in every gateway, as they were added', async () => {
      const [store, other] = await create()
      const user = makeUser({ role: 'auditor', disabled: true, passwordExpiresAt: NOW + 1 })
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
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? stores[0] : stores[1]).addFirstUser(makeUser())),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
      expect(await stores[0].listUsers({ after: '', limit: 10 })).toHaveLength(1)
    })

    it('are listed by name, page by page', async () => {
      const [store] = await create()
      for (const username of ['carol', 'alice', 'bob']) await store.addUser(makeUser({ username }))
      const names = async (after: string, limit: number) =>
        (await store.listUsers({ after, limit })).map(({ username }) => username)
      expect(await names('', 2)).toEqual(['alice', 'bob'])
      expect(await names('bob', 2)).toEqual(['carol'])
      expect(await names('carol', 2)).toEqual([])
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

    it('are changed in what is given, and nothing else', async () => {
      const [store, other] = await create()
      const user = makeUser()
      await store.addUser(user)
      expect(await store.updateUser(user.id, { role: 'analyst' }, NOW)).toBe('done')
      expect(await other.findUserById(user.id)).toEqual({ ...user, role: 'analyst' })
      expect(await other.updateUser(user.id, { disabled: true }, NOW)).toBe('done')
      expect(await store.findUserById(user.id)).toEqual({ ...user, role: 'analyst', disabled: true })
      expect(await store.updateUser(user.id, { disabled: false }, NOW)).toBe('done')
      expect(await store.findUserById(user.id)).toEqual({ ...user, role: 'analyst' })
      expect(await store.updateUser('nobody', { disabled: true }, NOW)).toBe('unknown')
    })

    it('are gone with all that is theirs when they are deleted', async () => {
      const [store, other] = await create()
      const user = makeUser()
      await store.addUser(user)
      const session = makeSession(user.id)
      await store.addSession(session, { hash: 'h', expiresAt: NOW + 1 }, NOW)
      await store.proposeTotp(user.id, 'sealed')
      expect(await other.deleteUser(user.id, NOW)).toBe('done')
      expect(await store.findUserById(user.id)).toBeUndefined()
      expect(await store.findHolder({ sessionId: session.id, tokenId: 't' }, NOW)).toBeUndefined()
      expect(await store.findTotp(user.id)).toBeUndefined()
      expect(await store.deleteUser(user.id, NOW)).toBe('unknown')
    })

    it('keep an administrator, also when two are taken away at once', async () => {
      const [store, other] = await create()
      const [one, two] = [makeUser({ role: 'admin' }), makeUser({ role: 'admin' })]
      await store.addUser(one)
      await store.addUser(makeUser({ role: 'admin', disabled: true }))
      expect(await store.updateUser(one.id, { role: 'viewer' }, NOW)).toBe('last-admin')
      expect(await store.updateUser(one.id, { disabled: true }, NOW)).toBe('last-admin')
      expect(await store.deleteUser(one.id, NOW)).toBe('last-admin')
      await store.addUser(two)
      const outcomes = await Promise.all([
        store.updateUser(one.id, { role: 'viewer' }, NOW),
        other.deleteUser(two.id, NOW),
      ])
      expect(outcomes.toSorted()).toEqual(['done', 'last-admin'])
    })

    it('get another password, which ends their sessions, unless it has changed meanwhile', async () => {
      const [store] = await create()
      const user = makeUser()
      await store.addUser(user)
      const session = makeSession(user.id)
      await store.addSession(session, { hash: 'h', expiresAt: NOW + 1_000 }, NOW)
      const next = { passwordHash: 'next', passwordExpiresAt: NOW + 5 }
      expect(await store.setPassword(user.id, { ...next, previous: 'another' }, NOW)).toBe(false)
      expect((await store.findHolder({ sessionId: session.id, tokenId: 't' }, NOW))?.isOpen).toBe(true)
      expect(await store.setPassword(user.id, { ...next, previous: user.passwordHash }, NOW)).toBe(true)
      expect(await store.findUserById(user.id)).toEqual({ ...user, ...next })
      expect((await store.findHolder({ sessionId: session.id, tokenId: 't' }, NOW))?.isOpen).toBe(false)
      expect(await store.setPassword(user.id, { passwordHash: 'last', passwordExpiresAt: null }, NOW)).toBe(
        true,
      )
      expect(await store.setPassword('nobody', next, NOW)).toBe(false)
    })
  })

  describe('the audit log', () => {
    const entry = (n: number, fields: object = {}) => ({
      id: `00000000000000${n}a`,
      at: NOW + n,
      event: 'login',
      outcome: 'accepted',
      actor: 'u1',
      subject: null,
      address: '192.0.2.1',
      detail: { client: 'curl "quoted"\n', times: 2, good: true },
      ...fields,
    })

    it('is read backwards, filtered, page by page', async () => {
      const [store, other] = await create()
      const entries = [
        entry(1),
        entry(2, { event: 'logout' }),
        entry(3, { actor: null, subject: 'u2' }),
        entry(4),
      ]
      for (const each of entries) await store.addAudit(each)
      const ids = async (filter: object) =>
        (await other.listAudit({ limit: 10, ...filter })).map(({ at }) => at - NOW)
      expect(await other.listAudit({ limit: 1 })).toEqual([entry(4)])
      expect(await ids({})).toEqual([4, 3, 2, 1])
      expect(await ids({ before: entry(3).id })).toEqual([2, 1])
      expect(await ids({ event: 'login', actor: 'u1' })).toEqual([4, 1])
      expect(await ids({ subject: 'u2' })).toEqual([3])
      expect(await ids({ event: "' OR 1=1 --" })).toEqual([])
    })

    it('hands out each entry for publication until that is done, and forgets only what was', async () => {
      const [store, other] = await create()
      for (const n of [1, 2, 3]) await store.addAudit(entry(n))
      expect((await other.unpublishedAudit(2)).map(({ at }) => at - NOW)).toEqual([1, 2])
      await other.markAuditPublished([entry(1).id, entry(2).id])
      await other.markAuditPublished([])
      expect(await store.unpublishedAudit(9)).toEqual([entry(3)])
      await store.forgetAudit(NOW + 9)
      expect(await store.listAudit({ limit: 9 })).toEqual([entry(3)])
    })
  })

  sessionContract(create)
  credentialContract(create)
  historyContract(create)
  decisionContract(create)

  it('has no problem until it is closed', async () => {
    const [store] = await create()
    expect(await store.problem()).toBeUndefined()
    await store.close()
    expect(await store.problem()).toEqual(expect.any(String))
    await store.close()
  })
}
