import { describe, expect, it } from '@jest/globals'
import type { Headers, InputRecord, OutputRecord } from './stage.ts'
import { continueTrace } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const VALID = `00-${TRACE}-${SPAN}-01`

const input = (headers: Headers, offset = 7): InputRecord => ({
  topic: 'in',
  partition: 0,
  offset,
  timestamp: 1,
  key: null,
  value: null,
  headers,
})

const output = (cause?: InputRecord, rest: Partial<OutputRecord> = {}): OutputRecord => ({
  topic: 'out',
  key: null,
  value: null,
  timestamp: 1,
  ...(cause && { cause }),
  ...rest,
})

const headersOf = (headers: Headers, stage = 'scoring', offset = 7) =>
  continueTrace(output(input(headers, offset)), stage).headers ?? {}

const parentOf = (text: Headers[string]) => headersOf({ traceparent: text })['traceparent']
const stateOf = (text: Headers[string]) => headersOf({ traceparent: VALID, tracestate: text })['tracestate']

describe('continueTrace', () => {
  it('carries trace id and state on, with a span of the stage as the parent', () => {
    const headers = headersOf({ traceparent: Buffer.from(VALID), tracestate: Buffer.from('a=1,b=2'), x: 'y' })
    expect(Object.keys(headers)).toEqual(['traceparent', 'tracestate'])
    expect(headers['traceparent']).toMatch(new RegExp(`^00-${TRACE}-(?!${SPAN}|0{16})[0-9a-f]{16}-01$`))
    expect(headers['tracestate']).toBe('a=1,b=2')
  })

  it('gives a record the same span whenever it is processed, and others another one', () => {
    const spans = [
      headersOf({ traceparent: VALID }),
      headersOf({ traceparent: VALID }, 'ingest'),
      headersOf({ traceparent: VALID }, 'scoring', 8),
      headersOf({ traceparent: `00-${TRACE}-${SPAN.replace('f', 'e')}-01` }),
    ].map(each => each['traceparent'])
    expect(new Set(spans).size).toBe(4)
    expect(headersOf({ traceparent: VALID })['traceparent']).toBe(spans[0])
  })

  it('keeps the headers that the stage gave, other than its own', () => {
    const given = output(input({ traceparent: VALID }), {
      headers: { kind: 'a', traceparent: 'b', tracestate: 'c' },
    })
    const { headers } = continueTrace(given, 's')
    expect(Object.keys(headers ?? {}).toSorted()).toEqual(['kind', 'traceparent'])
    expect(String(headers?.['traceparent'])).toContain(TRACE)
  })

  it('returns what has no context as it is: no cause, no header, a dead letter', () => {
    const plain = [
      output(),
      output(input({})),
      output(input({ tracestate: 'a=1' })),
      output(input({ traceparent: VALID }), { poison: 'NS_EMPTY', headers: { traceparent: VALID } }),
    ]
    for (const each of plain) expect(continueTrace(each, 's')).toBe(each)
  })

  it.each([
    ['empty', ''],
    ['cut short', VALID.slice(0, -1)],
    ['longer than version 00 is', `${VALID}-00`],
    ['of version ff', VALID.replace(/^00/, 'ff')],
    ['in capitals', VALID.toUpperCase()],
    ['without a trace id', VALID.replace(TRACE, '0'.repeat(32))],
    ['without a parent id', VALID.replace(SPAN, '0'.repeat(16))],
    ['with a digit that is none', VALID.replace('4bf', '4bg')],
    ['with a blank before it', ` ${VALID}`],
    ['with a line after it', `${VALID}\n`],
    ['no text', Buffer.from([0xff, 0xfe, 0])],
  ])('drops a traceparent that is %s, and the state with it', (_, traceparent) => {
    expect(headersOf({ traceparent, tracestate: 'a=1' })).toEqual({})
  })

  it('drops a traceparent that is there twice', () => {
    expect(headersOf({ traceparent: [Buffer.from(VALID), Buffer.from(VALID)] })).toEqual({})
  })

  it('reads later versions as far as it knows them, and writes its own', () => {
    expect(parentOf(VALID.replace(/^00/, 'cc'))).toMatch(/^00-.*-01$/)
    expect(parentOf(`${VALID.replace(/^00/, '01')}-what-follows`)).toMatch(/^00-.*-01$/)
    expect(parentOf(`${VALID.replace(/^00/, '01')}.what`)).toBeUndefined()
  })

  it('passes on the flags that it knows', () => {
    expect(parentOf(VALID.replace(/01$/, 'ff'))).toMatch(/-03$/)
    expect(parentOf(VALID.replace(/01$/, '00'))).toMatch(/-00$/)
  })

  it.each([
    ['several headers as one list', [Buffer.from('a=1'), Buffer.from('b=2, c=3')], 'a=1,b=2,c=3'],
    ['blanks and empty members', ' a=1 ,\t,b=x y,', 'a=1,b=x y'],
    ['a tenant', 'fw529a3039@dt=FfAAABkKBQ', 'fw529a3039@dt=FfAAABkKBQ'],
  ])('reads a tracestate with %s', (_, given, expected) => {
    expect(stateOf(given)).toBe(expected)
  })

  it.each([
    ['a key in capitals', 'A=1'],
    ['no value', 'a='],
    ['two values', 'a=1=2'],
    ['no key', '=1'],
    ['a control character', 'a=1\x01'],
    ['bytes that are no ASCII', 'a=ü'],
    ['a key that is too long', `${'k'.repeat(257)}=1`],
    ['too many members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')],
    ['nothing', ' , '],
  ])('drops a tracestate with %s, and keeps the traceparent', (_, tracestate) => {
    const headers = headersOf({ traceparent: VALID, tracestate })
    expect(Object.keys(headers)).toEqual(['traceparent'])
  })

  it('shortens a tracestate by its longest members, then by its oldest', () => {
    const [long, middle] = [`long=${'v'.repeat(130)}`, (i: number) => `k${i}=${'v'.repeat(97)}`]
    expect(stateOf([0, 1, 2, 3].map(middle).join(','))).toBe([0, 1, 2, 3].map(middle).join(','))
    expect(stateOf([long, ...[0, 1, 2, 3].map(middle)].join(','))).toBe([0, 1, 2, 3].map(middle).join(','))
    expect(stateOf([0, 1, 2, 3, 4, 5].map(middle).join(','))).toBe([0, 1, 2, 3, 4].map(middle).join(','))
  })
})
