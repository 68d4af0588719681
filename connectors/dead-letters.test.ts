import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../runtime/errors.ts'
import { deadLetter } from './dead-letters.ts'
import type { InputRecord } from './kafka/stage.ts'

const record = (fields: Partial<InputRecord> = {}): InputRecord => ({
  topic: 'raw-events',
  partition: 3,
  offset: 42,
  timestamp: 1_700_000_000_000,
  key: Buffer.from([0, 255]),
  value: Buffer.from([0xff, 0xfe]),
  headers: { kept: [Buffer.from('a'), Buffer.from('b')] },
  ...fields,
})

const letterOf = (given: InputRecord, reason = 'it is no JSON') =>
  deadLetter({
    topic: 'dead-letters',
    stage: 'ingest',
    record: given,
    error: new SentinelError('NS_NOT_JSON', reason),
  })

describe('a dead letter', () => {
  it('has the bytes, key, headers and timestamp of the record, and says where it was and why it failed', () => {
    expect(letterOf(record())).toEqual({
      topic: 'dead-letters',
      key: Buffer.from([0, 255]),
      value: Buffer.from([0xff, 0xfe]),
      timestamp: 1_700_000_000_000,
      headers: {
        kept: [Buffer.from('a'), Buffer.from('b')],
        'ns-code': 'NS_NOT_JSON',
        'ns-stage': 'ingest',
        'ns-topic': 'raw-events',
        'ns-partition': '3',
        'ns-offset': '42',
        'ns-reason': 'it is no JSON',
        'ns-attempt': '1',
      },
    })
  })

  it.each([
    ['a null value', null],
    ['an empty value', Buffer.alloc(0)],
  ])('keeps %s as it is', (_, value) => {
    expect(letterOf(record({ value })).value).toEqual(value)
  })

  it.each([
    ['the first time', undefined, '1'],
    ['after a replay', Buffer.from('1'), '2'],
    ['after many', '7', '8'],
    ['when the count is no number', Buffer.from('x'), '1'],
    ['when the count is there twice', [Buffer.from('1'), Buffer.from('2')], '1'],
  ])('counts how often the record failed: %s', (_, before, after) => {
    const headers = before === undefined ? {} : { 'ns-attempt': before }
    expect(letterOf(record({ headers })).headers?.['ns-attempt']).toBe(after)
  })

  it('bounds the reason', () => {
    expect(String(letterOf(record(), 'x'.repeat(10_000)).headers?.['ns-reason'])).toHaveLength(500)
  })
})
