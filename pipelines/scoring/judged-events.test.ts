import { describe, expect, it } from '@jest/globals'
import avro, { type Schema } from 'avsc'
import fc from 'fast-check'
import { type AvroType, createCodec } from '../../connectors/avro-codec.ts'
import { EVENT_FIELDS } from '../../models/features/event-fields.ts'
import { readJudgedEvent } from '../../models/features/read-event.ts'
import { loadSchema } from '../../schemas/avro.ts'
import type { Event } from '../../schemas/generated.ts'
import { anyEvent, makeEvent } from '../../test/support/events.ts'

const EVENT = avro.Type.forSchema(loadSchema('Event') as Schema) as unknown as AvroType
const codec = createCodec<Event>({ name: 'Event', schemaId: 7, type: EVENT, typeOf: async () => EVENT })
const judged = codec.select(EVENT_FIELDS, readJudgedEvent)
/** The library's way, which resolves the schema. */
const resolved = codec.select(EVENT_FIELDS)

const plain = (value: unknown): unknown => ({ ...(value as object) })

describe('an event as it is judged', () => {
  it('is what the library reads of it', async () => {
    const most = makeEvent({
      srcPort: 65_535,
      durationMs: 1.5,
      bytesIn: 2 ** 53 - 2,
      bytesOut: -(2 ** 40),
      packets: 300,
      sourceSeverity: 4,
      command: 'ü'.repeat(40),
      url: `/${'x'.repeat(5_000)}`,
      techniques: ['T1110', 'T1190'],
    })
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyEvent(), fc.constant(most), fc.constant(makeEvent())), async event => {
        const bytes = codec.encode(event)
        expect(judged.decodeKnown(bytes)).toStrictEqual(plain(await resolved.decode(bytes)))
      }),
    )
  })

  it('keeps texts apart that share a place in memory', () => {
    const users = Array.from({ length: 20_000 }, (_, i) => `user-${i.toString(36)}`)
    const read = users.map(user => judged.decodeKnown(codec.encode(makeEvent({ user })))?.user)
    expect(read).toEqual(users)
  })

  it('is not read from bytes that are cut off or go on', () => {
    const bytes = codec.encode(makeEvent({ durationMs: 2, command: 'x', bytesIn: 1_000 }))
    for (let length = 6; length < bytes.length; length++)
      expect(() => judged.decodeKnown(bytes.subarray(0, length))).toThrow(/does not decode as Event/)
    expect(() => judged.decodeKnown(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(/trailing data/)
  })

  it('is not read from bytes with a wrong branch of a union or an unknown symbol', () => {
    const bytes = codec.encode(makeEvent({ source: 'cowrie', entity: 'ip:203.0.113.9' }))
    const places = { branch: bytes.indexOf('cowrie') + 6, symbol: bytes.indexOf('ip:203') - 2 }
    for (const [what, at] of Object.entries(places)) {
      const broken = Buffer.from(bytes)
      broken[at] = 8
      expect(() => judged.decodeKnown(broken)).toThrow(`no such ${what}`)
    }
  })
})
