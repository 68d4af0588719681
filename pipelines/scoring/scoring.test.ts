import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { planBatch } from '../../connectors/kafka/plan.ts'
import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { EntityState, Event, Threat } from '../../schemas/generated.ts'
import { createChangelog } from '../../test/support/changelog.ts'
import { anyEvent } from '../../test/support/events.ts'
import {
  json,
  PARTITION,
  recordOf,
  recordsOf,
  stageOf,
  taskOf,
  threatsOf,
} from '../../test/support/scoring-stage.ts'
import { oneModel } from './models-at-work.ts'

describe('the scoring stage', () => {
  it('writes an event that scores at or above the threshold as a threat, beside its event', async () => {
    const detector = createMemoryDetector({ score: ({ event }) => (event.dstPort ?? 0) / 100 })
    const task = taskOf({ models: oneModel(detector), threshold: undefined })
    const { outputs } = await task.process(recordsOf([{ dstPort: 49 }, { dstPort: 50 }, { dstPort: 75 }]))
    expect(outputs.map(({ value: _, cause: __, ...rest }) => rest)).toEqual([
      { topic: 'threats', partition: PARTITION, key: 'ip:203.0.113.9', timestamp: 1_700_000_000_001 },
      { topic: 'threats', partition: PARTITION, key: 'ip:203.0.113.9', timestamp: 1_700_000_000_002 },
    ])
    expect(threatsOf(outputs)).toMatchObject([
      { id: 'raw-events-0-1', score: 0.5, severity: 'low', eventOffset: 1 },
      {
        id: 'raw-events-0-2',
        score: 0.75,
        severity: 'high',
        modelVersion: 'memory-1',
        techniques: ['T1110'],
        event: { dstPort: 75 },
      },
    ])
  })

  it('makes every event a threat when the threshold is 0, and writes each to every sink', async () => {
    const detector = createMemoryDetector({ score: () => 0 })
    const sink = { topic: 'threats.ocsf', encode: (threat: Threat) => Buffer.from(`ocsf ${threat.id}`) }
    const { outputs } = await taskOf({ models: oneModel(detector), sinks: [sink] }).process(
      recordsOf([{}, {}]),
    )
    expect(threatsOf(outputs)).toHaveLength(2)
    const others = outputs.filter(each => each.topic === 'threats.ocsf')
    expect(others.map(each => [String(each.value), each.partition, each.timestamp])).toEqual([
      ['ocsf raw-events-0-0', PARTITION, 1_700_000_000_000],
      ['ocsf raw-events-0-1', PARTITION, 1_700_000_000_001],
    ])
  })

  it('judges an event by what its entity did before it, not by the event itself', async () => {
    const pasts: (number | undefined)[] = []
    const detector = createMemoryDetector({
      score: ({ before }) => {
        pasts.push(before?.events)
        return 0
      },
    })
    const task = taskOf({ models: oneModel(detector) })
    await task.process(recordsOf([{}, {}, { entity: 'user:eve' }]))
    expect(pasts).toEqual([undefined, 1, undefined])
  })

  it('sends what cannot be scored to the dead letters, in order, and goes on', async () => {
    const [first, last] = recordsOf([{}, {}])
    const reserved = recordsOf([{ entity: 'partition:model' }])
    const task = taskOf()
    const { outputs } = await task.process([
      first ?? recordOf(null, 0),
      recordOf(Buffer.from('junk'), 7),
      recordOf(null, 8),
      { ...(reserved[0] ?? recordOf(null, 0)), offset: 9 },
      last ?? recordOf(null, 0),
    ])
    expect(outputs.map(each => each.headers ?? each.topic)).toEqual([
      'threats',
      { code: 'NS_UNDECODABLE', offset: '7' },
      { code: 'NS_EMPTY', offset: '8' },
      { code: 'NS_MALFORMED', offset: '9' },
      'threats',
    ])
  })

  it('buries an event whose threat the broker would not take, and still learns from it', async () => {
    const sink = {
      topic: 'threats.ocsf',
      encode: (threat: Threat) => Buffer.alloc(threat.event.original.length * 2),
    }
    const stage = stageOf({ sinks: [sink] })
    const result = await stage.createTask(PARTITION).process(recordsOf([{ original: 'x'.repeat(2_600) }, {}]))
    const plan = planBatch(result, stage, PARTITION, 5_000)
    expect(plan.map(each => each.headers?.['code'] ?? each.topic)).toEqual([
      'NS_TOO_LARGE',
      'threats',
      'threats.ocsf',
      'entity-state',
      'entity-state',
    ])
    const state = result.changes.find(each => each.key === 'ip:203.0.113.9')
    expect(JSON.parse(String(state?.value)).behaviour.events).toBe(2)
  })

  it('does not bury what another try may read', async () => {
    const records = [recordOf(Buffer.from('unavailable'), 0)]
    await expect(taskOf().process(records)).rejects.toMatchObject({ code: 'NS_SCHEMA_UNKNOWN' })
  })

  it('does not see its own changes before they are committed', async () => {
    const task = taskOf()
    const records = recordsOf([{}, { time: 1_700_000_001_000 }])
    const [one, two] = [await task.process(records), await task.process(records)]
    expect(two.outputs).toEqual(one.outputs)
    expect(two.changes).toEqual(one.changes)
    two.committed()
    expect((await task.process(records)).outputs).not.toEqual(one.outputs)
  })

  it('lets a wrong clock harm nobody but its own entity', async () => {
    const good = Array.from({ length: 20 }, (_, i) => ({ id: `e${i}`, time: 1_700_000_000_000 + i * 1000 }))
    const wild = { entity: 'ip:198.51.100.66', time: Number.MAX_SAFE_INTEGER }
    const scores = async (events: readonly Partial<Event>[]) =>
      threatsOf((await taskOf().process(recordsOf(events))).outputs)
        .filter(each => each.entity !== wild.entity)
        .map(each => each.score)
    expect(await scores(good.flatMap(each => [wild, each]))).toEqual(await scores(good))
  })
})

/** One batch, and what happens around it. */
interface Step {
  readonly size: number
  /** The batch is worked out, its transaction fails, and a new owner takes over. */
  readonly lost: boolean
  /** A new owner takes over before it. */
  readonly restart: boolean
  /** The broker compacts the changelog before it. */
  readonly compact: boolean
}

describe('the changelog of scoring', () => {
  it.each([
    ['undecodable', { value: Buffer.from('junk') }],
    ['without a key', { key: null }],
    ['without a behaviour', { value: Buffer.from('{"id":"x","behaviour":null,"model":null}') }],
  ])('is fatal when a record is %s, and says where', async (_, change) => {
    const record = { ...recordOf(Buffer.from('{}'), 12), topic: 'entity-state', ...change }
    await expect(taskOf().restore([record])).rejects.toMatchObject({
      code: 'NS_STATE_UNREADABLE',
      outcome: 'fatal',
      message: expect.stringContaining('entity-state-5 cannot be read at offset 12'),
    })
  })

  it('may be tried again when the registry is away', async () => {
    await expect(taskOf().restore([recordOf(Buffer.from('unavailable'), 0)])).rejects.toMatchObject({
      outcome: 'retriable',
    })
  })

  it('ends at a state in memory that does not decode, and makes no dead letter of the event', async () => {
    const decodeKnown = () => {
      throw new SentinelError('NS_UNDECODABLE', 'not what it should be')
    }
    const entityState = { ...json<EntityState>(), decodeKnown }
    const codecs = { event: json<Event>(), judged: json<Event>(), threat: json<Threat>(), entityState }
    const task = taskOf({ codecs })
    const entities = Array.from({ length: 600 }, (_, i) => ({ entity: `ip:${i}` }))
    const { committed } = await task.process(recordsOf(entities))
    committed()
    await expect(task.process(recordsOf([{ entity: 'ip:0' }]))).rejects.toMatchObject({ code: 'NS_INTERNAL' })
  })

  it('forgets the least recently active entity above the bound', async () => {
    const seen: string[] = []
    const detector = createMemoryDetector({
      score: ({ event, before }) => {
        seen.push(`${event.entity} ${before === null ? 'new' : 'known'}`)
        return 0
      },
    })
    const task = taskOf({ models: oneModel(detector), maxEntities: 2 })
    const walk = async (...entities: string[]) => {
      const { changes, committed } = await task.process(recordsOf(entities.map(entity => ({ entity }))))
      committed()
      return changes
        .filter(each => !each.key.startsWith('partition:'))
        .map(each => [each.key, each.value !== null])
    }
    await walk('a', 'b', 'a')
    expect(await walk('c')).toEqual([
      ['b', false],
      ['c', true],
    ])
    expect(await walk('a', 'b', 'c', 'b')).toEqual([
      ['a', false],
      ['c', true],
      ['b', true],
    ])
    await walk('c')
    await walk('a', 'b')
    expect(seen).toEqual(
      [
        ['a new', 'b new', 'a known'],
        ['c new'],
        ['a known', 'b new', 'c new', 'b known'],
        ['c known'],
        ['a new', 'b new'],
      ].flat(),
    )
  })

  it('makes threats and states a function of the events: any batches, restarts and lost batches', async () => {
    const seldom = () => fc.integer({ min: 0, max: 5 }).map(drawn => drawn === 5)
    const step: fc.Arbitrary<Step> = fc.record({
      size: fc.integer({ min: 1, max: 6 }),
      lost: seldom(),
      restart: seldom(),
      compact: seldom(),
    })
    const event = fc.oneof(
      anyEvent(),
      fc.record({
        entity: fc.constantFrom('ip:203.0.113.1', 'ip:203.0.113.2', 'user:eve', 'host:h', 'sensor:s'),
        time: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_600_000 }),
        dstPort: fc.integer({ min: 0, max: 9 }),
      }),
    )
    const run = async (records: readonly InputRecord[], steps: readonly Step[], max: number) => {
      const changelog = createChangelog('entity-state', PARTITION)
      const threats: OutputRecord[] = []
      const owner = async () => {
        const task = taskOf({ maxEntities: max })
        await task.restore(changelog.records())
        return task
      }
      let task = await owner()
      let at = 0
      for (let i = 0; at < records.length; i++) {
        const { size, lost, restart, compact } = steps[i % steps.length] ?? whole
        const batch = records.slice(at, at + size)
        if (compact) changelog.compact()
        if (lost) await task.process(batch)
        if (lost || restart) task = await owner()
        const result = await task.process(batch)
        threats.push(...result.outputs)
        changelog.append(result.changes)
        result.committed()
        at += size
      }
      return { threats, state: changelog.state().filter(([key]) => !key.startsWith('partition:')) }
    }
    const whole = { size: 1000, lost: false, restart: false, compact: false }

    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 1, maxLength: 40 }),
        fc.array(step, { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 1, max: 6 }),
        async (events, steps, max) => {
          const records = recordsOf(events.map((fields, i) => ({ ...fields, id: `e${i}` })))
          const expected = await run(records, [whole], max)
          const actual = await run(records, steps, max)
          expect(actual.threats).toEqual(expected.threats)
          expect(actual.state).toEqual(expected.state)
        },
      ),
      { numRuns: 100 },
    )
  })
})
