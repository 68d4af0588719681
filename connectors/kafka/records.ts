import type { Batch, IHeaders, KafkaMessage, Message } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import type { Headers, InputRecord, OutputRecord } from './stage.ts'
import { withhold } from './withheld.ts'

/** Allowance for the framing of one record: lengths, offset and time deltas, and its share of the batch's head. */
const FRAMING_BYTES = 40
const HEADER_FRAMING_BYTES = 10

const NO_HEADERS: Headers = Object.freeze({})

/**
 * kafkajs looks a header up in a plain object, so one called `constructor` comes with a function beside its value; and
 * a null header, which it cannot write, is read as null. Only bytes are kept, null as none.
 */
const headerBytes = (value: unknown): Buffer[] => {
  if (Array.isArray(value)) return value.flatMap(headerBytes)
  if (Buffer.isBuffer(value)) return [value]
  if (typeof value === 'string') return [Buffer.from(value)]
  return value === null ? [Buffer.alloc(0)] : []
}

const toHeaders = (headers: IHeaders | undefined): Headers => {
  const names = headers === undefined ? [] : Object.keys(headers)
  if (headers === undefined || names.length === 0) return NO_HEADERS
  const entries = names.flatMap((name): [string, Buffer | Buffer[]][] => {
    const values = headerBytes(headers[name])
    const [only] = values
    return only === undefined ? [] : [[name, values.length === 1 ? only : values]]
  })
  return Object.fromEntries(entries)
}

/**
 * A record in the bytes of its fetch. Of a backlog thousands are in work at a time, and most of what is made of them before
 * it is asked for would only be copied and thrown away again by the garbage collector.
 */
class FetchedRecord implements InputRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly headers: Headers
  private readonly message: KafkaMessage

  constructor(topic: string, partition: number, message: KafkaMessage) {
    this.topic = topic
    this.partition = partition
    this.offset = Number(message.offset)
    this.timestamp = Number(message.timestamp)
    this.headers = toHeaders(message.headers)
    this.message = message
  }

  get key(): Buffer | null {
    return this.message.key
  }

  get value(): Buffer | null {
    return this.message.value
  }
}

/** What the patched decoder of fetches gives in place of a batch that a codec refuses to inflate. */
interface RefusedMessage {
  readonly refused: SentinelError
  readonly batchContext: { readonly firstOffset: string; readonly lastOffsetDelta: number }
}

const isRefused = (message: KafkaMessage): message is KafkaMessage & RefusedMessage => 'refused' in message

const toWithheld = (
  topic: string,
  partition: number,
  message: KafkaMessage & RefusedMessage,
): InputRecord => {
  const offset = Number(message.batchContext.firstOffset)
  const last = offset + message.batchContext.lastOffsetDelta
  const { code, message: why } = message.refused
  const error = new SentinelError(code, `${topic}-${partition}, offsets ${offset} to ${last}: ${why}`)
  return withhold({ topic, partition, offset, timestamp: Number(message.timestamp) }, error)
}

/**
 * The records of a fetched batch; markers and aborted ones are already gone. One that is `withheld` stands for a batch
 * that inflates beyond the limit.
 */
export const toStageRecords = ({ topic, partition, messages }: Batch): InputRecord[] =>
  messages.map(message =>
    isRefused(message) ? toWithheld(topic, partition, message) : new FetchedRecord(topic, partition, message),
  )

/** The same for who has no use for records without bytes. Throws NS_DECOMPRESSION_LIMIT in their place. */
export const toInputRecords = (batch: Batch): InputRecord[] => {
  const records = toStageRecords(batch)
  for (const { withheld } of records) {
    // kafkajs would take an error that does not say so for a transient one.
    if (withheld !== undefined) throw Object.assign(withheld, { retriable: false })
  }
  return records
}

/** The offset that was asked for when a batch was fetched; kafkajs has it, but its types do not say so. */
export const fetchedOffset = (batch: Batch): number =>
  'fetchedOffset' in batch ? Number(batch.fetchedOffset) : Number.NaN

const toKafkaHeaders = (headers: Headers): IHeaders =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' || Buffer.isBuffer(value) ? value : [...value],
    ]),
  )

/** A record that is written; without a timestamp the clock of this machine stamps it. */
export type NewRecord = Omit<OutputRecord, 'topic' | 'timestamp' | 'cause'> & { readonly timestamp?: number }

const toMessage = ({ key, value, partition, timestamp, headers }: NewRecord): Message => {
  const message: Message = { key, value }
  if (partition !== undefined) message.partition = partition
  if (timestamp !== undefined) message.timestamp = String(timestamp)
  if (headers !== undefined) message.headers = toKafkaHeaders(headers)
  return message
}

const lengthOf = (bytes: Buffer | string | null): number => (bytes === null ? 0 : Buffer.byteLength(bytes))

/** Bytes of a record's key, value and headers. */
export const contentBytes = ({ key, value, headers }: NewRecord): number => {
  let size = lengthOf(key) + lengthOf(value)
  if (headers === undefined) return size
  for (const [name, each] of Object.entries(headers)) {
    const values = typeof each === 'string' || Buffer.isBuffer(each) ? [each] : each
    for (const one of values) size += HEADER_FRAMING_BYTES + Buffer.byteLength(name) + lengthOf(one)
  }
  return size
}

/** The messages of one topic in one send. */
export interface TopicMessages {
  topic: string
  messages: Message[]
}

/**
 * Cuts records into sends of which each holds at most `limit` bytes of any one topic, in order. kafkajs makes one record
 * batch of all messages for a partition, and the broker refuses a batch over `max.message.bytes`. A record that is
 * larger than the limit by itself goes alone.
 */
export const planSends = (
  records: Iterable<NewRecord & { readonly topic: string }>,
  limit: number,
): TopicMessages[][] => {
  const sends: TopicMessages[][] = []
  let current = new Map<string, { bytes: number; messages: Message[] }>()
  const flush = () => {
    if (current.size > 0) sends.push([...current].map(([topic, { messages }]) => ({ topic, messages })))
    current = new Map()
  }
  for (const record of records) {
    const bytes = FRAMING_BYTES + contentBytes(record)
    const before = current.get(record.topic)
    if (before !== undefined && before.bytes + bytes > limit) flush()
    const open = current.get(record.topic) ?? { bytes: 0, messages: [] }
    current.set(record.topic, open)
    open.bytes += bytes
    open.messages.push(toMessage(record))
  }
  flush()
  return sends
}
