import { expect, it } from '@jest/globals'
import type { ModelPointer } from './back-office.ts'
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
  return { told, notices, tell: createModelNews(notices) }
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
  const { told, notices, tell } = create()
  const challenger = undefined
  tell({ champion: pointer({}), challenger })
  tell({ champion: pointer({}), challenger })
  tell({ champion: pointer({}), challenger: pointer({ version: 'b' }) })
  tell({ champion: pointer({ version: 'b', sequence: 2 }), challenger })
  tell({ champion: pointer({ sequence: 3, back: true, reason: 'worse' }), challenger })
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
