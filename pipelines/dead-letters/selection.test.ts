import { describe, expect, it } from '@jest/globals'
import { deadLetter, readDeadLetter } from '../../connectors/dead-letters.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { isNarrowed, isSelected, limitOf, selectionOf } from './selection.ts'

const names = { topic: 'x.dead-letters', prefix: 'x.' }

const letter = (offset = 17, timestamp = Date.UTC(2026, 10, 25, 10)) => {
  const failed = {
    topic: 'x.raw-events',
    partition: 3,
    offset: 42,
    timestamp,
    key: null,
    value: null,
    headers: {},
  }
  const error = new SentinelError('NS_EMPTY', 'the value is empty')
  const written = deadLetter({ topic: 'x.dead-letters', stage: 'ingest', record: failed, error })
  const read = readDeadLetter({
    ...failed,
    topic: 'x.dead-letters',
    partition: 0,
    offset,
    headers: written.headers ?? {},
  })
  if (read === undefined) throw new Error('it is a dead letter')
  return read
}

const selects = (options: Record<string, string>, ids: string[] = []) =>
  isSelected(selectionOf(options, ids, names), letter())

describe('a selection', () => {
  it.each([
    ['nothing', {}, [], true],
    ['its full id', {}, ['x.dead-letters-0-17'], true],
    ['its id without prefix', {}, ['dead-letters-0-17'], true],
    ['its place', {}, ['0-17'], true],
    ['one of several ids', {}, ['0-16', '0-17'], true],
    ['another id', {}, ['0-18'], false],
    ['its code', { code: 'NS_EMPTY' }, [], true],
    ['another code', { code: 'NS_NOT_JSON' }, [], false],
    ['its stage', { stage: 'ingest' }, [], true],
    ['another stage', { stage: 'scoring' }, [], false],
    ['its source', { source: 'x.raw-events' }, [], true],
    ['its source without prefix', { source: 'raw-events' }, [], true],
    ['another source', { source: 'events' }, [], false],
    ['a time before, without a zone', { from: '2026-11-25T10:00' }, [], true],
    ['a time before, of another zone', { from: '2026-11-25T11:00:00+01:00' }, [], true],
    ['a time after', { from: '2026-11-25T10:00:00.001Z' }, [], false],
    ['a day', { from: '2026-11-25', to: '2026-11-26' }, [], true],
    ['its own time as end', { to: '2026-11-25T10:00Z' }, [], false],
    ['all of it', { code: 'NS_EMPTY', stage: 'ingest', from: '2026-11-25' }, ['0-17'], true],
    ['all of it but one', { code: 'NS_EMPTY', stage: 'scoring', from: '2026-11-25' }, ['0-17'], false],
  ])('by %s', (_, options, ids, selected) => {
    expect(selects(options as Record<string, string>, ids)).toBe(selected)
  })

  it('knows whether anything narrows it', () => {
    expect(isNarrowed(selectionOf({ all: true, limit: '3' }, [], names))).toBe(false)
    expect(isNarrowed(selectionOf({}, ['0-1'], names))).toBe(true)
    expect(isNarrowed(selectionOf({ stage: 'ingest' }, [], names))).toBe(true)
  })

  it.each(['dead-letters', '17', 'raw-events-0-17', '0-x', '0--1', 'dead-letters-0-17-3', ''])(
    'refuses %j as an id',
    id => {
      expect(() => selectionOf({}, [id], names)).toThrow(expect.objectContaining({ code: 'NS_USAGE' }))
    },
  )

  it.each(['yesterday', '25.11.2026', '2026-13-01', '1700000000000', '2026-11-25T25:00Z'])(
    'refuses %j as a time',
    from => {
      expect(() => selectionOf({ from }, [], names)).toThrow(expect.objectContaining({ code: 'NS_USAGE' }))
    },
  )

  it('has no limit unless one is given', () => {
    expect(limitOf({})).toBe(Number.POSITIVE_INFINITY)
    expect(limitOf({ limit: '3' })).toBe(3)
    expect(() => limitOf({ limit: '0' })).toThrow(expect.objectContaining({ code: 'NS_USAGE' }))
  })
})
