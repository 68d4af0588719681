import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { type FollowedTopic, followTopic } from '../../connectors/kafka/follow-topic.ts'
import { createTransactionalProducer } from '../../connectors/kafka/produce.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { NewRecord } from '../../connectors/kafka/records.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { assertBytes } from '../../models/manifest.ts'
import type { ModelKeys } from '../../models/registry/keys.ts'
import { createLedger, type HeldModel, type Ledger } from '../../models/registry/ledger.ts'
import { pointAt, stepBack } from '../../models/registry/pointers.ts'
import {
  chunksOf,
  encodeModel,
  encodePointer,
  keyOf,
  type ModelRecord,
  type Origin,
  type Pointer,
  placeOf,
  type Role,
  VERSION_FORM,
} from '../../models/registry/records.ts'
import { isSentinelError, SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'

/** What the registry is opened with. */
export interface ModelRegistryDeps {
  readonly kafka: Kafka
  /** Full name of the topic `models`. */
  readonly topic: string
  readonly keys: ModelKeys
  /** The model that serves while there is no champion; it is published before the first one, to go back to. */
  readonly shipped: TrainedModel
}

/** A model with all that the registry says of it. */
export interface PublishedModel extends TrainedModel {
  readonly record: ModelRecord
}

/** What the registry holds, read only. */
export type RegistryView = Pick<Ledger, 'models' | 'model' | 'pointer' | 'pointerProblem'>

/** The registry as it is followed: the view changes in place, after which `onChange` is called. */
export interface FollowedRegistry extends FollowedTopic {
  readonly view: RegistryView
}

/**
 * The models of an installation and which of them are in force: the topic `models`. Whatever is written is one
 * transaction, and two who write at once do it one after the other. All of it throws NS_TOPIC_MISSING and
 * NS_SERVICE_UNREACHABLE; what writes, NS_CONFIG_INVALID where nothing can be signed.
 */
export interface ModelRegistry {
  /** What it holds at the moment. */
  list(): Promise<RegistryView>
  /**
   * A model with its bytes; `view` is what is known already of what the registry holds. Throws NS_USAGE when there is none,
   * NS_MODEL_REFUSED when it cannot be believed.
   */
  read(version: string, view?: RegistryView): Promise<PublishedModel>
  /**
   * Adds a model, and drops those that are neither among the last 10 nor needed by a pointer. To publish the same model
   * again changes nothing. Throws NS_USAGE when another one has its version, NS_MODEL_REFUSED when its bytes are not the
   * manifest's.
   */
  publish(model: TrainedModel, origin: Origin): Promise<ModelRecord>
  /**
   * Moves a pointer to a version that can be believed, or to the model that ships, which is published then; a challenger
   * that becomes champion is challenger no more. Does nothing when it stands there. Throws NS_USAGE when there is no such version, NS_MODEL_REFUSED.
   */
  point(role: Role, version: string, reason: string): Promise<Pointer>
  /** Moves the champion back to the one before. Throws NS_USAGE when there is none, NS_MODEL_REFUSED. */
  rollback(reason: string): Promise<Pointer>
  /** Takes the challenger's pointer away. */
  withdraw(): Promise<void>
  /** Follows it; resolves when all that it holds is in the view. */
  follow(onChange: (view: RegistryView) => void, log: Log): Promise<FollowedRegistry>
}

/** Writers that met each other try again so many times, after a random wait of up to so many ms, doubled each time. */
const ATTEMPTS = 8
const WAIT_MS = 200

const record = (key: string, value: Buffer | null): NewRecord => ({ key, value, timestamp: Date.now() })

const held = (view: RegistryView, version: string): HeldModel & { readonly record: ModelRecord } => {
  const model = view.model(version)
  if (model === undefined) throw new SentinelError('NS_USAGE', `there is no model ${version} in the registry`)
  const { record: found, problem } = model
  if (found === undefined || problem !== undefined) {
    throw new SentinelError('NS_MODEL_REFUSED', `model ${version} is refused: ${problem}`)
  }
  return { ...model, record: found }
}

/** The records that add a model, its manifest last. */
const published = (model: TrainedModel, origin: Origin, keys: ModelKeys) => {
  const { manifest, onnx } = model
  if (!VERSION_FORM.test(manifest.version)) {
    throw new SentinelError(
      'NS_USAGE',
      `'${manifest.version}' cannot be a version: letters, digits, dot, dash, _`,
    )
  }
  assertBytes(manifest, onnx)
  const chunks = chunksOf(onnx)
  const entry: ModelRecord = {
    ...origin,
    manifest,
    size: onnx.length,
    chunks: chunks.length,
    published: Date.now(),
  }
  const records = [
    ...chunks.map((chunk, i) => record(keyOf.chunk(manifest.version, i), chunk)),
    record(keyOf.manifest(manifest.version), encodeModel(entry, keys)),
  ]
  return { entry, records }
}

const SHIPPED_ORIGIN: Origin = {
  parent: null,
  window: null,
  metrics: {},
  report: 'The model that ships with this version of NetSentinel.',
}

/** Opens the registry; nothing is connected until it is used. */
export const openModelRegistry = ({ kafka, topic, keys, shipped }: ModelRegistryDeps): ModelRegistry => {
  const readLedger = async (): Promise<Ledger> => {
    const ledger = createLedger(keys)
    await readTopic({ kafka, topic, onRecords: records => ledger.take(records) })
    return ledger
  }

  /**
   * Reads, decides and writes as the only writer: whoever comes later fences this one before it reads, so that of two who
   * decide at once the first fails, and decides again by what the second has written.
   */
  const change = async <T>(
    decide: (ledger: Ledger) => { readonly result: T; readonly records: readonly NewRecord[] },
  ): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      const producer = await createTransactionalProducer({
        kafka,
        transactionalId: `${topic}-writer`,
        topics: [topic],
      })
      try {
        const { result, records } = decide(await readLedger())
        if (records.length > 0) await producer.write(records.map(each => ({ ...each, topic })))
        return result
      } catch (error) {
        if (attempt === ATTEMPTS || !isSentinelError(error, 'NS_TRANSACTION_FAILED')) throw error
      } finally {
        await producer.close()
      }
      await sleep(Math.random() * WAIT_MS * 2 ** attempt)
    }
  }

  const pointerRecord = (pointer: Pointer): NewRecord =>
    record(keyOf.pointer(pointer.role), encodePointer(pointer, keys))

  const withoutChallenger = (ledger: Ledger, { role, version }: Pointer): NewRecord[] =>
    role === 'champion' && ledger.pointer('challenger')?.version === version
      ? [record(keyOf.pointer('challenger'), null)]
      : []

  return {
    list: readLedger,

    read: async (version, view) => {
      const { record: entry, chunks, offset } = held(view ?? (await readLedger()), version)
      const parts: Buffer[] = []
      const first = Math.min(...chunks.values())
      await readTopic({
        kafka,
        topic,
        from: new Map([[0, first]]),
        to: new Map([[0, offset]]),
        onRecords: records => {
          for (const { key, value, offset: at } of records) {
            const place = placeOf(String(key))
            if (place?.type !== 'chunk' || place.version !== version || value === null) continue
            if (chunks.get(place.index) === at) parts[place.index] = value
          }
        },
      })
      const onnx = new Uint8Array(Buffer.concat(parts))
      assertBytes(entry.manifest, onnx)
      return { manifest: entry.manifest, onnx, record: entry }
    },

    publish: (model, origin) =>
      change(ledger => {
        const { manifest } = model
        const there = ledger.model(manifest.version)
        if (there?.record?.manifest.sha256 === manifest.sha256 && there.problem === undefined) {
          return { result: there.record, records: [] }
        }
        if (there !== undefined) {
          const message = `another model has the version ${manifest.version}: a version names one model for good`
          throw new SentinelError('NS_USAGE', message)
        }
        const { entry, records } = published(model, origin, keys)
        return { result: entry, records: [...records, ...ledger.retired().map(key => record(key, null))] }
      }),

    point: (role, version, reason) =>
      change(ledger => {
        const current = ledger.pointer(role)
        if (current?.version === version) return { result: current, records: [] }
        const base = shipped.manifest
        if (version !== base.version || ledger.model(version) !== undefined) held(ledger, version)
        const first = role === 'champion' && current === undefined && version !== base.version
        const at = Date.now()
        const below = first
          ? pointAt(undefined, {
              role,
              version: base.version,
              reason: 'it ships',
              at,
              floor: base.sequence - 1,
            })
          : current
        const pointer = pointAt(below, { role, version, reason, at, floor: base.sequence })
        const needsShipped = first || version === base.version
        const addShipped = needsShipped && ledger.model(base.version) === undefined
        return {
          result: pointer,
          records: [
            ...(addShipped ? published(shipped, SHIPPED_ORIGIN, keys).records : []),
            pointerRecord(pointer),
            ...withoutChallenger(ledger, pointer),
          ],
        }
      }),

    rollback: reason =>
      change(ledger => {
        const current = ledger.pointer('champion')
        if (current === undefined) {
          throw new SentinelError('NS_USAGE', 'there is no champion: the model that ships is in force')
        }
        const pointer = stepBack(current, { at: Date.now(), reason })
        held(ledger, pointer.version)
        return { result: pointer, records: [pointerRecord(pointer), ...withoutChallenger(ledger, pointer)] }
      }),

    withdraw: () =>
      change(ledger => ({
        result: undefined,
        records:
          ledger.pointer('challenger') === undefined ? [] : [record(keyOf.pointer('challenger'), null)],
      })),

    follow: async (onChange, log) => {
      const view = createLedger(keys)
      const followed = await followTopic({
        kafka,
        topic,
        log,
        onRecords: records => {
          view.take(records)
          onChange(view)
        },
      })
      return { ...followed, view }
    },
  }
}
