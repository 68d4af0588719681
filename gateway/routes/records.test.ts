import { describe, expect, it } from '@jest/globals'
import type { Alert, Threat } from '../../schemas/generated.ts'
import { createTestApp } from '../../test/support/app.ts'
import { makeEvent } from '../../test/support/events.ts'
import { makeAlert, makeThreat } from '../../test/support/threats.ts'

const T0 = 1_700_000_000_000

type TestApp = Awaited<ReturnType<typeof createTestApp>>

const addThreats = ({ store }: TestApp, threats: readonly Partial<Threat>[]) =>
  store.addHistory({
    channel: 'threats',
    partition: 0,
    records: threats.map((fields, i) => ({
      offset: i,
      stamp: T0 + i,
      content: { type: 'threat', data: makeThreat({ id: `t${i}`, time: T0 + i, ...fields }) },
    })),
    now: T0,
  })

const addAlerts = ({ store }: TestApp, alerts: readonly Partial<Alert>[]) =>
  store.addHistory({
    channel: 'alerts',
    partition: 0,
    records: alerts.map((fields, i) => ({
      offset: i,
      stamp: T0 + i,
      content: { type: 'alert', data: makeAlert({ id: `a${i}`, updatedAt: T0 + i, ...fields }) },
    })),
    now: T0,
  })

describe('GET /threats', () => {
  const create = async () => {
    const app = await createTestApp()
    await addThreats(app, [
      { entity: 'ip:192.0.2.1', severity: 'low', score: 0.5 },
      { entity: 'ip:192.0.2.2', severity: 'critical', techniques: ['T1110.001'] },
      { entity: 'ip:192.0.2.1', severity: 'high', event: makeEvent({ sensor: 'dmz' }) },
    ])
    const token = await app.tokenOf('viewer')
    return { ...app, get: (url: string) => app.ask('GET', url, { token }) }
  }

  it.each([
    ['', ['t2', 't1', 't0']],
    ['?entity=ip%3A192.0.2.1', ['t2', 't0']],
    ['?severity=high', ['t2', 't1']],
    ['?score=0.9', ['t2', 't1']],
    ['?sensor=dmz', ['t2']],
    ['?technique=T1110', ['t2', 't1', 't0']],
    ['?technique=T1110.001', ['t1']],
    [`?from=${T0 + 1}&to=${T0 + 2}`, ['t1']],
    ['?sensor=none', []],
  ])('lists what %s asks for, the latest first', async (query, ids) => {
    const { get } = await create()
    const response = await get(`/threats${query}`)
    expect(response.statusCode).toBe(200)
    expect(response.json().threats.map(({ id }: Threat) => id)).toEqual(ids)
    expect(response.json().next).toBeNull()
  })

  it('shows a threat whole, in the list and alone', async () => {
    const { get } = await create()
    const threat = makeThreat({
      id: 't1',
      time: T0 + 1,
      entity: 'ip:192.0.2.2',
      severity: 'critical',
      techniques: ['T1110.001'],
    })
    expect((await get('/threats/t1')).json()).toEqual(threat)
    expect((await get('/threats?severity=critical')).json().threats).toEqual([threat])
    expect((await get('/threats/t9')).statusCode).toBe(404)
  })

  it('goes through the pages, and takes no cursor but its own', async () => {
    const { get } = await create()
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: { threats: Threat[]; next: string | null } = (
        await get(`/threats?limit=2${next === '' ? '' : `&cursor=${next}`}`)
      ).json()
      seen.push(...page.threats.map(({ id }) => id))
      next = page.next
    }
    expect(seen).toEqual(['t2', 't1', 't0'])
    const { next: cursor } = (await get('/threats?limit=1')).json()
    for (const url of [`/alerts?cursor=${cursor}`, '/threats?cursor=x', `/threats?cursor=A${cursor}`]) {
      expect((await get(url)).statusCode).toBe(422)
    }
  })

  it('finds what is rare among many, page by page', async () => {
    const app = await createTestApp()
    const many = Array.from({ length: 1_200 }, (_, i) => ({
      event: makeEvent({ sensor: i % 400 === 0 ? 'rare' : 'common' }),
    }))
    for (let i = 0; i < many.length; i += 100) {
      const records = many.slice(i, i + 100).map((fields, n) => ({
        offset: i + n,
        stamp: T0,
        content: {
          type: 'threat' as const,
          data: makeThreat({ id: `t${i + n}`, time: T0 + i + n, ...fields }),
        },
      }))
      await app.store.addHistory({ channel: 'threats', partition: 0, records, now: T0 })
    }
    const token = await app.tokenOf('viewer')
    const page = (await app.ask('GET', '/threats?sensor=rare&limit=2', { token })).json()
    expect(page.threats.map(({ id }: Threat) => id)).toEqual(['t800', 't400'])
    const rest = (await app.ask('GET', `/threats?sensor=rare&limit=2&cursor=${page.next}`, { token })).json()
    expect([rest.threats.map(({ id }: Threat) => id), rest.next]).toEqual([['t0'], null])
  })

  it.each(['?severity=awful', '?score=2', '?from=now', '?limit=0', '?sensor=', '?other=1'])(
    'does not take %s',
    async query => {
      const { get } = await create()
      expect((await get(`/threats${query}`)).statusCode).toBe(400)
    },
  )
})

describe('GET /alerts', () => {
  it('lists alerts as they stand', async () => {
    const app = await createTestApp()
    await addAlerts(app, [
      { id: 'a', revision: 1 },
      { id: 'b', status: 'resolved', sensors: ['dmz'], assignee: 'ann' },
      { id: 'a', revision: 2, status: 'acknowledged' },
      { id: 'c', rule: 'beaconing', severity: 'low' },
    ])
    const token = await app.tokenOf('viewer')
    const ids = async (query: string) =>
      (await app.ask('GET', `/alerts${query}`, { token })).json().alerts.map(({ id }: Alert) => id)
    expect(await ids('')).toEqual(['c', 'a', 'b'])
    expect(await ids('?status=acknowledged')).toEqual(['a'])
    expect(await ids('?status=open')).toEqual(['c'])
    expect(await ids('?sensor=dmz')).toEqual(['b'])
    expect(await ids('?assignee=ann')).toEqual(['b'])
    expect(await ids('?rule=beaconing&severity=low')).toEqual(['c'])
    const shown = (await app.ask('GET', '/alerts/a', { token })).json()
    expect(shown).toMatchObject({ alert: { id: 'a', revision: 2 }, revision: 2, assignee: null, triage: [] })
    expect((await app.ask('GET', '/alerts/d', { token })).statusCode).toBe(404)
  })
})

describe('/entities/:id', () => {
  const entity = 'ip:2001:db8::1'
  const path = `/entities/${encodeURIComponent(entity)}`
  const create = async () => {
    const app = await createTestApp()
    await addThreats(app, [{ entity }, { entity: 'ip:192.0.2.1' }, { entity }])
    await addAlerts(app, [{ entity }, { entity: 'ip:192.0.2.1' }])
    return app
  }

  it('shows the latest of an entity, and nothing of another', async () => {
    const { ask, tokenOf } = await create()
    const shown = (await ask('GET', path, { token: await tokenOf('viewer') })).json()
    expect([shown.id, shown.threats.length, shown.alerts.length]).toEqual([entity, 2, 1])
  })

  it('shows no alerts to who may not read them', async () => {
    const { ask, apiKeys } = await create()
    const issued = await apiKeys.issue({
      name: 'siem',
      scopes: ['threats:read'],
      createdBy: 'u',
      expiresAt: Date.now() + 60_000,
    })
    const shown = (await ask('GET', path, { token: issued.text })).json()
    expect([shown.threats.length, shown.alerts]).toEqual([2, []])
  })

  it('is deleted by an administrator, with every trace in the store', async () => {
    const { ask, tokenOf, store } = await create()
    const analyst = await tokenOf('analyst')
    await ask('POST', '/alerts/a0/comments', { token: analyst, body: { comment: 'looking' } })
    await ask('POST', '/suppressions', { token: analyst, body: { entity } })
    await ask('POST', '/suppressions', { token: analyst, body: { sensor: 'dmz' } })
    expect((await ask('DELETE', path, { token: analyst })).statusCode).toBe(403)
    const admin = await tokenOf('admin')
    expect((await ask('DELETE', path, { token: admin })).json()).toEqual({ records: 3, decisions: 2 })
    const shown = (await ask('GET', path, { token: admin })).json()
    expect(shown).toEqual({ id: entity, threats: [], alerts: [] })
    expect(await store.listTriage('a0', { limit: 9 })).toEqual([])
    const { suppressions } = (await ask('GET', '/suppressions', { token: admin })).json()
    expect(suppressions).toMatchObject([{ sensor: 'dmz' }])
    expect(JSON.stringify(await store.unpublishedDecisions(9))).not.toContain(entity)
    expect(JSON.stringify(await store.listAudit({ limit: 99 }))).not.toContain(entity)
    expect(await store.listAudit({ limit: 1 })).toMatchObject([
      { event: 'entity.delete', outcome: 'accepted' },
    ])
  })
})

describe('who may see only some of the threats', () => {
  it('finds, decides about and is told of nothing else', async () => {
    const app = await createTestApp()
    const { ask, store, tokenOf } = app
    await addThreats(app, [
      { event: makeEvent({ sensor: 'ours' }) },
      { event: makeEvent({ sensor: 'theirs' }) },
    ])
    await addAlerts(app, [{ sensors: ['ours'] }, { sensors: ['ours', 'theirs'] }])
    const analyst = await store.findUserByName('analyst')
    await store.setRowFilter(analyst?.id ?? '', { sensor: ['ours'] }, T0)
    const token = await tokenOf('analyst')
    const get = async (url: string) => (await ask('GET', url, { token })).json()
    expect((await get('/threats')).threats).toMatchObject([{ id: 't0' }])
    expect((await get('/threats?sensor=theirs')).threats).toEqual([])
    expect((await get('/alerts')).alerts).toMatchObject([{ id: 'a0' }])
    const { threats, alerts } = await get(`/entities/${makeEvent().entity}`)
    expect([threats.length, alerts.length]).toEqual([1, 1])
    for (const url of ['/threats/t1', '/alerts/a1']) expect((await get(url)).status).toBe(404)
    const body = { comment: 'x' }
    expect((await ask('POST', '/alerts/a1/comments', { token, body })).statusCode).toBe(404)
    expect((await ask('POST', '/alerts/a0/comments', { token, body })).statusCode).toBe(202)
    expect((await ask('GET', '/suppressions', { token })).statusCode).toBe(403)
    expect((await ask('POST', '/suppressions', { token, body: { sensor: 'ours' } })).statusCode).toBe(403)
    expect((await ask('DELETE', '/suppressions/x', { token })).statusCode).toBe(403)
  })
})
