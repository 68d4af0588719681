import { describe, expect, it } from '@jest/globals'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { loginLine, runPipeline } from '../support/pipeline.ts'
import { readAll } from '../support/stages.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const GIVEN = `00-${TRACE}-00f067aa0ba902b7-01`

const headerOf = (record: InputRecord | undefined, name: string) => {
  const value = record?.headers[name]
  return value === undefined ? undefined : String(value)
}

describe('a trace context', () => {
  it('goes with a record from the raw topic to its threats, each stage being a span', async () => {
    const { kafka, topics, process } = await runPipeline()
    const value = loginLine()
    await process([
      { key: 'k', value, headers: { traceparent: GIVEN, tracestate: 'vendor=1', other: 'x' } },
      { key: 'k', value, headers: { traceparent: '00-0-0-00' } },
      { key: 'k', value },
      { key: 'k', value: Buffer.from('junk'), headers: { traceparent: GIVEN, tracestate: 'not a state' } },
    ])
    const events = await readAll(kafka, topics.events.name)
    const threats = await readAll(kafka, topics.threats.name)
    const ocsf = await readAll(kafka, topics.threatsOcsf.name)
    expect([events.length, threats.length, ocsf.length]).toEqual([3, 3, 3])
    for (const records of [events, threats, ocsf]) {
      expect(records.map(record => headerOf(record, 'tracestate'))).toEqual([
        'vendor=1',
        undefined,
        undefined,
      ])
      expect(records.slice(1).map(record => record.headers)).toEqual([{}, {}])
    }
    const spans = [events[0], threats[0]].map(record => headerOf(record, 'traceparent') ?? '')
    for (const span of spans) expect(span).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
    expect(new Set([GIVEN, ...spans]).size).toBe(3)
    expect(headerOf(ocsf[0], 'traceparent')).toBe(spans[1])
    const [letter] = await readAll(kafka, topics.deadLetters.name)
    expect(headerOf(letter, 'traceparent')).toBe(GIVEN)
    expect(headerOf(letter, 'tracestate')).toBe('not a state')
  })
})
