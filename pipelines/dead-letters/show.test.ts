import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { deadLetter, readDeadLetter } from '../../connectors/dead-letters.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { FoundLetter } from './read.ts'
import { letterJson, letterLines, listLine } from './show.ts'

const found = (fields: Partial<InputRecord> = {}, reason = 'it is no JSON'): FoundLetter => {
  const failed: InputRecord = {
    topic: 'raw-events',
    partition: 3,
    offset: 42,
    timestamp: Date.UTC(2026, 10, 25, 10),
    key: Buffer.from('k'),
    value: Buffer.from('{"password":"hunter2"}'),
    headers: { 'x-api-key': Buffer.from('hunter2'), twice: [Buffer.from('a'), Buffer.from('b')] },
    ...fields,
  }
  const error = new SentinelError('NS_NOT_JSON', reason)
  const { headers = {} } = deadLetter({ topic: 'dead-letters', stage: 'ingest', record: failed, error })
  const letter = readDeadLetter({ ...failed, topic: 'dead-letters', partition: 0, offset: 17, headers })
  if (letter === undefined) throw new Error('it is a dead letter')
  return { letter, replay: { letter: letter.id, into: 'raw-events', time: Date.UTC(2026, 10, 25, 11) } }
}

const masked = { clear: false }
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u
const HOSTILE = '\u001b]0;root\u0007\u009b2J\r\nline\u202eevil'

describe('a dead letter for people', () => {
  it('is shown whole, without its secrets', () => {
    expect(letterLines(found(), masked)).toEqual([
      'dead-letters-0-17',
      '  time      2026-11-25T10:00:00.000Z',
      '  code      NS_NOT_JSON  The record is not JSON; see what its producer sends.',
      '  reason    it is no JSON',
      '  stage     ingest',
      '  source    raw-events-3-42',
      '  attempt   1',
      '  replayed  2026-11-25T11:00:00.000Z into raw-events',
      '  key       k',
      '  header    x-api-key: ***',
      '  header    twice: a',
      '  header    twice: b',
      '  value     22 bytes',
      '    {"password":"***"}',
    ])
  })

  it('shows secrets when asked to, and tells null from empty and from bytes', () => {
    const lines = letterLines(found({ key: null, headers: {} }), { clear: true })
    expect(lines).toContain('    {"password":"hunter2"}')
    expect(lines).toContain('  key       null')
    expect(letterLines(found({ value: null }), masked).slice(-2)).toEqual(['  value', '    null'])
    expect(letterLines(found({ value: Buffer.alloc(0) }), masked).slice(-2)).toEqual([
      '  value     0 bytes',
      '    ',
    ])
    expect(letterLines(found({ value: Buffer.from([0xff]) }), masked).at(-1)).toBe(
      '    1 bytes that are no text',
    )
    expect(letterLines(found({ value: Buffer.from([0xff]) }), { clear: true }).at(-1)).toBe(
      '    1 bytes that are no text: /w==',
    )
  })

  it('takes one line of the list, which a pipe gets whole and a terminal to its width', () => {
    const line = listLine(found({}, `it is ${'long '.repeat(50)}`), undefined, masked)
    expect(line).toMatch(
      /^0-17 +2026-11-25T10:00:00Z +NS_NOT_JSON +ingest +raw-events-3-42 +1 +yes +it is long/,
    )
    expect(line.length).toBeGreaterThan(300)
    expect(listLine(found({}, 'x'.repeat(400)), 150, masked).length).toBeLessThanOrEqual(150)
  })
})

describe('a dead letter for programs', () => {
  it('is one line of JSON', () => {
    expect(JSON.parse(letterJson(found({ value: Buffer.from([0xff]) }), masked))).toEqual({
      id: 'dead-letters-0-17',
      time: '2026-11-25T10:00:00.000Z',
      code: 'NS_NOT_JSON',
      reason: 'it is no JSON',
      stage: 'ingest',
      source: { topic: 'raw-events', partition: 3, offset: 42 },
      attempt: 1,
      replayed: { into: 'raw-events', time: '2026-11-25T11:00:00.000Z' },
      key: { text: 'k' },
      headers: [
        { name: 'x-api-key', value: { text: '***' } },
        { name: 'twice', value: { text: 'a' } },
        { name: 'twice', value: { text: 'b' } },
      ],
      value: { bytes: 1 },
    })
  })
})

describe('nothing in a record acts on the terminal', () => {
  const hostile = found(
    { key: Buffer.from(HOSTILE), value: Buffer.from(HOSTILE), headers: { [HOSTILE]: Buffer.from(HOSTILE) } },
    HOSTILE,
  )

  it('of a person', () => {
    for (const options of [masked, { clear: true }]) {
      for (const line of [...letterLines(hostile, options), listLine(hostile, undefined, options)]) {
        expect(line).not.toMatch(CONTROL)
      }
    }
  })

  it('of a program, whose JSON still says all of it', () => {
    const json = letterJson(hostile, { clear: true })
    expect(json).not.toMatch(CONTROL)
    expect(JSON.parse(json)).toMatchObject({ key: { text: HOSTILE }, value: { text: HOSTILE } })
  })

  it('whatever the value is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const letter = found({ value: Buffer.from(text) })
        for (const line of [...letterLines(letter, masked), letterJson(letter, masked)])
          expect(line).not.toMatch(CONTROL)
      }),
    )
  })
})
