import { describe, expect, it } from '@jest/globals'
import type { Store } from '../../gateway/store/store.ts'
import { makeUser, NOW } from './store-values.ts'

/** What every store must do with signing keys, API keys and second factors. */
export const credentialContract = (create: () => Promise<readonly [Store, Store]>): void => {
  describe('signing keys', () => {
    const key = (kid: string, createdAt = NOW) => ({
      kid,
      sealed: `sealed ${kid}`,
      createdAt,
      signsFrom: NOW,
    })

    it('get their first one once, and every gateway sees it', async () => {
      const stores = await create()
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          (i % 2 === 0 ? stores[0] : stores[1]).addSigningKey(key(`k${i}`), undefined),
        ),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
      const first = answers.indexOf(true)
      for (const store of stores) expect(await store.listSigningKeys()).toEqual([key(`k${first}`)])
    })

    it('get a successor once, and are listed newest first until they are deleted', async () => {
      const [store, other] = await create()
      await store.addSigningKey(key('a'), undefined)
      const answers = await Promise.all([
        store.addSigningKey(key('b', NOW + 1), 'a'),
        other.addSigningKey(key('c', NOW + 1), 'a'),
      ])
      expect(answers.filter(Boolean)).toHaveLength(1)
      const kids = async () => (await other.listSigningKeys()).map(({ kid }) => kid)
      expect(await kids()).toEqual([answers[0] ? 'b' : 'c', 'a'])
      await store.deleteSigningKey('a')
      expect(await kids()).toEqual([answers[0] ? 'b' : 'c'])
    })
  })

  describe('API keys', () => {
    const key = (id: string) => ({
      id,
      name: `key ${id}`,
      hash: `hash ${id}`,
      scopes: ['threats:read', 'alerts:read'] as const,
      createdBy: 'admin',
      createdAt: NOW,
      expiresAt: NOW + 1_000,
      lastUsedAt: null,
    })

    it('are found by their hash and by their id until they are deleted', async () => {
      const [store, other] = await create()
      await store.addApiKey(key('a'))
      expect(await other.findApiKey({ hash: 'hash a' })).toEqual(key('a'))
      expect(await other.findApiKey({ id: 'a' })).toEqual(key('a'))
      expect(await other.findApiKey({ hash: 'a' })).toBeUndefined()
      await other.touchApiKey('a', NOW + 5)
      expect(await store.listApiKeys()).toEqual([{ ...key('a'), lastUsedAt: NOW + 5 }])
      expect(await store.deleteApiKey('a', 'key:a', NOW)).toBe(true)
      expect(await other.deleteApiKey('a', 'key:a', NOW)).toBe(false)
      expect(await other.findApiKey({ id: 'a' })).toBeUndefined()
      expect(await other.accessChangesSince(NOW - 1)).toMatchObject([{ userId: 'key:a' }])
    })
  })

  describe('row filters', () => {
    it('are what was set last, until they are taken away, and every change is noted', async () => {
      const [store, other] = await create()
      expect(await store.findRowFilter('u')).toBeNull()
      await store.setRowFilter('u', { sensor: ['"a'] }, NOW)
      await other.setRowFilter('u', { or: [{ score: 0.5 }] }, NOW)
      expect(await store.findRowFilter('u')).toEqual({ or: [{ score: 0.5 }] })
      expect(await store.findRowFilter('v')).toBeNull()
      await store.setRowFilter('u', null, NOW)
      expect(await other.findRowFilter('u')).toBeNull()
      const changes = await other.accessChangesSince(NOW - 1)
      expect(changes.map(({ userId }) => userId)).toEqual(['u', 'u', 'u'])
    })

    it('go with whom they are of', async () => {
      const [store] = await create()
      const user = makeUser()
      await store.addUser(user)
      await store.setRowFilter(user.id, { score: 0.5 }, NOW)
      await store.deleteUser(user.id, NOW)
      expect(await store.findRowFilter(user.id)).toBeNull()
    })

    it('let nothing pass when they cannot be read', async () => {
      const [store] = await create()
      await store.setRowFilter('u', { colour: 'red' } as object, NOW)
      expect(await store.findRowFilter('u')).toEqual({ or: [] })
    })
  })

  describe('second factors', () => {
    it('are proposed until they are confirmed by a code, each of which works once', async () => {
      const [store, other] = await create()
      const user = makeUser()
      await store.addUser(user)
      expect(await store.findTotp(user.id)).toBeUndefined()
      expect(await store.proposeTotp(user.id, 'one')).toBe(true)
      expect(await other.proposeTotp(user.id, 'two')).toBe(true)
      expect(await other.findTotp(user.id)).toEqual({ sealed: 'two', confirmed: false })
      const uses = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).useTotpStep(user.id, 100)),
      )
      expect(uses.filter(Boolean)).toHaveLength(1)
      expect(await store.useTotpStep(user.id, 99)).toBe(false)
      expect(await store.useTotpStep(user.id, 101)).toBe(true)
      expect(await store.proposeTotp(user.id, 'three')).toBe(false)
      expect(await other.findTotp(user.id)).toEqual({ sealed: 'two', confirmed: true })
      expect(await store.deleteTotp(user.id)).toBe(true)
      expect(await store.deleteTotp(user.id)).toBe(false)
    })
  })
}
