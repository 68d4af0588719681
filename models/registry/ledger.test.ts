import { describe, expect, it } from '@jest/globals'
import { makeModel, makeModelKeys, NO_ORIGIN } from '../../test/support/models.ts'
import type { TrainedModel } from '../detector.ts'
import { createLedger, type LedgerRecord } from './ledger.ts'
import { pointAt } from './pointers.ts'
import { chunksOf, encodeModel, encodePointer, keyOf, type Pointer, placeOf } from './records.ts'

const keys = makeModelKeys()

/** A topic in memory, and the ledger of it. */
const createTopic = (signer = keys) => {
  const records: LedgerRecord[] = []
  const append = (key: string, value: Buffer | null) =>
    records.push({ key: Buffer.from(key), value, offset: records.length })
  const ledger = () => {
    const made = createLedger(keys)
    for (const record of records) made.take([record])
    return made
  }
  const publish = (model: TrainedModel) => {
    const { manifest, onnx } = model
    const chunks = chunksOf(onnx)
    for (const [i, chunk] of chunks.entries()) append(keyOf.chunk(manifest.version, i), chunk)
    const record = { ...NO_ORIGIN, manifest, size: onnx.length, chunks: chunks.length, published: 1 }
    append(keyOf.manifest(manifest.version), encodeModel(record, signer))
  }
  const point = (version: string, role: Pointer['role'] = 'champion') => {
    const step = { role, version, at: 1, reason: '', floor: 0 }
    const pointer = pointAt(ledger().pointer(role), step)
    append(keyOf.pointer(role), encodePointer(pointer, signer))
    return pointer
  }
  return { append, ledger, publish, point, records }
}

describe('the ledger of models', () => {
  it('holds what was published and pointed at, by any cut of the log', () => {
    const topic = createTopic()
    topic.publish(makeModel('a', 1_500_000))
    topic.publish(makeModel('b'))
    topic.point('a')
    const ledger = topic.ledger()
    expect(ledger.models().map(({ version, problem, chunks }) => [version, problem, chunks.size])).toEqual([
      ['a', undefined, 3],
      ['b', undefined, 1],
    ])
    expect(ledger.pointer('champion')).toMatchObject({ version: 'a', sequence: 1 })
    const whole = createLedger(keys)
    whole.take(topic.records)
    expect(whole.models()).toEqual(ledger.models())
  })

  it('refuses a model of an unknown signer, of another version, without a chunk, for other features', () => {
    const [topic, foreign] = [createTopic(), createTopic(makeModelKeys())]
    foreign.publish(makeModel('foreign'))
    for (const { key, value } of foreign.records) topic.append(String(key), value)
    topic.publish(makeModel('whole'))
    topic.append(keyOf.manifest('other'), topic.records.at(-1)?.value ?? null)
    topic.append(keyOf.chunk('whole', 0), null)
    const { manifest, onnx } = makeModel('features')
    topic.publish({ onnx, manifest: { ...manifest, featureHash: 'f'.repeat(64) } })
    const ledger = topic.ledger()
    const problem = (version: string) => ledger.model(version)?.problem
    expect(problem('foreign')).toContain('not one of those that are believed')
    expect(problem('other')).toBe('it is the manifest of whole')
    expect(problem('whole')).toBe('chunk 1 of 1 is missing')
    expect(problem('features')).toContain('trained on other features')
  })

  it('refuses a manifest that was touched after it was signed', () => {
    const topic = createTopic()
    topic.publish(makeModel('a'))
    const text = String(topic.records.at(-1)?.value).replace('"threshold":0.5', '"threshold":0.9')
    topic.append(keyOf.manifest('a'), Buffer.from(text))
    expect(topic.ledger().model('a')?.problem).toContain('does not fit')
    topic.append(keyOf.manifest('a'), Buffer.from('{'))
    expect(topic.ledger().model('a')?.problem).toContain('it is not JSON')
  })

  it('passes over a pointer that is not signed, of another role, or older than the one before', () => {
    const topic = createTopic()
    const [foreign, old] = [createTopic(makeModelKeys()), topic.point('a')]
    topic.point('b')
    const at = (value: Buffer, role: Pointer['role'] = 'champion') => {
      topic.append(keyOf.pointer(role), value)
      const ledger = topic.ledger()
      return [ledger.pointer('champion')?.version, ledger.pointerProblem(role)]
    }
    const forged = encodePointer(foreign.point('c'), makeModelKeys())
    expect(at(forged)).toEqual(['b', expect.stringContaining('not one of those')])
    expect(at(encodePointer(old, keys))).toEqual(['b', 'it has the sequence 1, after 2'])
    const misplaced = at(encodePointer(old, keys), 'challenger')
    expect(misplaced).toEqual(['b', 'it is the pointer of the champion'])
  })

  it('retires all but the last ten, those that are pointed at, and what a pointer would fall back on', () => {
    const topic = createTopic()
    for (let i = 0; i < 14; i++) topic.publish(makeModel(`v${i}`, i === 3 ? 1_000_000 : 10))
    topic.point('v0')
    topic.point('v1')
    topic.point('v2', 'challenger')
    const gone = topic.ledger().retired()
    expect(gone).toEqual([
      'model/v3/manifest',
      'model/v3/chunk/0',
      'model/v3/chunk/1',
      'model/v4/manifest',
      'model/v4/chunk/0',
    ])
    for (const key of gone) topic.append(key, null)
    topic.publish(makeModel('next'))
    const left = topic.ledger().models()
    expect(left.map(each => each.version)).toEqual([
      ...['v0', 'v1', 'v2'],
      ...['v5', 'v6', 'v7', 'v8', 'v9', 'v10', 'v11', 'v12', 'v13', 'next'],
    ])
  })

  it('knows its keys, and no others', () => {
    expect(placeOf(keyOf.chunk('a.b', 12))).toEqual({ type: 'chunk', version: 'a.b', index: 12 })
    expect(placeOf(keyOf.manifest('a'))).toEqual({ type: 'manifest', version: 'a' })
    expect(placeOf(keyOf.pointer('challenger'))).toEqual({ type: 'pointer', role: 'challenger' })
    for (const key of ['', 'model/a', 'pointer/other', 'model/a/chunk/x', 'model/a/b/manifest']) {
      expect(placeOf(key)).toBeUndefined()
    }
  })
})
