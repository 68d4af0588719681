import { describe, expect, it } from '@jest/globals'
import { createTestApp } from '../../test/support/app.ts'
import { makeAlert } from '../../test/support/threats.ts'

const create = async () => {
  const app = await createTestApp()
  const addAlert = (offset: number, revision: number) =>
    app.store.addHistory({
      channel: 'alerts',
      partition: 0,
      records: [{ offset, stamp: 0, content: { type: 'alert', data: makeAlert({ id: 'a', revision }) } }],
      now: 0,
    })
  await addAlert(0, 3)
  const token = await app.tokenOf('analyst')
  const post = (act: string, body?: object, as = token) =>
    app.ask('POST', `/alerts/a/${act}`, { token: as, ...(body === undefined ? {} : { body }) })
  return { ...app, addAlert, post, token }
}

describe('POST /alerts/:id/…', () => {
  it.each([
    ['acknowledge', undefined, 'acknowledge', {}],
    ['acknowledge', { comment: 'mine' }, 'acknowledge', { comment: 'mine' }],
    ['resolve', undefined, 'resolve', { verdict: null }],
    ['resolve', { verdict: 'false_positive' }, 'resolve', { verdict: 'false_positive' }],
    ['reopen', {}, 'reopen', {}],
    ['comments', { comment: 'looking' }, 'comment', { comment: 'looking' }],
    ['assign', { assignee: 'ann' }, 'assign', { assignee: 'ann' }],
    ['assign', { assignee: null }, 'assign', { assignee: null }],
    ['verdict', { verdict: 'true_positive' }, 'verdict', { verdict: 'true_positive' }],
  ])('%s %j is kept, and shown with the alert', async (act, body, kind, fields) => {
    const { post, ask, store, token } = await create()
    const response = await post(act, body)
    expect(response.statusCode).toBe(202)
    expect(response.json()).toMatchObject({ kind, by: 'analyst', revision: 4, ...fields })
    const shown = (await ask('GET', '/alerts/a', { token })).json()
    expect(shown).toMatchObject({ revision: 4, alert: { revision: 3 }, triage: [response.json()] })
    expect(await store.unpublishedDecisions(9)).toMatchObject([
      { decision: { kind, alertId: 'a', ...fields } },
    ])
  })

  it('tells who looks after it by the latest assignment', async () => {
    const { post, ask, token } = await create()
    await post('assign', { assignee: 'ann' })
    await post('assign', { assignee: 'bob' })
    await post('comments', { comment: 'x' })
    expect((await ask('GET', '/alerts/a', { token })).json().assignee).toBe('bob')
  })

  it('answers 409 to who has seen another revision, and goes on when the alert has been seen again', async () => {
    const { post, addAlert } = await create()
    expect((await post('acknowledge', { revision: 2 })).statusCode).toBe(409)
    expect((await post('acknowledge', { revision: 3 })).statusCode).toBe(202)
    const late = await post('resolve', { revision: 3 })
    expect([late.statusCode, late.json().detail]).toEqual([409, expect.stringContaining('revision 4')])
    expect((await post('resolve', { revision: 4 })).statusCode).toBe(202)
    await addAlert(1, 9)
    expect((await post('reopen', { revision: 5 })).statusCode).toBe(409)
    expect((await post('reopen', { revision: 9 })).statusCode).toBe(202)
  })

  it.each([
    ['comments', {}],
    ['comments', { comment: '' }],
    ['assign', {}],
    ['verdict', undefined],
    ['verdict', { verdict: 'maybe' }],
    ['acknowledge', { revision: 0 }],
    ['acknowledge', { verdict: 'true_positive' }],
    ['acknowledge', { by: 'somebody else' }],
  ])('does not take %s %j', async (act, body) => {
    const { post, store } = await create()
    expect((await post(act, body)).statusCode).toBe(400)
    expect(await store.unpublishedDecisions(9)).toEqual([])
  })

  it('needs the permission, and an alert', async () => {
    const { post, ask, tokenOf, token } = await create()
    for (const role of ['viewer', 'auditor']) {
      expect((await post('acknowledge', {}, await tokenOf(role))).statusCode).toBe(403)
    }
    expect((await ask('POST', '/alerts/b/acknowledge', { token, body: {} })).statusCode).toBe(404)
  })
})

describe('/suppressions', () => {
  it('are made, listed page by page, and ended', async () => {
    const { ask, token, tokenOf } = await create()
    const add = (body: object) => ask('POST', '/suppressions', { token, body })
    const expiresAt = Date.now() + 3_600_000
    const one = await add({ cidr: '198.51.100.0/24', technique: 'T1046', expiresAt, comment: 'our scanner' })
    expect(one.statusCode).toBe(201)
    expect(one.json()).toMatchObject({ by: 'analyst', cidr: '198.51.100.0/24', expiresAt, sensor: null })
    const two = (await add({ sensor: 'dmz' })).json()
    const auditor = await tokenOf('auditor')
    const first = (await ask('GET', '/suppressions?limit=1', { token: auditor })).json()
    expect(first.suppressions).toEqual([two])
    const second = await ask('GET', `/suppressions?limit=2&before=${first.next}`, { token: auditor })
    expect(second.json()).toEqual({ suppressions: [one.json()], next: null })
    expect((await ask('DELETE', `/suppressions/${two.id}`, { token: auditor })).statusCode).toBe(403)
    expect((await ask('DELETE', `/suppressions/${two.id}`, { token })).statusCode).toBe(204)
    expect((await ask('DELETE', `/suppressions/${two.id}`, { token })).statusCode).toBe(404)
    const left = (await ask('GET', '/suppressions', { token })).json().suppressions
    expect(left).toEqual([one.json()])
  })

  it.each([
    {},
    { comment: 'x' },
    { cidr: 'all' },
    { technique: 'brute force' },
    { sensor: 'a', expiresAt: 1 },
    { user: 'a' },
  ])('are not made of %j', async body => {
    const { ask, token } = await create()
    expect([400, 422]).toContain((await ask('POST', '/suppressions', { token, body })).statusCode)
  })
})
