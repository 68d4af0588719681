import { expect, it } from '@jest/globals'
import type { ModelPointer, RetrainingJob } from './back-office.ts'
import { createModelNews } from './model-news.ts'
import { createNotices } from './sockets/notices.ts'

const create = () => {
  const told: unknown[] = []
  const notices = createNotices({
    deliver: (_channel, { frame }) => {
      const text = frame().toString()
      told.push(JSON.parse(text.slice(text.indexOf('{'))))
      return 1
    },
  })
  return { told, notices, news: createModelNews(notices) }
}

const pointer = (fields: Partial<ModelPointer>): ModelPointer => ({
  version: 'a',
  sequence: 1,
  back: false,
  at: 5,
  reason: 'better',
  ...fields,
})

it('news of models are the moves of champion and challenger, once each, and who they are for whoever comes later', () => {
  const { told, notices, news } = create()
  const challenger = undefined
  news.pointers({ champion: pointer({}), challenger })
  news.pointers({ champion: pointer({}), challenger })
  news.pointers({ champion: pointer({}), challenger: pointer({ version: 'b' }) })
  news.pointers({ champion: pointer({ version: 'b', sequence: 2 }), challenger })
  news.pointers({ champion: pointer({ sequence: 3, back: true, reason: 'worse' }), challenger })
  const model = { type: 'model', role: 'champion', at: 5, reason: 'better' }
  const back = { ...model, event: 'rolled-back', version: 'a', reason: 'worse' }
  expect(told).toEqual([
    { ...model, event: 'promoted', version: 'a' },
    { ...model, role: 'challenger', event: 'tried', version: 'b' },
    { ...model, event: 'promoted', version: 'b' },
    { type: 'model', role: 'challenger', event: 'withdrawn', version: null, at: null, reason: null },
    back,
  ])
  expect(notices.latest('models')).toEqual([back])
})

it('news of retrainings are how far each has come, and what came of it; whoever comes later is told of those under way', () => {
  const { told, notices, news } = create()
  const waiting: RetrainingJob = {
    id: '7',
    state: 'waiting',
    trigger: 'drift',
    added: 1,
    started: null,
    ended: null,
    progress: null,
    result: null,
  }
  const active = { ...waiting, state: 'active', progress: { phase: 'read', done: 0.5 } } as const
  const result = { outcome: 'rejected', version: 'b', reason: 'no better' } as const
  const retraining = { type: 'retraining', job: '7', trigger: 'drift', progress: null, result: null }
  news.retraining(waiting)
  news.retraining(active)
  expect(notices.latest('models')).toEqual([{ ...retraining, state: 'active', progress: active.progress }])
  news.retraining({ ...active, state: 'completed', result })
  expect(told).toEqual([
    { ...retraining, state: 'waiting' },
    { ...retraining, state: 'active', progress: active.progress },
    { ...retraining, state: 'completed', progress: active.progress, result },
  ])
  expect(notices.latest('models')).toEqual([])
})
