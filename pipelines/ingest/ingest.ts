import { isUtf8 } from 'node:buffer'
import { isFramed } from '../../connectors/avro-codec.ts'
import type { InputRecord, OutputRecord, PartitionTask, Stage } from '../../connectors/kafka/stage.ts'
import type { Normalise } from '../../connectors/sources/normalise.ts'
import { messageOf, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Event } from '../../schemas/generated.ts'

/** What ingest is made of. */
export interface IngestDeps {
  /** Consumer group, prefix included. */
  readonly group: string
  /** Full names of the topics. */
  readonly topics: { readonly rawEvents: string; readonly events: string; readonly deadLetters: string }
  readonly normalise: Normalise
  readonly encodeEvent: (event: Event) => Buffer
  /** Reads a value that a producer framed with the registry; throws NS_UNDECODABLE, NS_SCHEMA_UNKNOWN. */
  readonly decodeFramed: (bytes: Buffer) => Promise<unknown>
  /** Makes the dead letter of a record that cannot be taken. */
  readonly deadLetter: (record: InputRecord, error: SentinelError) => OutputRecord
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

const decodeText = (bytes: Buffer): string => {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new SentinelError('NS_NOT_JSON', 'the value is not UTF-8 text', { cause })
  }
}

/** Bytes in an Avro record are text if they can be, else base64. */
const readable = function (this: unknown, key: string, value: unknown): unknown {
  // Buffers have been turned into `{type, data}` by their toJSON before the replacer sees `value`.
  const bytes = (this as Record<string, unknown>)[key]
  if (!Buffer.isBuffer(bytes)) return value
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('base64')
}

/** The JSON text of a decoded Avro value: a record is written as JSON, a text or bytes are taken for JSON. */
const jsonOf = (decoded: unknown): string => {
  if (typeof decoded === 'string') return decoded
  if (Buffer.isBuffer(decoded)) return decodeText(decoded)
  try {
    return JSON.stringify(decoded, readable)
  } catch (cause) {
    throw new SentinelError('NS_UNDECODABLE', `the value cannot be written as JSON: ${messageOf(cause)}`, {
      cause,
    })
  }
}

const bytesOf = ({ value }: InputRecord): Buffer => {
  if (value === null) throw new SentinelError('NS_EMPTY', 'the value is null (a tombstone)')
  if (value.length === 0) throw new SentinelError('NS_EMPTY', 'the value is empty')
  return value
}

const createTask = (deps: IngestDeps): PartitionTask => {
  const { normalise, encodeEvent, topics } = deps
  const outputOf = (event: Event, cause: InputRecord): OutputRecord => ({
    topic: topics.events,
    key: event.entity,
    value: encodeEvent(event),
    timestamp: cause.timestamp,
    cause,
  })
  return {
    restore: () => Promise.resolve(),
    process: async records => {
      const outputs: OutputRecord[] = []
      for (const record of records) {
        try {
          const value = bytesOf(record)
          // A text cannot begin with the registry's magic byte, NUL. Only what is framed is worth waiting for.
          const text = isFramed(value) ? jsonOf(await deps.decodeFramed(value)) : decodeText(value)
          const { topic, partition, offset, timestamp } = record
          const events = normalise(text, { topic, partition, offset, timestamp })
          for (const event of events) outputs.push(outputOf(event, record))
        } catch (error) {
          const poison = toSentinelError(error)
          if (poison.outcome !== 'poison') throw poison
          outputs.push(deps.deadLetter(record, poison))
        }
      }
      return { outputs, changes: [], committed: () => undefined }
    },
  }
}

/**
 * The ingest stage: each raw record becomes one or more events in the normal form, keyed by entity, or a dead letter.
 * It has no state. Events keep the order and the timestamp of their raw records.
 */
export const createIngestStage = (deps: IngestDeps): Stage => ({
  name: 'ingest',
  group: deps.group,
  input: deps.topics.rawEvents,
  outputs: [deps.topics.events, deps.topics.deadLetters].map(topic => ({ topic, everywhere: true })),
  createTask: () => createTask(deps),
  tooLarge: deps.deadLetter,
})
