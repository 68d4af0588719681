import { describe, expect, it } from '@jest/globals'
import { createTestApp } from '../../test/support/app.ts'
import { UNTAKEN } from '../../test/support/back-office.ts'

const create = async (username = 'admin') => {
  const { ask, tokenOf, store } = await createTestApp()
  const token = await tokenOf(username)
  const get = (url: string) => ask('GET', url, { token })
  const post = (url: string, body: object) => ask('POST', url, { token, body })
  const remove = (url: string) => ask('DELETE', url, { token })
  const acts = async () =>
    (await store.listAudit({ limit: 100 }))
      .filter(({ event }) => /^(?:model|retraining|dead-letters)\./.test(event))
      .map(({ event, outcome, subject }) => `${event} ${outcome} ${subject}`)
      .toReversed()
  return { get, post, remove, acts }
}

describe('/models', () => {
  it('are listed and shown with their reports', async () => {
    const { get } = await create('viewer')
    const { models } = (await get('/models')).json()
    expect(models.map(({ version }: { version: string }) => version)).toEqual(['a', 'b', 'odd'])
    expect(models[0]).not.toHaveProperty('report')
    expect((await get('/models/a')).json()).toMatchObject({ report: '# good', metrics: { auroc: 0.9 } })
    expect((await get('/models/none')).statusCode).toBe(404)
  })

  it('are put in force and taken back, with a reason, and what is refused says why', async () => {
    const { get, post, acts } = await create()
    const reason = { reason: 'better' }
    expect((await post('/models/b/promote', reason)).json()).toEqual({ version: 'b', sequence: 2 })
    expect((await get('/models/b')).json()).toMatchObject({ state: 'champion' })
    expect((await post('/models/rollback', reason)).json()).toMatchObject({ version: 'a' })
    const refused = await post('/models/odd/promote', reason)
    expect([refused.statusCode, refused.json().detail]).toEqual([409, expect.stringContaining('features')])
    expect((await post('/models/rollback', reason)).statusCode).toBe(409)
    expect((await post('/models/none/promote', reason)).statusCode).toBe(404)
    expect((await post('/models/b/promote', {})).statusCode).toBe(400)
    expect(await acts()).toEqual([
      'model.promote accepted b',
      'model.rollback accepted a',
      'model.promote refused null',
      'model.rollback refused null',
    ])
  })
})

describe('/retraining/jobs', () => {
  it('are asked for one at a time, followed and cancelled', async () => {
    const { get, post, remove, acts } = await create()
    const made = await post('/retraining/jobs', {})
    expect([made.statusCode, made.json()]).toMatchObject([
      201,
      { state: 'waiting', trigger: 'asked for by admin' },
    ])
    const { id } = made.json()
    expect((await post('/retraining/jobs', {})).statusCode).toBe(409)
    expect((await get('/retraining/jobs')).json().jobs).toHaveLength(1)
    expect((await get(`/retraining/jobs/${id}`)).json()).toMatchObject({ id, result: null })
    expect((await remove(`/retraining/jobs/${id}`)).statusCode).toBe(204)
    expect((await remove(`/retraining/jobs/${id}`)).statusCode).toBe(404)
    expect((await get(`/retraining/jobs/${id}`)).statusCode).toBe(404)
    expect(await acts()).toEqual([`retraining.start accepted ${id}`, `retraining.cancel accepted ${id}`])
  })
})

describe('/dead-letters', () => {
  it('are listed by what is asked for, and shown', async () => {
    const { get } = await create('analyst')
    expect((await get('/dead-letters?code=NS_NOT_JSON&pending=true&limit=5')).json()).toMatchObject({
      deadLetters: [{ id: 'dead-letters-0-1', value: { bytes: 3 } }],
    })
    expect((await get('/dead-letters?code=NS_EMPTY')).json()).toEqual({ deadLetters: [] })
    expect((await get('/dead-letters?limit=0')).statusCode).toBe(400)
    expect((await get('/dead-letters/dead-letters-0-1')).json()).toMatchObject({ code: 'NS_NOT_JSON' })
    expect((await get('/dead-letters/dead-letters-0-2')).statusCode).toBe(404)
    expect((await get('/dead-letters/17')).statusCode).toBe(400)
  })

  it('are written back by administrators, and that is in the audit log', async () => {
    const { post, acts } = await create()
    const ids = ['dead-letters-0-1', 'dead-letters-0-9']
    expect((await post('/dead-letters/replay', { ids })).json()).toEqual({
      replayed: ['dead-letters-0-1'],
      replayedBefore: 0,
      withheld: 0,
      missing: 1,
    })
    expect((await post('/dead-letters/replay', { ids: [] })).statusCode).toBe(400)
    const refused = await post('/dead-letters/replay', { ids: [UNTAKEN] })
    expect([refused.statusCode, refused.json().detail]).toEqual([409, expect.stringContaining('Kafka')])
    expect(await acts()).toEqual(['dead-letters.replay accepted null', 'dead-letters.replay refused null'])
    const analyst = await create('analyst')
    expect((await analyst.post('/dead-letters/replay', { ids })).statusCode).toBe(403)
  })
})
