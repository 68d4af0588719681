import { describe, expect, it } from '@jest/globals'
import { deadLetter } from '../../connectors/dead-letters.ts'
import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Event } from '../../schemas/generated.ts'
import { createIngestStage } from './ingest.ts'

const TIMESTAMP = Date.UTC(2026, 10, 24)
const CANARY =
  '{"dst_host": "127.0.0.1", "dst_port": 22, "logdata": {"PASSWORD": "toor", "USERNAME": "guest"}, "logtype": 4002, "node_id": "opencanary-1", "src_host": "127.0.10.5", "src_port": 52395, "utc_time": "2026-11-23 21:13:54.709072"}'
const ZEEK =
  '{"conn": {"ts":1440447880.9,"uid":"C1","id.orig_h":"10.0.0.9","id.resp_h":"10.0.0.1","conn_state":"SF"}}'

const record = (value: Buffer | string | null, offset = 0): InputRecord => ({
  topic: 'raw-events',
  partition: 2,
  offset,
  timestamp: TIMESTAMP + offset,
  key: Buffer.from('k'),
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers: { trace: Buffer.from('t') },
})

const framed = (): Buffer => Buffer.from([0, 0, 0, 0, 7, 1, 2])

const run = async (
  records: readonly InputRecord[],
  decodeFramed: (bytes: Buffer) => Promise<unknown> = () => Promise.reject(new Error('not expected')),
): Promise<readonly OutputRecord[]> => {
  const stage = createIngestStage({
    group: 'ingest',
    topics: { rawEvents: 'raw-events', events: 'events', deadLetters: 'dead-letters' },
    normalise: createNormalise({ assumeTimeZone: 'UTC', secretsMode: undefined, secretsKey: undefined }),
    encodeEvent: event => Buffer.from(JSON.stringify(event)),
    decodeFramed,
    deadLetter: (failed, error) =>
      deadLetter({ topic: 'dead-letters', stage: 'ingest', record: failed, error }),
  })
  const result = await stage.createTask(2).process(records)
  expect(result.changes).toEqual([])
  return result.outputs
}

const eventOf = (output: OutputRecord | undefined): Event => JSON.parse(String(output?.value)) as Event
const codeOf = (output: OutputRecord | undefined) => output?.headers?.['ns-code']

describe('ingest', () => {
  it('keys events by entity, leaves the partition to the key, and copies the timestamp', async () => {
    const raw = record(CANARY, 5)
    const [output, ...more] = await run([raw])
    expect(more).toEqual([])
    expect(output).toMatchObject({
      topic: 'events',
      key: 'ip:127.0.10.5',
      timestamp: TIMESTAMP + 5,
      cause: raw,
    })
    expect(output).not.toHaveProperty('partition')
    expect(eventOf(output)).toMatchObject({
      id: 'raw-events-2-5',
      source: 'opencanary',
      origin: { topic: 'raw-events', partition: 2, offset: 5, timestamp: TIMESTAMP + 5 },
    })
  })

  it('makes two events of equal lines: they may be two attempts', async () => {
    const [first, second, ...more] = (await run([record(CANARY, 1), record(CANARY, 2)])).map(eventOf)
    expect(more).toEqual([])
    expect([first?.id, second?.id]).toEqual(['raw-events-2-1', 'raw-events-2-2'])
    expect({ ...second, id: '', origin: null }).toEqual({ ...first, id: '', origin: null })
  })

  it('keeps the order of good and bad records and of the events in one', async () => {
    const outputs = await run([
      record(CANARY, 1),
      record('nope', 2),
      record(`[${ZEEK},${CANARY}]`, 3),
      record(ZEEK, 4),
    ])
    expect(outputs.map(output => (output.topic === 'events' ? eventOf(output).id : codeOf(output)))).toEqual([
      'raw-events-2-1',
      'NS_NOT_JSON',
      'raw-events-2-3-0',
      'raw-events-2-3-1',
      'raw-events-2-4',
    ])
  })

  it.each([
    ['a null value', null, 'NS_EMPTY', /tombstone/],
    ['an empty value', '', 'NS_EMPTY', /empty/],
    ['white space', ' \n', 'NS_EMPTY', /white space/],
    ['a text', 'not json', 'NS_NOT_JSON', /not JSON/],
    ['what is no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'NS_NOT_JSON', /UTF-8/],
    ['JSON of no source', '{"x":1}', 'NS_UNKNOWN_SOURCE', /no source/],
    ['a known format with a broken field', '{"logtype":"x","node_id":"n"}', 'NS_MALFORMED', /logtype/],
    ['a list with one bad item', `[${CANARY},{"x":1}]`, 'NS_UNKNOWN_SOURCE', /no source/],
  ])('sends %s to dead letters, with its bytes, key and headers', async (_, value, code, reason) => {
    const raw = record(value, 9)
    const outputs = await run([raw])
    expect(outputs).toHaveLength(1)
    const [letter] = outputs
    expect(letter).toMatchObject({ topic: 'dead-letters', key: raw.key, timestamp: raw.timestamp })
    expect(letter?.value).toEqual(raw.value)
    expect(letter?.headers).toMatchObject({ ...raw.headers, 'ns-code': code, 'ns-offset': '9' })
    expect(letter?.headers?.['ns-reason']).toMatch(reason)
  })

  it('reads values that a producer framed with the registry, as records, texts and bytes', async () => {
    const decoded = [
      JSON.parse(CANARY) as unknown,
      CANARY,
      Buffer.from(CANARY),
      { ...(JSON.parse(CANARY) as object), node_id: Buffer.from('opencanary-1') },
    ]
    for (const value of decoded) {
      const [output] = await run([record(framed())], bytes => {
        expect(bytes).toEqual(framed())
        return Promise.resolve(value)
      })
      expect(eventOf(output)).toMatchObject({ type: '4002', sensor: 'opencanary-1', user: 'guest' })
    }
  })

  it('sends framed values to dead letters when they cannot be decoded or written as JSON', async () => {
    const undecodable = () => Promise.reject(new SentinelError('NS_UNDECODABLE', 'no schema has the id 7'))
    expect((await run([record(framed())], undecodable)).map(codeOf)).toEqual(['NS_UNDECODABLE'])
    expect((await run([record(framed())], () => Promise.resolve({ big: 1n }))).map(codeOf)).toEqual([
      'NS_UNDECODABLE',
    ])
  })

  it('does not take a record for bad when only the registry is away, or when there is a defect of ours', async () => {
    const away = () => Promise.reject(new SentinelError('NS_SCHEMA_UNKNOWN', 'the registry is away'))
    await expect(run([record(CANARY), record(framed())], away)).rejects.toMatchObject({
      outcome: 'retriable',
    })
    await expect(run([record(framed())])).rejects.toMatchObject({ outcome: 'fatal' })
  })

  it('gives the same outputs however records are cut into batches', async () => {
    const records = [CANARY, 'x', ZEEK, null, `${ZEEK}\n${CANARY}`].map(record)
    const whole = await run(records)
    const single = (await Promise.all(records.map(each => run([each])))).flat()
    expect(single).toEqual(whole)
  })
})
