import { describe, expect, it } from '@jest/globals'
import type { LedgerRecord } from '../models/registry/ledger.ts'
import { encodePointer, keyOf, type Pointer } from '../models/registry/records.ts'
import { makeModelKeys } from '../test/support/models.ts'
import { createModelNews } from './model-news.ts'
import { createNotices } from './sockets/notices.ts'

const keys = makeModelKeys()

const create = () => {
  const told: unknown[] = []
  const notices = createNotices({
    deliver: (_channel, { frame }) => {
      const text = frame().toString()
      told.push(JSON.parse(text.slice(text.indexOf('{'))))
      return 1
    },
  })
  const take = createModelNews(keys, notices)
  let offset = 0
  const record = (key: string, value: Buffer | null): LedgerRecord => ({
    key: Buffer.from(key),
    value,
    offset: offset++,
  })
  const pointer = (fields: Partial<Pointer>, signer = keys) => {
    const made: Pointer = {
      role: 'champion',
      version: 'a',
      sequence: 1,
      back: false,
      at: 5,
      reason: 'better',
      before: [],
      ...fields,
    }
    return record(keyOf.pointer(made.role), encodePointer(made, signer))
  }
  return { told, notices, take, record, pointer }
}

describe('news of models', () => {
  it('are the moves of champion and challenger, once each, and who they are for whoever comes later', () => {
    const { told, notices, take, pointer, record } = create()
    take([pointer({})])
    take([])
    take([pointer({ role: 'challenger', version: 'b' })])
    take([pointer({ version: 'b', sequence: 2 }), record(keyOf.pointer('challenger'), null)])
    take([pointer({ version: 'a', sequence: 3, back: true, reason: 'worse' })])
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

  it('are not what nobody believes who signed', () => {
    const { told, take, pointer } = create()
    take([pointer({}, makeModelKeys())])
    expect(told).toEqual([])
  })
})
