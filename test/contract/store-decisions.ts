import { describe, expect, it } from '@jest/globals'
import type { Store } from '../../gateway/store/store.ts'
import type { Alert, Decision, Severity } from '../../schemas/generated.ts'
import { makeAlert } from '../support/threats.ts'
import { makeDecision, NOW } from './store-values.ts'

const acknowledge = (fields: Partial<Decision> = {}) => ({
  decision: makeDecision({ kind: 'acknowledge', alertId: 'a1', ...fields }),
  actor: 'u1',
  alertId: fields.alertId ?? 'a1',
  entity: 'ip:192.0.2.1',
})

const suppression = (fields: Partial<Decision> = {}) => {
  const decision = makeDecision({ kind: 'suppress', entity: 'ip:192.0.2.1', ...fields })
  return { decision, actor: 'u1', entity: decision.entity }
}

/** What every store must do with decisions. */
export const decisionContract = (create: () => Promise<readonly [Store, Store]>): void => {
  const published = async (store: Store) =>
    (await store.unpublishedDecisions(99)).map(({ id, decision }) => [id, decision?.kind ?? null] as const)

  describe('decisions on an alert', () => {
    it('are kept with the revision that they make, and handed to publication', async () => {
      const [store, other] = await create()
      const [one, two] = [acknowledge(), acknowledge({ kind: 'comment', comment: '"looking"\n' })]
      expect(await store.addTriage(one, { known: 3 })).toEqual({ outcome: 'done', revision: 4 })
      expect(await other.addTriage(two, { known: 3 })).toEqual({ outcome: 'done', revision: 5 })
      expect(await store.addTriage(acknowledge({ alertId: 'a2' }), { known: 1 })).toMatchObject({
        revision: 2,
      })
      const made = ({ decision, actor, entity }: typeof one, revision: number) => ({
        decision,
        actor,
        entity,
        revision,
      })
      expect(await other.listTriage('a1', { limit: 9 })).toEqual([made(two, 5), made(one, 4)])
      expect(await other.listTriage('a1', { limit: 1 })).toEqual([made(two, 5)])
      expect(await other.listTriage('a1', { limit: 9, before: 5 })).toEqual([made(one, 4)])
      expect((await other.unpublishedDecisions(2)).map(({ decision }) => decision)).toEqual([
        one.decision,
        two.decision,
      ])
    })

    it('are stale on any other revision than the alert has come to', async () => {
      const [store, other] = await create()
      expect(await store.addTriage(acknowledge(), { known: 3, expected: 2 })).toEqual({
        outcome: 'stale',
        revision: 3,
      })
      expect(await store.addTriage(acknowledge(), { known: 3, expected: 3 })).toMatchObject({ revision: 4 })
      // The alert itself is not known to have it yet.
      expect(await other.addTriage(acknowledge(), { known: 3, expected: 3 })).toEqual({
        outcome: 'stale',
        revision: 4,
      })
      expect(await other.addTriage(acknowledge(), { known: 9, expected: 9 })).toMatchObject({ revision: 10 })
      expect(await store.unpublishedDecisions(9)).toHaveLength(2)
    })

    it('of one revision are made once, whoever makes them, and published in the order of their revisions', async () => {
      const stores = await create()
      const make = (i: number, basis: object) =>
        (i % 2 === 0 ? stores[0] : stores[1]).addTriage(acknowledge(), { known: 1, ...basis })
      const raced = await Promise.all(Array.from({ length: 8 }, (_, i) => make(i, { expected: 1 })))
      expect(raced.filter(({ outcome }) => outcome === 'done')).toHaveLength(1)
      const free = await Promise.all(Array.from({ length: 8 }, (_, i) => make(i, {})))
      expect(free.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual([
        3, 4, 5, 6, 7, 8, 9, 10,
      ])
      const order = (await stores[0].unpublishedDecisions(99)).map(({ id }) => id)
      const made = (await stores[1].listTriage('a1', { limit: 99 })).map(({ decision }) => decision.id)
      expect(order).toEqual(made.toReversed())
    })
  })

  describe('alerts that nobody looks after', () => {
    const add = (store: Store, offset: number, now: number, fields: Partial<Alert>) => {
      const data = makeAlert({ revision: offset + 1, severity: 'high', ...fields })
      const records = [{ offset, stamp: now, content: { type: 'alert' as const, data } }]
      return store.addHistory({ channel: 'alerts', partition: 0, records, now })
    }
    const listed = async (store: Store, severity: Severity = 'high') => {
      const ids = await store.listOpenAlerts(severity)
      const found = await Promise.all(ids.map(store.findOpenAlert))
      return found.map(each => [each?.alert.id, each?.alert.revision, each?.openedRevision, each?.knownSince])
    }

    it('are those that stand open, from when they were opened, or opened again', async () => {
      const [store, other] = await create()
      await add(store, 0, NOW, { id: 'a' })
      await add(store, 1, NOW + 5, { id: 'a', change: 'grew' })
      await add(store, 2, NOW + 5, { id: 'b', severity: 'medium' })
      await add(store, 3, NOW + 5, { id: 'c', status: 'acknowledged' })
      await add(store, 4, NOW + 5, { id: 'd', change: 'grew' })
      const d = ['d', 5, 5, NOW + 5]
      expect(new Set(await listed(other))).toEqual(new Set([['a', 2, 1, NOW], d]))
      expect(await listed(other, 'low')).toHaveLength(3)
      await add(store, 5, NOW + 6, { id: 'a', status: 'closed', change: 'closed' })
      expect(await listed(other)).toEqual([d])
      expect(await other.findOpenAlert(makeAlert({ id: 'a' }))).toBeUndefined()
      await add(store, 6, NOW + 7, { id: 'a', change: 'reopened' })
      expect(new Set(await listed(other))).toEqual(new Set([['a', 7, 7, NOW + 7], d]))
    })

    it('are escalated once each time that they are opened, unless somebody was there before', async () => {
      const stores = await create()
      const escalate = (i: number, openedRevision: number) => {
        const made = acknowledge({ kind: 'escalate' })
        return (i % 2 === 0 ? stores[0] : stores[1]).addEscalation(made, { known: 3, openedRevision })
      }
      const raced = await Promise.all(Array.from({ length: 6 }, (_, i) => escalate(i, 1)))
      expect(raced.filter(Boolean)).toHaveLength(1)
      expect(await escalate(0, 9)).toBe(true)
      await stores[0].addTriage(acknowledge({ kind: 'comment' }), { known: 20 })
      expect(await escalate(0, 20)).toBe(true)
      await stores[0].addTriage(acknowledge(), { known: 30 })
      expect(await escalate(0, 30)).toBe(false)
      expect((await published(stores[1])).map(([, kind]) => kind)).toEqual([
        'escalate',
        'escalate',
        'comment',
        'escalate',
        'acknowledge',
      ])
    })
  })

  describe('suppressions', () => {
    it('may name what no text of a database holds', async () => {
      const [store, other] = await create()
      const odd = suppression({ entity: 'user:a\0b\uD800' })
      await store.addSuppression(odd)
      expect((await other.unpublishedDecisions(9)).map(({ decision }) => decision?.entity)).toEqual([
        odd.entity,
      ])
      expect(await other.listTriage('a\0', { limit: 9 })).toEqual([])
      expect(await other.forgetDecisions(odd.entity ?? '', NOW)).toBe(1)
    })

    it('are listed while they are in force, the latest first, page by page', async () => {
      const [store, other] = await create()
      const [one, two, three] = [
        suppression(),
        suppression({ entity: null, cidr: '192.0.2.0/24', expiresAt: NOW + 5 }),
        suppression({ sensor: 'dmz' }),
      ]
      for (const each of [one, two, three]) await store.addSuppression(each)
      const ids = async (now: number, page: object = {}) =>
        (await other.listSuppressions(now, { limit: 9, ...page })).map(({ decision }) => decision.id)
      expect(await ids(NOW)).toEqual([three.decision.id, two.decision.id, one.decision.id])
      expect(await ids(NOW + 5)).toEqual([three.decision.id, one.decision.id])
      const [first] = await other.listSuppressions(NOW, { limit: 1 })
      expect(first).toMatchObject(three)
      expect(await ids(NOW, { before: first?.place })).toEqual([two.decision.id, one.decision.id])
    })

    it('end once, which is published behind them', async () => {
      const [store, other] = await create()
      const one = suppression()
      const { id } = one.decision
      await store.addSuppression(one)
      const ends = await Promise.all([store.endSuppression(id, NOW), other.endSuppression(id, NOW)])
      expect(ends.filter(Boolean)).toHaveLength(1)
      expect(await store.listSuppressions(NOW, { limit: 9 })).toEqual([])
      expect(await published(store)).toEqual([
        [id, 'suppress'],
        [id, null],
      ])
      const over = suppression({ expiresAt: NOW })
      await store.addSuppression(over)
      expect(await store.endSuppression(over.decision.id, NOW)).toBe(false)
      expect(await store.endSuppression('none', NOW)).toBe(false)
    })
  })

  describe('old decisions', () => {
    it('are forgotten when they are over, and taken off the topic; what may hold a verdict stays', async () => {
      const [store, other] = await create()
      const old = { at: NOW - 10 }
      const [lifted, expired] = [suppression(old), suppression({ ...old, expiresAt: NOW - 5 })]
      const kept = [suppression(old), suppression({ at: NOW, expiresAt: NOW + 1 })]
      for (const each of [lifted, expired, ...kept]) await store.addSuppression(each)
      await store.endSuppression(lifted.decision.id, NOW - 9)
      const data = makeAlert({ id: 'here' })
      const records = [{ offset: 0, stamp: NOW, content: { type: 'alert' as const, data } }]
      await store.addHistory({ channel: 'alerts', partition: 0, records, now: NOW })
      const gone = acknowledge({ ...old, alertId: 'gone' })
      for (const each of [
        gone,
        acknowledge({ ...old, alertId: 'gone', kind: 'verdict' }),
        acknowledge({ ...old, alertId: 'here' }),
      ])
        await store.addTriage(each, { known: 1 })
      await store.markDecisionsPublished((await store.unpublishedDecisions(99)).map(({ place }) => place))
      expect(await other.forgetOldDecisions(NOW, 2, NOW)).toBe(2)
      expect(await other.forgetOldDecisions(NOW, 2, NOW)).toBe(1)
      expect(await other.forgetOldDecisions(NOW, 2, NOW)).toBe(0)
      expect(new Map(await published(store))).toEqual(
        new Map([lifted, expired, gone].map(({ decision }) => [decision.id, null])),
      )
      expect(await store.listSuppressions(NOW, { limit: 9 })).toHaveLength(2)
      expect(await store.listTriage('here', { limit: 9 })).toHaveLength(1)
      expect(await store.listTriage('gone', { limit: 9 })).toMatchObject([{ decision: { kind: 'verdict' } }])
    })
  })

  describe('the outbox of decisions', () => {
    it('hands out what is not published yet, and never the same place twice', async () => {
      const [store, other] = await create()
      await store.addSuppression(suppression())
      const [first] = await other.unpublishedDecisions(9)
      await other.markDecisionsPublished([first?.place ?? 0])
      await other.markDecisionsPublished([])
      expect(await store.unpublishedDecisions(9)).toEqual([])
      await store.addSuppression(suppression())
      const [second] = await other.unpublishedDecisions(9)
      expect(second?.place).toBeGreaterThan(first?.place ?? 0)
    })

    it('takes everything about an entity off the topic when that is forgotten', async () => {
      const [store, other] = await create()
      const [ours, about] = [suppression(), acknowledge()]
      const elsewhere = suppression({ entity: 'ip:192.0.2.2' })
      await store.addSuppression(ours)
      await store.markDecisionsPublished((await store.unpublishedDecisions(9)).map(({ place }) => place))
      await store.addTriage(about, { known: 1 })
      await store.addSuppression(elsewhere)
      expect(await other.forgetDecisions('ip:192.0.2.1', NOW)).toBe(2)
      expect(await other.forgetDecisions('ip:192.0.2.1', NOW)).toBe(0)
      expect(await store.listTriage('a1', { limit: 9 })).toEqual([])
      expect((await store.listSuppressions(NOW, { limit: 9 })).map(({ entity }) => entity)).toEqual([
        'ip:192.0.2.2',
      ])
      const [left, ...gone] = await published(store)
      expect(left).toEqual([elsewhere.decision.id, 'suppress'])
      expect(new Set(gone.map(([id]) => id))).toEqual(new Set([ours.decision.id, about.decision.id]))
      expect(gone.map(([, kind]) => kind)).toEqual([null, null])
    })
  })
}
