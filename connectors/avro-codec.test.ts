import { describe, expect, it } from '@jest/globals'
import avro, { type Schema } from 'avsc'
import fc from 'fast-check'
import { SentinelError } from '../runtime/errors.ts'
import { loadSchema } from '../schemas/avro.ts'
import type { Event } from '../schemas/generated.ts'
import { anyEvent, makeEvent } from '../test/support/events.ts'
import { type AvroType, createCodec, isFramed } from './avro-codec.ts'
import { writeEvent } from './sources/write-event.ts'

const typeOf = (schema: unknown) => avro.Type.forSchema(schema as Schema) as unknown as AvroType

const EVENT = typeOf(loadSchema('Event'))

/** A codec of events under the id 7, in a registry that knows `others` too. */
const codecOf = (others: Readonly<Record<number, AvroType>> = {}) => {
  const asked: number[] = []
  const codec = createCodec<Event>({
    name: 'Event',
    schemaId: 7,
    type: EVENT,
    typeOf: async id => {
      asked.push(id)
      const found = id === 7 ? EVENT : others[id]
      if (found === undefined) throw new SentinelError('NS_UNDECODABLE', `no schema has the id ${id}`)
      return found
    },
  })
  return { codec, asked }
}

const withId = (id: number, framed: Buffer): Buffer => {
  const copy = Buffer.from(framed)
  copy.writeInt32BE(id, 1)
  return copy
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('isFramed', () => {
  it.each([
    ['the shortest framed value', [0, 0, 0, 0, 7, 2], true],
    ['a header with nothing behind it', [0, 0, 0, 0, 7], false],
    ['an empty value', [], false],
    ['a JSON object', [...Buffer.from('{"ts":1}')], false],
    ['another magic byte', [1, 0, 0, 0, 7, 2], false],
  ])('judges %s', (_what, bytes, expected) => {
    expect(isFramed(Buffer.from(bytes))).toBe(expected)
  })
})

describe('a codec', () => {
  it('gives a value back, whatever its size, and keeps what it gave', () => {
    const { codec } = codecOf()
    const small = codec.encode(makeEvent())
    const large = codec.encode(makeEvent({ original: 'é'.repeat(200_000) }))
    expect(plain(codec.decodeKnown(large))).toEqual(makeEvent({ original: 'é'.repeat(200_000) }))
    expect(plain(codec.decodeKnown(small))).toEqual(makeEvent())
    expect(small.readInt32BE(1)).toBe(7)
  })

  it('asks for the schema of another id once, and says at once what it then knows', async () => {
    const { fields, ...rest } = loadSchema('Event') as { fields: { name: string }[] }
    const older = typeOf({ ...rest, fields: fields.filter(({ name }) => name !== 'userAgent') })
    const { codec, asked } = codecOf({ 8: older })
    const { userAgent: _, ...event } = makeEvent()
    const bytes = withId(
      8,
      createCodec<object>({ name: 'Event', schemaId: 8, type: older, typeOf: async () => older }).encode(
        event,
      ),
    )
    expect(codec.decodeKnown(bytes)).toBeUndefined()
    expect(plain(await codec.decode(bytes))).toEqual(makeEvent({ userAgent: null }))
    expect(plain(codec.decodeKnown(bytes))).toEqual(makeEvent({ userAgent: null }))
    await codec.decode(bytes)
    expect(asked).toEqual([8])
  })

  it('refuses what is cut short, too long, or of an unknown schema', async () => {
    const { codec } = codecOf()
    const bytes = codec.encode(makeEvent())
    const broken = [
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.of(1, 0, 0, 0, 7, 1),
      Buffer.alloc(0),
    ]
    for (const each of broken) {
      const refusal = expect.objectContaining({ code: 'NS_UNDECODABLE' })
      await expect(codec.decode(each)).rejects.toEqual(refusal)
      expect(() => codec.decodeKnown(each)).toThrow(SentinelError)
    }
    await expect(codec.decode(withId(9, bytes))).rejects.toMatchObject({ code: 'NS_UNDECODABLE' })
    expect(() => codec.encode(makeEvent({ time: 'now' as never }))).toThrow('Event does not fit its schema')
  })
})

describe('a selection of fields', () => {
  const FIELDS = ['entity', 'outcome', 'user', 'bytesIn', 'time'] as const

  it('is what the whole value has in these fields, for every event', async () => {
    const { codec } = codecOf()
    const some = codec.select(FIELDS)
    await some.decode(codec.encode(makeEvent()))
    fc.assert(
      fc.property(anyEvent(), event => {
        const bytes = codec.encode(event)
        const whole = codec.decodeKnown(bytes)
        const expected = Object.fromEntries(FIELDS.map(name => [name, whole?.[name]]))
        expect({ ...some.decodeKnown(bytes) }).toEqual(expected)
      }),
    )
  })

  it('still refuses what is cut short in a field that it leaves out', async () => {
    const { codec } = codecOf()
    const some = codec.select(FIELDS)
    const bytes = codec.encode(makeEvent({ original: 'x'.repeat(100) }))
    await some.decode(bytes)
    expect(() => some.decodeKnown(bytes.subarray(0, -1))).toThrow('truncated buffer')
    expect(() => some.decodeKnown(Buffer.concat([bytes, Buffer.of(1)]))).toThrow('trailing data')
  })
})

describe('the writer of events', () => {
  const { codec } = codecOf()
  const write = codec.encoder(writeEvent)

  it('writes what the library writes, and what it gave stays as it is', () => {
    const long = makeEvent({
      original: `{"a":"${'é'.repeat(40_000)}"}`,
      durationMs: 1.5,
      bytesIn: 2 ** 53 - 2,
      bytesOut: 2 - 2 ** 53,
      sourceSeverity: -(2 ** 31),
      srcPort: 65_535,
      user: 'x'.repeat(63),
      command: 'x'.repeat(64),
      techniques: [],
    })
    const edges = makeEvent({ command: 'é'.repeat(64), bytesIn: 2 ** 30 - 1, packets: 2 ** 30, bytesOut: -1 })
    fc.assert(
      fc.property(fc.array(fc.oneof(anyEvent(), fc.constantFrom(long, edges)), { minLength: 1 }), events => {
        const written = events.map(write)
        expect(written.map(each => each.toString('hex'))).toEqual(
          events.map(event => codec.encode(event).toString('hex')),
        )
      }),
    )
  })

  it.each([
    ['id', null],
    ['time', 1.5],
    ['time', 2 ** 53],
    ['clockSkew', 1],
    ['outcome', 'maybe'],
    ['srcPort', 2 ** 31],
    ['user', 5],
    ['durationMs', '1'],
    ['techniques', [null]],
  ])('refuses an event whose %s is %p', (field, value) => {
    expect(() => write({ ...makeEvent(), [field]: value })).toThrow(/Event does not fit its schema: /)
    expect(write(makeEvent()).equals(codec.encode(makeEvent()))).toBe(true)
  })
})
