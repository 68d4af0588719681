import { describe, expect, it } from '@jest/globals'
import avro, { type Schema } from 'avsc'
import fc from 'fast-check'
import { type AvroType, createCodec } from '../../connectors/avro-codec.ts'
import { advance } from '../../models/features/state.ts'
import { writeEntityState } from '../../models/features/write-state.ts'
import { loadSchema } from '../../schemas/avro.ts'
import type { Behaviour, EntityState, Event, ModelInForce } from '../../schemas/generated.ts'
import { anyEvent, makeEvent } from '../../test/support/events.ts'

const STATE = avro.Type.forSchema(loadSchema('EntityState') as Schema) as unknown as AvroType
const codec = createCodec<EntityState>({
  name: 'EntityState',
  schemaId: 9,
  type: STATE,
  typeOf: async () => STATE,
})
const write = codec.encoder(writeEntityState)

const after = (events: readonly Event[]): Behaviour | null =>
  events.reduce<Behaviour | null>((before, event) => advance(before, event), null)

/** What one entity does, with more hosts, users and ports than are kept. */
const busy = after(
  Array.from({ length: 90 }, (_, i) =>
    makeEvent({
      time: 1_700_000_000_000 + i * 60_000,
      category: 'network',
      action: 'connect',
      dstIp: `192.0.2.${i}`,
      dstPort: i * 700,
      user: `ü${'x'.repeat(2 * i)}`,
      bytesIn: 2 ** 40,
    }),
  ),
)

const anyBehaviour = fc.oneof(
  fc.constant(busy),
  fc
    .tuple(
      fc.array(anyEvent(), { maxLength: 5 }),
      fc.option(fc.record({ form: fc.string(), rows: fc.uint8Array().map(bytes => Buffer.from(bytes)) })),
    )
    .map(([events, recent]) => {
      const behaviour = after(events)
      return behaviour && { ...behaviour, recent }
    }),
)
const anyModel = fc.option(
  fc.record<ModelInForce>({
    version: fc.string({ unit: 'binary' }),
    sequence: fc.nat(),
    since: fc.option(fc.nat()),
  }),
)
const anyState = fc.record<EntityState>({
  id: fc.string({ unit: 'binary' }).map(text => text.toWellFormed()),
  behaviour: anyBehaviour,
  model: anyModel,
})

describe('a state as it is written', () => {
  it('has the bytes that the library gives it', () => {
    fc.assert(
      fc.property(fc.array(anyState, { minLength: 1 }), states => {
        const written = states.map(write)
        expect(written.map(each => each.toString('hex'))).toEqual(
          states.map(state => codec.encode(state).toString('hex')),
        )
      }),
    )
  })

  it.each([
    ['firstTime', 1.5],
    ['events', '1'],
    ['ports', [2 ** 31]],
    ['users', [null]],
    ['recent', { form: 'x', rows: 'no bytes' }],
    ['gapMean', null],
    ['contacts', [{ target: 1, time: 2, gapMs: 0.5, beats: 1 }]],
  ])('is refused where %s is %p', (field, value) => {
    const state = { id: 'ip:203.0.113.1', behaviour: busy, model: null }
    const wrong = { ...state, behaviour: { ...busy, [field]: value } } as EntityState
    expect(() => write(wrong)).toThrow(/EntityState does not fit its schema: /)
    expect(write(state).equals(codec.encode(state))).toBe(true)
  })
})
