import { z } from 'zod'
import type { Codec, Decoder } from '../../connectors/avro-codec.ts'
import type {
  BatchResult,
  InputRecord,
  OutputRecord,
  PartitionTask,
  Stage,
} from '../../connectors/kafka/stage.ts'
import type { Analysis, Detector, ModelManifest, Observation } from '../../models/detector.ts'
import type { JudgedEvent } from '../../models/features/event-fields.ts'
import { nextRecent } from '../../models/features/recent.ts'
import { advance } from '../../models/features/state.ts'
import { recentFormOf } from '../../models/foreign/form.ts'
import { int, section, setting } from '../../runtime/config.ts'
import { messageOf, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Behaviour, EntityState, Event, ModelInForce, Threat } from '../../schemas/generated.ts'
import { createEntityStates, type StatesView } from './entity-states.ts'
import { enforce, isModelKey, laterModel, modelKey, RESERVED_PREFIX } from './model-in-force.ts'
import type { ModelAtWork, ModelsAtWork } from './models-at-work.ts'
import type { Shadow } from './shadow.ts'

/** Settings of scoring. */
export const scoringConfig = section('scoring', {
  threshold: setting(
    'SCORING_THRESHOLD',
    z.coerce.number().min(0).max(1).optional(),
    "Score from which an event is a threat, 0 to 1; at 0 every event is one. The model's own when unset.",
  ),
  maxEntities: setting(
    'SCORING_MAX_ENTITIES',
    int(1).default(50_000),
    'Entities whose behaviour is kept in each partition; the least recently active one is forgotten first.',
  ),
})

/** A further form in which every threat is written, in the same transaction. */
export interface ThreatSink {
  /** Full name of its topic, which has as many partitions as `events`. */
  readonly topic: string
  encode(threat: Threat): Buffer
}

/** What scoring is made of. */
export interface ScoringDeps {
  /** Consumer group, prefix included. */
  readonly group: string
  /** Full names of the topics. */
  readonly topics: {
    readonly events: string
    readonly threats: string
    readonly entityState: string
    readonly deadLetters: string
  }
  readonly codecs: {
    /** The event whole, as a threat holds it. */
    readonly event: Pick<Decoder<Event>, 'decode'>
    /** As much of it as is judged: all that is read of the many events that are no threat. */
    readonly judged: Decoder<JudgedEvent>
    readonly threat: Pick<Codec<Threat>, 'encode'>
    readonly entityState: Pick<Codec<EntityState>, 'encode' | 'decode' | 'decodeKnown'>
  }
  readonly models: ModelsAtWork
  readonly sinks: readonly ThreatSink[]
  /** Makes the dead letter of a record that cannot be scored, or whose threat is larger than may be written. */
  readonly deadLetter: (record: InputRecord, error: SentinelError) => OutputRecord
  /** Sees what is scored; changes nothing. */
  readonly shadow?: Pick<Shadow, 'see'> | undefined
  /** Score from which an event is a threat; the model's own when undefined. */
  readonly threshold?: number | undefined
  /** Entities whose behaviour is kept in each partition. */
  readonly maxEntities: number
}

/** A record of the batch, and why it cannot be judged, if it cannot. */
interface Item {
  readonly record: InputRecord
  readonly poison?: SentinelError
}

/** A batch that is being judged. */
interface Judged {
  readonly items: readonly Item[]
  /** The analyses of the items without poison, in order, lot by lot. */
  readonly lots: readonly Promise<readonly Analysis[]>[]
}

/** Events that are given to the model at a time: it works on them while the next are read, and nothing keeps them. */
const LOT = 512

/** An event in work takes four times its bytes: the entity's state, the analysis, and what is written of both. */
const FETCH_SHARE = 0.5

const bytesOf = ({ value }: InputRecord): Buffer => {
  if (value === null) throw new SentinelError('NS_EMPTY', 'the record has no value')
  return value
}

const assertEntity = ({ entity }: JudgedEvent): void => {
  if (entity.startsWith(RESERVED_PREFIX))
    throw new SentinelError('NS_MALFORMED', `no entity begins with ${RESERVED_PREFIX}`)
}

/** An error that makes a dead letter of its record; any other is thrown. */
const poisonOf = (error: unknown): SentinelError => {
  const poison = toSentinelError(error)
  if (poison.outcome !== 'poison') throw poison
  return poison
}

const threatOf = (event: Event, analysis: Analysis, modelVersion: string, eventOffset: number): Threat => ({
  id: event.id,
  time: event.time,
  entity: event.entity,
  score: analysis.score,
  severity: analysis.severity,
  modelVersion,
  modelScores: analysis.modelScores,
  contributions: analysis.contributions,
  techniques: event.techniques,
  eventOffset,
  event,
})

const unreadable = (record: InputRecord, why: string, cause?: unknown) =>
  new SentinelError(
    'NS_STATE_UNREADABLE',
    `${record.topic}-${record.partition} cannot be read at offset ${record.offset}: ${why}`,
    { cause },
  )

/**
 * The behaviour in the bytes of a state that was encoded here, or decoded before when it was restored: they can be nothing
 * else, and an event must not become a dead letter because of them.
 */
const behaviourIn = (bytes: Buffer, codec: Pick<Decoder<EntityState>, 'decodeKnown'>): Behaviour => {
  try {
    const behaviour = codec.decodeKnown(bytes)?.behaviour
    if (behaviour) return behaviour
  } catch (cause) {
    throw new SentinelError('NS_INTERNAL', `a state in memory does not decode: ${messageOf(cause)}`, {
      cause,
    })
  }
  throw new SentinelError('NS_INTERNAL', 'a state in memory holds no behaviour')
}

const createTask = (deps: ScoringDeps): PartitionTask => {
  const { codecs, models, topics } = deps
  const entities = createEntityStates({
    limit: deps.maxEntities,
    encode: (id, behaviour) => codecs.entityState.encode({ id, behaviour, model: null }),
    decode: bytes => behaviourIn(bytes, codecs.entityState),
  })
  let inForce: ModelInForce | undefined
  /** The encoded states seen so far, for their mean size. */
  const encoded = { states: 0, bytes: 0 }
  const measure = (value: Buffer | null) => {
    if (value === null) return
    encoded.states++
    encoded.bytes += value.length
  }

  const readState = async (record: InputRecord, value: Buffer): Promise<EntityState> => {
    try {
      return codecs.entityState.decodeKnown(value) ?? (await codecs.entityState.decode(value))
    } catch (error) {
      // Transient trouble with the registry is tried again; bytes that are no state never will be one.
      if (toSentinelError(error).outcome === 'retriable') throw error
      throw unreadable(record, messageOf(error), error)
    }
  }

  const restoreOne = async (record: InputRecord) => {
    if (record.key === null) throw unreadable(record, 'it has no key')
    const key = record.key.toString('utf8')
    measure(record.value)
    const state = record.value === null ? null : await readState(record, record.value)
    if (isModelKey(key)) inForce = laterModel(inForce, state?.model ?? undefined)
    else if (state !== null && state.behaviour === null) throw unreadable(record, 'it holds no behaviour')
    else entities.restore(key, record.value)
  }

  /**
   * Reads the events of a batch in order, each with its entity's past, hands them to the model, and advances the states in
   * the view.
   */
  const judgeBatch = async (
    records: readonly InputRecord[],
    view: StatesView,
    detector: Detector,
  ): Promise<Judged> => {
    const recent = recentFormOf(detector.manifest.foreign)
    const items: Item[] = []
    const lots: Promise<readonly Analysis[]>[] = []
    let lot: Observation[] = []
    const hand = () => {
      const analyses = detector.analyze(lot)
      // Awaited when all lots are handed over; a rejection before that must not count as unhandled.
      analyses.catch(() => undefined)
      deps.shadow?.see(lot, analyses, detector)
      lots.push(analyses)
      lot = []
    }
    for (const record of records) {
      try {
        const value = bytesOf(record)
        const event = codecs.judged.decodeKnown(value) ?? (await codecs.judged.decode(value))
        assertEntity(event)
        const before = view.get(event.entity)
        const after = advance(before, event)
        view.set(
          event.entity,
          recent === undefined ? after : { ...after, recent: nextRecent(recent, before, event) },
        )
        lot.push({ event, before })
        items.push({ record })
      } catch (error) {
        items.push({ record, poison: poisonOf(error) })
      }
      if (lot.length === LOT) hand()
    }
    if (lot.length > 0) hand()
    return { items, lots }
  }

  /** The records that a threat is written as. */
  const encodeThreat = (record: InputRecord, threat: Threat): OutputRecord[] => {
    const { partition, timestamp } = record
    const output = (topic: string, value: Buffer): OutputRecord => ({
      topic,
      partition,
      key: threat.entity,
      value,
      timestamp,
      cause: record,
    })
    return [
      output(topics.threats, codecs.threat.encode(threat)),
      ...deps.sinks.map(sink => output(sink.topic, sink.encode(threat))),
    ]
  }

  const threatFrom = async (
    record: InputRecord,
    analysis: Analysis,
    version: string,
  ): Promise<OutputRecord[]> => {
    try {
      const event = await codecs.event.decode(bytesOf(record))
      return encodeThreat(record, threatOf(event, analysis, version, record.offset))
    } catch (error) {
      // What is not judged is skipped over when an event is read, so that only now it can turn out to be unreadable.
      return [deps.deadLetter(record, poisonOf(error))]
    }
  }

  /** What becomes of a batch: its threats and dead letters, in the order of their events. */
  const outputsOf = async ({ items, lots }: Judged, manifest: ModelManifest): Promise<OutputRecord[]> => {
    const threshold = deps.threshold ?? manifest.threshold
    const analyses = (await Promise.all(lots)).flat()
    const sound = items.filter(({ poison }) => poison === undefined).length
    if (analyses.length !== sound)
      throw new SentinelError(
        'NS_INTERNAL',
        `the detector gave ${analyses.length} analyses of ${sound} events`,
      )
    const outputs: OutputRecord[] = []
    let judged = 0
    for (const { record, poison } of items) {
      const analysis = poison === undefined ? analyses[judged++] : undefined
      if (poison !== undefined) outputs.push(deps.deadLetter(record, poison))
      else if (analysis !== undefined && analysis.score >= threshold)
        outputs.push(...(await threatFrom(record, analysis, manifest.version)))
    }
    return outputs
  }

  const processWith = async (
    records: readonly InputRecord[],
    since: number,
    { detector, sequence }: ModelAtWork,
  ): Promise<BatchResult> => {
    const taken = enforce(inForce, { version: detector.manifest.version, sequence }, since)
    const view = entities.view()
    const outputs = await outputsOf(await judgeBatch(records, view, detector), detector.manifest)
    const changes = view.changes()
    if (taken !== undefined) {
      const key = modelKey(taken)
      const value = codecs.entityState.encode({ id: key, behaviour: null, model: taken })
      changes.unshift({ key, value })
    }
    return {
      outputs,
      changes,
      committed: () => {
        view.commit(changes)
        inForce = taken ?? inForce
        for (const { value } of changes) measure(value)
      },
    }
  }

  return {
    restore: async records => {
      for (const record of records) await restoreOne(record)
      if (inForce !== undefined) await models.reach(inForce)
    },

    process: async records => {
      const [first] = records
      if (first === undefined) return { outputs: [], changes: [], committed: () => undefined }
      const { partition, offset } = first
      return models.use({ partition, offset }, model => processWith(records, offset, model))
    },

    size: () => {
      const entries = entities.count()
      const mean = encoded.states === 0 ? 0 : encoded.bytes / encoded.states
      return { entries, bytes: Math.round(entries * mean) }
    },
  }
}

/**
 * The scoring stage: each event of `events` is judged by the model and its entity's past, and becomes a threat when it
 * scores at or above the threshold. Threats of a partition are a function of its events and of where which model came into
 * force: the same whatever the batches and restarts. A threat goes to the partition number of its event, with the event
 * record's timestamp.
 *
 * Its tasks throw NS_MODEL_OLDER, NS_MODEL_REFUSED or NS_STATE_UNREADABLE when a partition's changelog forbids scoring.
 */
export const createScoringStage = (deps: ScoringDeps): Stage => ({
  name: 'scoring',
  group: deps.group,
  input: deps.topics.events,
  outputs: [
    { topic: deps.topics.threats },
    ...deps.sinks.map(({ topic }) => ({ topic })),
    { topic: deps.topics.deadLetters, everywhere: true },
  ],
  changelog: deps.topics.entityState,
  fetchShare: FETCH_SHARE,
  createTask: () => createTask(deps),
  tooLarge: deps.deadLetter,
})
