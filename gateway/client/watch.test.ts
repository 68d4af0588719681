import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { anyEvent, makeEvent } from '../../test/support/events.ts'
import { makeAlert, makeThreat } from '../../test/support/threats.ts'
import { createTable } from './watch.ts'

const draw = (options: { columns?: number; rows?: number; colour?: boolean } = {}) => {
  const lines: string[] = []
  const table = createTable({ columns: 140, ...options, write: line => lines.push(line) })
  return { table, lines }
}

describe('the live table', () => {
  it('writes one line a threat under its headings', () => {
    const { table, lines } = draw()
    table.add(makeThreat())
    const [header = '', line = ''] = lines
    expect(lines).toHaveLength(2)
    const values = {
      TIME: '2023-11-14 22:13:20Z',
      SEVERITY: 'high',
      SCORE: '0.910',
      ENTITY: 'ip:203.0.113.9',
      TITLE: 'SSH login failed',
      SENSOR: 'sensor-1',
      TECHNIQUES: 'T1110',
    }
    for (const [title, value] of Object.entries(values)) {
      expect(line.indexOf(value)).toBe(header.indexOf(title))
    }
  })

  it('writes one line a revision of an alert, in the same columns', () => {
    const { table, lines } = draw()
    table.addAlert(makeAlert({ change: 'escalated', count: 16, sensors: ['a', 'b'] }))
    table.addAlert(makeAlert({ change: 'triaged', status: 'resolved', sensors: [], techniques: [] }))
    expect(lines[1]).toMatch(
      /^2023-11-14 22:14:20Z {2}high .*ALERT escalated: Brute force \(16\) +a b +T1110$/,
    )
    expect(lines[2]).toMatch(/ALERT resolved: Brute force \(3\) +- +-$/)
  })

  it('repeats the headings once a screen', () => {
    const { table, lines } = draw({ rows: 4 })
    for (let i = 0; i < 7; i += 1) table.add(makeThreat())
    expect(lines.map(line => line.startsWith('TIME'))).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1, 0].map(Boolean))
  })

  it('writes the headings once where there are no screens', () => {
    const { table, lines } = draw()
    for (let i = 0; i < 100; i += 1) table.add(makeThreat())
    expect(lines.filter(line => line.startsWith('TIME'))).toHaveLength(1)
  })

  it('keeps every value in its column, however long', () => {
    const { table, lines } = draw()
    const event = makeEvent({ title: 'x'.repeat(500), sensor: 's'.repeat(500) })
    table.add(makeThreat({ event, entity: 'user:'.padEnd(500, 'u') }))
    const [header = '', line = ''] = lines
    expect(line).toHaveLength(140 - 16 + 'T1110'.length)
    expect(line.slice(header.indexOf('TECHNIQUES'))).toBe('T1110')
  })

  it('colours by severity when asked to, and resets after each line', () => {
    const { table, lines } = draw({ colour: true })
    table.add(makeThreat({ severity: 'critical' }))
    const { table: plain, lines: uncoloured } = draw()
    plain.add(makeThreat({ severity: 'critical' }))
    expect(lines[1]).toBe(`\u001b[1;31m${uncoloured[1]}\u001b[0m`)
  })

  it('says that a value is missing, and survives a time that no calendar has', () => {
    const { table, lines } = draw()
    table.add(
      makeThreat({ time: Number.MAX_SAFE_INTEGER, techniques: [], event: makeEvent({ sensor: null }) }),
    )
    expect(lines[1]).toMatch(/^- .*SSH login failed\s+-\s+-$/)
  })

  it('writes exactly one harmless line for any event', () => {
    fc.assert(
      fc.property(anyEvent(), fc.string({ unit: 'binary' }), (event, text) => {
        const { table, lines } = draw()
        table.add(makeThreat({ event, time: event.time, entity: text, techniques: [text] }))
        expect(lines).toHaveLength(2)
        expect(lines[1]).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u{2028}\u{2029}]/u)
      }),
    )
  })
})
