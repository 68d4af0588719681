import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../runtime/errors.ts'
import { deadLetter, readDeadLetter, readReplayMark, replayMark, replayOf } from './dead-letters.ts'
import type { InputRecord } from './kafka/stage.ts'
import { withhold } from './kafka/withheld.ts'

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
      cause: record(),
      poison: 'NS_NOT_JSON',
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

  it('says when it does not hold the bytes of its record, and where they are', () => {
    const error = new SentinelError('NS_TOO_LARGE', 'far too large')
    const letter = letterOf(withhold(record(), error))
    expect([letter.key, letter.value, letter.timestamp]).toEqual([null, null, 1_700_000_000_000])
    expect(letter.headers).toMatchObject({ 'ns-withheld': 'true', 'ns-partition': '3', 'ns-offset': '42' })
    expect(letter.headers).not.toHaveProperty('kept')
    expect(letterOf(record()).headers).not.toHaveProperty('ns-withheld')
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

describe('a dead letter that is read back', () => {
  const stored = (given: InputRecord, offset = 17): InputRecord => {
    const { headers = {} } = letterOf(given)
    // What comes out of Kafka are bytes.
    const bytes = Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? Buffer.from(value) : value,
    ])
    return { ...given, topic: 'dead-letters', partition: 0, offset, headers: Object.fromEntries(bytes) }
  }
  const read = (given: InputRecord) => {
    const letter = readDeadLetter(stored(given))
    if (letter === undefined) throw new Error('it is a dead letter')
    return letter
  }

  it('says what was written', () => {
    expect(read(record())).toMatchObject({
      id: 'dead-letters-0-17',
      code: 'NS_NOT_JSON',
      stage: 'ingest',
      reason: 'it is no JSON',
      attempt: 1,
      source: { topic: 'raw-events', partition: 3, offset: 42 },
      headers: { kept: [Buffer.from('a'), Buffer.from('b')] },
    })
  })

  it('is replayed to the partition that it came from, as it was, and counted when it fails once more', () => {
    const replayed = replayOf(read(record()))
    expect(replayed).toEqual({
      topic: 'raw-events',
      partition: 3,
      key: Buffer.from([0, 255]),
      value: Buffer.from([0xff, 0xfe]),
      timestamp: 1_700_000_000_000,
      headers: { kept: [Buffer.from('a'), Buffer.from('b')], 'ns-attempt': '1' },
    })
    const again = record({ offset: 43, headers: replayed.headers ?? {} })
    expect(read(again)).toMatchObject({ attempt: 2, source: { offset: 43 } })
    expect(replayOf(read(again)).headers).toMatchObject({ 'ns-attempt': '2' })
  })

  it('is replayed into another topic by its key', () => {
    const replayed = replayOf(read(record()), 'elsewhere')
    expect(replayed.topic).toBe('elsewhere')
    expect(replayed).not.toHaveProperty('partition')
  })

  it.each(['ns-code', 'ns-topic', 'ns-partition', 'ns-offset'])('is none without %s', name => {
    const { [name]: _, ...headers } = stored(record()).headers
    expect(readDeadLetter({ ...stored(record()), headers })).toBeUndefined()
  })

  it('is marked in its own topic, and the mark is no dead letter', () => {
    const letter = read(record())
    const mark = replayMark(letter, 'raw-events', 1_800_000_000_000)
    expect(mark).toMatchObject({ topic: 'dead-letters', partition: 0, value: null })
    const { timestamp, headers = {} } = mark
    const written = { ...record(), timestamp, headers }
    expect(readReplayMark(written)).toEqual({
      letter: letter.id,
      into: 'raw-events',
      time: 1_800_000_000_000,
    })
    expect(readDeadLetter(written)).toBeUndefined()
    expect(replayMark(letter, 'raw-events', 0).timestamp).toBe(record().timestamp)
  })

  it('cannot pass for a mark, whatever headers its record came with', () => {
    const forged = stored(record({ headers: { 'ns-replayed': Buffer.from('dead-letters-0-5') } }))
    expect(readReplayMark(forged)).toBeUndefined()
    expect(readDeadLetter(forged)).toBeDefined()
  })
})
