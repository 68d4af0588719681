import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { oneModel } from '../../pipelines/scoring/models-at-work.ts'
import { createScoringStage, type ScoringDeps } from '../../pipelines/scoring/scoring.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Event, Threat } from '../../schemas/generated.ts'
import { makeEvent } from './events.ts'

/** Partition of every record here. */
export const PARTITION = 5

/** Values as JSON; one in two is of a schema that has to be asked for once, as in a topic that was written with two. */
export const json = <T>() => {
  let met = false
  return {
    encode: (value: T) => Buffer.from(JSON.stringify(value)),
    decode: async (bytes: Buffer): Promise<T> => {
      const text = bytes.toString('utf8')
      if (text === 'unavailable') throw new SentinelError('NS_SCHEMA_UNKNOWN', 'the registry does not answer')
      if (!text.startsWith('{')) throw new SentinelError('NS_UNDECODABLE', 'not what it should be')
      met = true
      return JSON.parse(text)
    },
    decodeKnown: (bytes: Buffer): T | undefined => {
      const text = bytes.toString('utf8')
      return text.startsWith('{') && (met || bytes.length % 2 === 0) ? JSON.parse(text) : undefined
    },
  }
}

/** A scoring stage in memory, every event being a threat. */
export const stageOf = (deps: Partial<ScoringDeps> = {}) =>
  createScoringStage({
    group: 'scoring',
    topics: {
      events: 'events',
      threats: 'threats',
      entityState: 'entity-state',
      deadLetters: 'dead-letters',
    },
    codecs: { event: json(), judged: json(), threat: json(), entityState: json() },
    models: oneModel(createMemoryDetector()),
    sinks: [],
    deadLetter: (record, error) => ({
      topic: 'dead-letters',
      key: record.key,
      value: record.value,
      headers: { code: error.code, offset: String(record.offset) },
      timestamp: record.timestamp,
    }),
    threshold: 0,
    maxEntities: 1000,
    ...deps,
  })

/** A task of it. */
export const taskOf = (deps: Partial<ScoringDeps> = {}) => stageOf(deps).createTask(PARTITION)

/** A record of `events`. */
export const recordOf = (value: Buffer | null, offset: number): InputRecord => ({
  topic: 'events',
  partition: PARTITION,
  offset,
  timestamp: 1_700_000_000_000 + offset,
  key: Buffer.from('k'),
  value,
  headers: {},
})

/** Events as records, one offset after another. */
export const recordsOf = (events: readonly Partial<Event>[]): InputRecord[] =>
  events.map((fields, i) =>
    recordOf(Buffer.from(JSON.stringify(makeEvent({ id: `raw-events-0-${i}`, ...fields }))), i),
  )

/** The threats among outputs. */
export const threatsOf = (outputs: readonly OutputRecord[]): Threat[] =>
  outputs
    .filter(each => each.topic === 'threats')
    .map(each => JSON.parse(String(each.value)) as unknown as Threat)
