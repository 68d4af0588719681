import { describe, expect, it } from '@jest/globals'
import { createTimeReader } from './times.ts'

const utc = createTimeReader('UTC')
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

describe('times in UTC', () => {
  it.each([
    ['2026-11-23 21:13:54.709072', '2026-11-23T21:13:54.709Z'],
    ['2018-03-24T14:37:19.037299-0600', '2018-03-24T20:37:19.037Z'],
    ['2018-03-24T14:37:19.037299+05:30', '2018-03-24T09:07:19.037Z'],
    ['2018-03-24T14:37:19+02', '2018-03-24T12:37:19.000Z'],
    ['2018-03-24T14:37:19', '2018-03-24T14:37:19.000Z'],
    ['2026-11-23T21:22:28.968801Z', '2026-11-23T21:22:28.968Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    [1440447880.931272, '2015-08-24T20:24:40.931Z'],
    [1402307733.473, '2014-06-09T09:55:33.473Z'],
    [1402307733473, '2014-06-09T09:55:33.473Z'],
    ['1402307733.473', '2014-06-09T09:55:33.473Z'],
    ['1402307733473123456', '2014-06-09T09:55:33.473Z'],
    [1402307733473123, '2014-06-09T09:55:33.473Z'],
  ])('reads %s', (value, expected) => {
    expect(iso(utc(value))).toBe(expected)
  })

  it.each([
    '',
    'yesterday',
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01',
    '1970-01-01T00:00:00.000000Z',
    0,
    -1,
    12,
    1e300,
    Number.NaN,
    null,
    undefined,
    true,
    {},
    [],
  ])('takes %j for no time', value => {
    expect(utc(value)).toBeNull()
  })
})

describe('times without a zone', () => {
  const berlin = createTimeReader('Europe/Berlin')

  it.each([
    ['2026-01-15 12:00:00', '2026-01-15T11:00:00.000Z'],
    ['2026-07-15 12:00:00', '2026-07-15T10:00:00.000Z'],
    ['2026-03-29 01:59:59', '2026-03-29T00:59:59.000Z'],
    ['2026-03-29 03:00:00', '2026-03-29T01:00:00.000Z'],
    ['2026-10-25 01:59:59', '2026-10-24T23:59:59.000Z'],
    ['2026-10-25 03:00:00', '2026-10-25T02:00:00.000Z'],
  ])('follow daylight saving: %s', (value, expected) => {
    expect(iso(berlin(value))).toBe(expected)
  })

  it('that occur twice are the first of the two', () => {
    expect(iso(berlin('2026-10-25 02:30:00'))).toBe('2026-10-25T00:30:00.000Z')
  })

  it('that do not occur are read with the offset before the change', () => {
    expect(iso(berlin('2026-03-29 02:30:00'))).toBe('2026-03-29T01:30:00.000Z')
  })

  it('keep their zone when they have one', () => {
    expect(berlin('2026-07-15T12:00:00Z')).toBe(utc('2026-07-15T12:00:00Z'))
  })

  it('follow zones with odd offsets', () => {
    expect(iso(createTimeReader('Asia/Kathmandu')('2026-07-15 12:00:00'))).toBe('2026-07-15T06:15:00.000Z')
    expect(iso(createTimeReader('America/St_Johns')('2026-07-15 12:00:00'))).toBe('2026-07-15T14:30:00.000Z')
  })

  it('refuse a zone that does not exist', () => {
    expect(() => createTimeReader('Mars/Olympus')).toThrow(
      expect.objectContaining({ code: 'NS_CONFIG_INVALID' }),
    )
  })
})
