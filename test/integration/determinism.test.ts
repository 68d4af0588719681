import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { groupLag } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import type { InputRecord, Stage } from '../../connectors/kafka/stage.ts'
import { openProducer } from '../../connectors/kafka/transaction.ts'
import type { Detector, Observation } from '../../models/detector.ts'
import { EVENT_FIELDS } from '../../models/features/event-fields.ts'
import { readJudgedEvent } from '../../models/features/read-event.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { diffTopics, type Finding } from '../../pipelines/scoring/diff-topics.ts'
import { isModelKey } from '../../pipelines/scoring/model-in-force.ts'
import { type ModelsAtWork, oneModel } from '../../pipelines/scoring/models-at-work.ts'
import { rescore } from '../../pipelines/scoring/rescore.ts'
import { createScoringStage } from '../../pipelines/scoring/scoring.ts'
import { readSwitches, replaySwitches } from '../../pipelines/scoring/switches.ts'
import type { Event } from '../../schemas/generated.ts'
import { createChangelog } from '../support/changelog.ts'
import { makeEvent } from '../support/events.ts'
import { propertyRuns } from '../support/property-runs.ts'
import { API, type BrokerProxy, startProxy } from '../support/proxy.ts'
import { ARRIVED, makeScoringSystem, type ScoringSystem } from '../support/scoring.ts'
import { services, unique, until } from '../support/services.ts'
import { cleanUp, drained, makeTopic, type RunningStage, readAll, run, testKafka } from '../support/stages.ts'

const PARTITIONS = 3
const EVERYTHING = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

/** What happens to the members of the group, one thing after another. */
type Action =
  | { readonly kind: 'join' | 'leave' | 'freeze' }
  /** A later model comes into force. */
  | { readonly kind: 'promote' }
  /** Another producer takes the transactional id of a partition, whoever works on it. */
  | { readonly kind: 'fence'; readonly partition: number }
  /** The connection is cut in place of the broker's next answer to a member. */
  | { readonly kind: 'cut'; readonly answer: 'produce' | 'endTxn' | 'fetch' }

/** An action, with what goes on before it. */
interface Step {
  readonly action: Action
  /** Events that are produced. */
  readonly events: readonly Partial<Event>[]
  /** How many events may still be unread when the action comes; what happens then, happens in the middle of work. */
  readonly unread: number
}

const anyEvents = fc.array(
  fc.record({
    entity: fc.integer({ min: 1, max: 40 }).map(i => `ip:203.0.113.${i}`),
    // Now and then late, and rarely by more than a day.
    time: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: ARRIVED - 60_000, max: ARRIVED }) },
      { weight: 1, arbitrary: fc.integer({ min: ARRIVED - 2 * 86_400_000, max: ARRIVED }) },
    ),
    dstPort: fc.integer({ min: 0, max: 99 }),
    outcome: fc.constantFrom('success' as const, 'failure' as const),
  }),
  { minLength: 5, maxLength: 120, size: 'max' },
)

const action = (kinds: readonly ('join' | 'leave')[]): fc.Arbitrary<Action> =>
  fc.oneof(
    fc.constantFrom(...kinds).map(kind => ({ kind })),
    fc.constant({ kind: 'promote' as const }),
    fc.record({ kind: fc.constant('fence' as const), partition: fc.nat({ max: PARTITIONS - 1 }) }),
    fc.record({
      kind: fc.constant('cut' as const),
      answer: fc.constantFrom('produce' as const, 'endTxn' as const, 'fetch' as const),
    }),
  )

const step = (of: fc.Arbitrary<Action>): fc.Arbitrary<Step> =>
  fc.record({ action: of, events: anyEvents, unread: fc.integer({ min: 0, max: 100 }) })

/** Some actions, among them at most one member that is frozen beyond its session, since that takes as long. */
const anySteps: fc.Arbitrary<readonly Step[]> = fc
  .tuple(
    fc.array(step(action(['join', 'leave'])), { minLength: 2, maxLength: 5, size: 'max' }),
    fc.option(step(fc.constant({ kind: 'freeze' })), { freq: 2 }),
    fc.array(step(action(['join', 'leave'])), { minLength: 1, maxLength: 4, size: 'max' }),
  )
  .map(([before, freeze, after]) => [...before, ...(freeze === null ? [] : [freeze]), ...after])

/** Sizes that decide how events are cut into batches, and batches into sends. */
const anySizes = fc.record({
  KAFKA_MAX_BYTES_PER_PARTITION: fc.integer({ min: 1_024, max: 65_536 }).map(String),
  KAFKA_MAX_MESSAGE_BYTES: fc.integer({ min: 4_096, max: 65_536 }).map(String),
})

/** A member of the group, behind a proxy of its own. */
interface Member {
  readonly stage: RunningStage
  readonly proxy: BrokerProxy
}

/** The members of a group, and what can be done to them. */
const createGroup = (stage: Stage, promote: () => void, env: Readonly<Record<string, string>>) => {
  const kafka = testKafka()
  let members: Member[] = []
  const frozen: Member[] = []
  const failures: unknown[] = []

  const join = async () => {
    const proxy = await startProxy(services().kafkaBrokers[0] ?? '')
    cleanUp(() => proxy.close())
    const running = await run(testKafka({ ...env, KAFKA_SESSION_TIMEOUT_MS: '6000' }, proxy), stage)
    running.service.failed.catch((error: unknown) => failures.push(error))
    members.push({ stage: running, proxy })
  }
  const act = async (what: Action) => {
    if (what.kind === 'join') return join()
    if (what.kind === 'promote') return promote()
    if (what.kind === 'fence') {
      const usurper = await openProducer(kafka, `${stage.group}-${stage.input}-${what.partition}`, {
        topics: [],
      })
      return usurper.disconnect()
    }
    const [first, ...others] = members
    if (first === undefined) return
    if (what.kind === 'cut') return first.proxy.fault(API[what.answer], 'cut', 1)
    members = others
    if (what.kind === 'leave') return first.stage.service.close()
    frozen.push(first)
    first.proxy.freeze()
  }
  return {
    act,
    failures,
    size: () => members.length,
    /** Waits until no more than so many events are unread. */
    hasRead: (unread: number) =>
      until(async () => (await groupLag(kafka, stage.group, stage.input)) <= unread, {
        what: `${unread} unread events or fewer`,
        timeoutMs: 60_000,
      }),
    /** Wakes who was frozen, once another has taken over. */
    settle: async () => {
      if (members.length === 0) await join()
      await drained(stage.group, stage.input)
      for (const { proxy } of frozen) proxy.heal()
    },
    close: async () => {
      for (const { stage: running } of [...frozen, ...members]) await running.service.close()
    },
  }
}

/** Models that come into force one after another for all members; two that follow each other judge in different ways. */
const createModels = () => {
  const modelOf = (version: string): Detector => {
    const sequence = Number(version.slice(1))
    const byPort = { score: ({ event }: Observation) => (event.dstPort ?? 0) / 100 }
    return createMemoryDetector({ manifest: { version, sequence }, ...(sequence % 2 === 0 ? byPort : {}) })
  }
  let current = modelOf('m1')
  const models: ModelsAtWork = {
    use: (batch, work) => oneModel(current).use(batch, work),
    reach: inForce => oneModel(current).reach(inForce),
  }
  const promote = () => {
    current = modelOf(`m${current.manifest.sequence + 1}`)
  }
  return { models, modelOf, promote }
}

/** A scoring stage on topics of its own. */
const makeStage = async (
  { codecs }: ScoringSystem,
  kafka: Kafka,
  options: { readonly threshold: number; readonly maxEntities: number },
) => {
  const compact = { config: { 'cleanup.policy': 'compact' } }
  const topics = {
    events: await makeTopic(kafka, 'events', { partitions: PARTITIONS }),
    threats: await makeTopic(kafka, 'threats', { partitions: PARTITIONS }),
    entityState: await makeTopic(kafka, 'state', { partitions: PARTITIONS, ...compact }),
  }
  const letters = await makeTopic(kafka, 'letters')
  const { models, modelOf, promote } = createModels()
  const stageOf = (threats: string, judges: ModelsAtWork) =>
    createScoringStage({
      group: unique('scoring'),
      topics: { ...topics, threats, deadLetters: letters },
      codecs: { ...codecs, judged: codecs.event.select(EVENT_FIELDS, readJudgedEvent) },
      models: judges,
      sinks: [],
      deadLetter: ({ key, value, timestamp }) => ({ topic: letters, key, value, timestamp }),
      ...options,
    })
  return { topics, stage: stageOf(topics.threats, models), stageOf, modelOf, promote }
}

/** The entities of each partition that a task ends with which sees all of its events in one batch. */
const statesOf = async (stage: Stage, records: readonly InputRecord[]) => {
  const states = new Map<string, string>()
  for (const [partition, some] of Map.groupBy(records, record => record.partition)) {
    const changelog = createChangelog()
    changelog.append((await stage.createTask(partition).process(some)).changes)
    for (const [key, value] of changelog.state())
      if (!isModelKey(key)) states.set(`${partition} ${key}`, value.toString('hex'))
  }
  return states
}

const latest = (records: readonly InputRecord[]) => {
  const states = new Map<string, string>()
  for (const { partition, key, value } of records) {
    if (isModelKey(String(key))) continue
    if (value === null) states.delete(`${partition} ${key}`)
    else states.set(`${partition} ${key}`, value.toString('hex'))
  }
  return states
}

const sorted = (states: ReadonlyMap<string, string>) => [...states].toSorted(([a], [b]) => (a < b ? -1 : 1))

describe('threats', () => {
  it('are a function of the events and the switches of models, whatever happens to who scores them', async () => {
    const system = await makeScoringSystem()
    const { codecs } = system
    const kafka = testKafka()
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())

    const produce = async (topic: string, events: readonly Partial<Event>[], first: number) => {
      const records = events.map((fields, i) => {
        const event = makeEvent({ id: `raw-events-0-${first + i}`, ...fields })
        return { key: event.entity, value: codecs.event.encode(event), timestamp: ARRIVED + first + i }
      })
      // One record batch each, so that small fetches can cut them apart.
      for (let i = 0; i < records.length; i += 7) await producer.send(topic, records.slice(i, i + 7))
    }

    await fc.assert(
      fc.asyncProperty(
        anySteps,
        anySizes,
        anyEvents,
        fc.record({ maxEntities: fc.integer({ min: 2, max: 8 }), threshold: fc.constantFrom(0, 0.45) }),
        async (steps, sizes, last, options) => {
          const { topics, stage, stageOf, modelOf, promote } = await makeStage(system, kafka, options)
          const group = createGroup(stage, promote, sizes)
          await group.act({ kind: 'join' })
          let produced = 0
          const more = async (events: readonly Partial<Event>[]) => {
            await produce(topics.events, events, produced)
            produced += events.length
          }
          for (const { action: what, events, unread } of steps) {
            await more(events)
            if (group.size() > 0) await group.hasRead(unread)
            await group.act(what)
          }
          await group.settle()
          await more(last)
          await group.hasRead(0)
          await group.close()
          expect(group.failures).toEqual([])

          const into = { name: unique('again'), partitions: PARTITIONS, replicationFactor: 1, config: {} }
          const past = replaySwitches({
            switches: await readSwitches({ kafka, topic: topics.entityState, codec: codecs.entityState }),
            open: async version => modelOf(version),
            fallback: 'm1',
          })
          const done = await rescore({
            kafka,
            stage: stageOf(into.name, past),
            cut: past.cut,
            into: { ...into, key: '', writtenBy: '', readBy: '' },
            window: EVERYTHING,
            signal: new AbortController().signal,
            onProgress: () => undefined,
          })
          expect(done?.events).toBe(produced)
          const findings: Finding[] = []
          const summary = await diffTopics({
            kafka,
            codec: codecs.threat,
            topics: { a: topics.threats, b: into.name },
            window: EVERYTHING,
            ignore: new Set(),
            onFinding: finding => void findings.push(finding),
          })
          expect(findings).toEqual([])
          expect(summary.same).toBe(done?.threats)
          const expected = await statesOf(stage, await readAll(kafka, topics.events))
          expect(sorted(latest(await readAll(kafka, topics.entityState)))).toEqual(sorted(expected))
        },
      ),
      propertyRuns(3),
    )
  }, 3_600_000)
})
