import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import type { JudgedEvent } from '../../models/features/event-fields.ts'
import { observe } from '../../models/features/observe.ts'
import type { EntityState, Event } from '../../schemas/generated.ts'
import { makeEvent } from '../../test/support/events.ts'
import { json, recordOf } from '../../test/support/scoring-stage.ts'
import { createWindowReader } from './window-events.ts'

const entityState = {
  encode: (state: EntityState) => Buffer.from(JSON.stringify(state)),
  decodeKnown: (bytes: Buffer): EntityState => JSON.parse(bytes.toString('utf8')),
}

const readerOf = (rows: number, wanted: readonly string[] = []) =>
  createWindowReader({
    codecs: { judged: json<JudgedEvent>(), entityState },
    maxEntities: 1_000,
    rows,
    wanted: new Set(wanted),
  })

/** Events of two entities, each in a partition of its own. */
const events: Event[] = Array.from({ length: 60 }, (_, i) =>
  makeEvent({
    id: `e-${i}`,
    entity: `ip:203.0.113.${i % 2}`,
    time: 1_700_000_000_000 + i * 1_000,
    dstPort: i,
  }),
)
const records: InputRecord[] = events.map((event, i) => ({
  ...recordOf(Buffer.from(JSON.stringify(event)), i),
  partition: i % 2,
}))
const ofPartition = (partition: number) => records.filter(each => each.partition === partition)

/** Reads with records of a partition cut at some of them, and partitions one after the other or in turn. */
const readAs = async (reader: ReturnType<typeof readerOf>, order: readonly number[], size: number) => {
  for (const partition of order) {
    const all = ofPartition(partition)
    for (let from = 0; from < all.length; from += size) await reader.take(all.slice(from, from + size))
  }
  return reader.end()
}

describe('the events of a window', () => {
  it('come with the past that training would see, in the order of time', async () => {
    const { sample, events: count } = await readAs(readerOf(100), [0, 1], 7)
    expect(count).toBe(60)
    const observed = observe(events)
    expect(sample.map(({ observation }) => observation.event.id)).toEqual(events.map(({ id }) => id))
    expect(sample.map(({ observation }) => observation.before)).toEqual(observed.map(({ before }) => before))
  })

  it('come with the windows that scoring keeps for the model in force', async () => {
    const recent = { events: 3, columns: [0, 1], low: [0, 0], high: [1, 1], id: 'form' }
    const reader = createWindowReader({
      codecs: { judged: json<JudgedEvent>(), entityState },
      maxEntities: 1_000,
      recent,
      rows: 100,
      wanted: new Set(),
    })
    const { sample } = await readAs(reader, [0, 1], 7)
    const lengths = sample.map(({ observation }) => observation.before?.recent?.rows.length)
    // Two entities in turn: nothing, one event, and then two, all that a window has beside the one that is judged.
    expect(lengths.slice(0, 8)).toEqual([undefined, undefined, 2, 2, 4, 4, 4, 4])
    expect(sample.at(-1)?.observation.before?.recent?.form).toBe('form')
  })

  it('are sampled evenly in bounded memory, the same ones however they come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.integer({ min: 1, max: 30 }), async (turned, size) => {
        const { sample } = await readAs(readerOf(10), turned ? [1, 0] : [0, 1], size)
        const other = await readAs(readerOf(10), [0, 1], 60)
        expect(sample).toEqual(other.sample)
        expect(sample).toHaveLength(10)
        expect(new Set(sample.map(({ observation }) => observation.event.entity)).size).toBe(2)
      }),
    )
  })

  it('include those that are asked for, and leave out what scoring makes a dead letter of', async () => {
    const reader = readerOf(5, ['e-3', 'e-59', 'elsewhere'])
    await reader.take([recordOf(null, 0), recordOf(Buffer.from('junk'), 1)])
    const { wanted, events: count } = await readAs(reader, [0, 1], 8)
    expect([...wanted.keys()].toSorted()).toEqual(['e-3', 'e-59'])
    expect(count).toBe(60)
  })

  it('are not read on while the registry does not answer', async () => {
    const away = readerOf(5).take([recordOf(Buffer.from('unavailable'), 0)])
    await expect(away).rejects.toMatchObject({ code: 'NS_SCHEMA_UNKNOWN' })
  })
})
