import avro, { type Schema } from 'avsc'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import { AvroReader } from '../schemas/avro-reader.ts'
import { AvroWriter } from '../schemas/avro-writer.ts'

/** Turns values of one topic, framed by the registry (magic byte 0, schema id, Avro), into what they stand for. */
export interface Decoder<T> {
  /** Throws NS_UNDECODABLE (poison) for bytes that no schema of the registry explains, NS_SCHEMA_UNKNOWN (retriable). */
  decode(bytes: Buffer): Promise<T>
  /**
   * The value at once, or undefined when `decode` has first to ask the registry for the schema that it was written with:
   * for loops in which a promise for each record would cost as much as the decoding. Throws NS_UNDECODABLE.
   */
  decodeKnown(bytes: Buffer): T | undefined
}

/** Turns values of one topic into the registry's framing and back. */
export interface Codec<T> extends Decoder<T> {
  /** The schema id that is written into every record. */
  readonly schemaId: number
  /** Throws NS_INTERNAL when the value does not fit the schema: a defect of ours. */
  encode(value: T): Buffer
  /** `encode` by a writer of the same schema, with a fraction of the library's own work. Throws NS_INTERNAL. */
  encoder(write: (value: T, to: AvroWriter) => void): (value: T) => Buffer
  /**
   * A decoder of some fields only; the others are skipped over, which is most of the work saved. Of values that were
   * written with the present schema `read`, if it is given, reads them, with a fraction of the library's own work.
   */
  select<F extends keyof T & string>(
    fields: readonly F[],
    read?: (from: AvroReader) => Pick<T, F>,
  ): Decoder<Pick<T, F>>
}

/** The part of the Avro library's type that codecs use. */
export interface AvroType {
  schema(): unknown
  encode(value: unknown, into: Buffer, at: number): number
  decode(bytes: Buffer, at: number, resolver?: unknown): { readonly value: unknown; readonly offset: number }
  createResolver(writer: AvroType): unknown
}

/** What a codec is made of. */
interface CodecDeps {
  /** Name of the schema, for messages. */
  readonly name: string
  readonly schemaId: number
  /** The type that is written and read. */
  readonly type: AvroType
  /** The type of any other id; throws NS_UNDECODABLE when there is none, NS_SCHEMA_UNKNOWN when that cannot be known. */
  readonly typeOf: (id: number) => Promise<AvroType>
}

const HEADER_BYTES = 5

/** Whether bytes carry the registry's framing. */
export const isFramed = (bytes: Buffer): boolean => bytes.length > HEADER_BYTES && bytes[0] === 0

/** The schema id of a framed value. Throws NS_UNDECODABLE for any other. */
export const schemaIdOf = (bytes: Buffer): number => {
  if (!isFramed(bytes)) throw new SentinelError('NS_UNDECODABLE', 'the value is not framed by the registry')
  return bytes.readInt32BE(1)
}

const undecodable = (as: string, why: unknown) =>
  new SentinelError('NS_UNDECODABLE', `the value does not decode ${as}: ${messageOf(why)}`, { cause: why })

/** Decodes a framed value whole. Throws NS_UNDECODABLE; `as` says what it was taken for. */
export const decodeFramed = (type: AvroType, bytes: Buffer, as: string, resolver?: unknown): unknown => {
  let why: unknown
  try {
    const { value, offset } = type.decode(bytes, HEADER_BYTES, resolver)
    if (offset === bytes.length) return value
    why = new Error(offset < 0 ? 'truncated buffer' : 'trailing data')
  } catch (error) {
    why = error
  }
  throw undecodable(as, why)
}

/** How values of one schema are decoded without resolving it. */
interface Straight<T> {
  readonly id: number
  readonly decode: (bytes: Buffer) => T
}

/** Reads values as `type`; for those of one schema there is a straighter way. */
const createDecoder = <T>({ name, type, typeOf }: CodecDeps, straight?: Straight<T>): Decoder<T> => {
  const resolvers = new Map<number, unknown>()
  const as = `as ${name}`
  const isKnown = (id: number) => id === straight?.id || resolvers.has(id)

  const meet = async (id: number): Promise<void> => {
    const writer = await typeOf(id)
    try {
      resolvers.set(id, type.createResolver(writer))
    } catch (cause) {
      throw new SentinelError('NS_UNDECODABLE', `schema ${id} is not one that ${name} can be read from`, {
        cause,
      })
    }
  }
  const decodeAs = (id: number, bytes: Buffer) =>
    id === straight?.id ? straight.decode(bytes) : (decodeFramed(type, bytes, as, resolvers.get(id)) as T)

  return {
    decode: async bytes => {
      const id = schemaIdOf(bytes)
      if (!isKnown(id)) await meet(id)
      return decodeAs(id, bytes)
    },
    decodeKnown: bytes => {
      const id = schemaIdOf(bytes)
      return isKnown(id) ? decodeAs(id, bytes) : undefined
    },
  }
}

/** Decodes framed values with a reader of ours. */
const readFramed = <T>(name: string, read: (from: AvroReader) => T): ((bytes: Buffer) => T) => {
  const reader = new AvroReader()
  return bytes => {
    try {
      reader.begin(bytes, HEADER_BYTES)
      const value = read(reader)
      reader.end()
      return value
    } catch (why) {
      throw undecodable(`as ${name}`, why)
    }
  }
}

interface RecordSchema {
  readonly fields: readonly { readonly name: string }[]
}

/** Of a record type, the one that has these fields only. */
const selected = (type: AvroType, names: readonly string[]): AvroType => {
  const schema = type.schema() as RecordSchema
  const fields = schema.fields.filter(({ name }) => names.includes(name))
  return avro.Type.forSchema({ ...schema, fields } as unknown as Schema) as unknown as AvroType
}

const SCRATCH_BYTES = 64 * 1024

/** Makes the codec of a topic's values. */
export const createCodec = <T>(deps: CodecDeps): Codec<T> => {
  const { name, schemaId, type } = deps
  let scratch = Buffer.alloc(0)

  /** Where the encoded value ends in the scratch buffer, which grows to what it has to hold. */
  const write = (value: unknown): number => {
    if (scratch.length === 0) scratch = Buffer.alloc(SCRATCH_BYTES)
    for (;;) {
      scratch.writeInt32BE(schemaId, 1)
      const end = type.encode(value, scratch, HEADER_BYTES)
      if (end >= 0) return end
      scratch = Buffer.alloc(scratch.length - end)
    }
  }

  const misfit = (cause: unknown) =>
    new SentinelError('NS_INTERNAL', `${name} does not fit its schema: ${messageOf(cause)}`, { cause })

  return {
    ...createDecoder<T>(deps, {
      id: schemaId,
      decode: bytes => decodeFramed(type, bytes, `as ${name}`) as T,
    }),
    schemaId,
    encode: value => {
      try {
        const end = write(value)
        return Buffer.from(scratch.subarray(0, end))
      } catch (cause) {
        throw misfit(cause)
      }
    },
    encoder: writeValue => {
      const writer = new AvroWriter()
      return value => {
        try {
          writer.begin(HEADER_BYTES)
          writeValue(value, writer)
          const framed = writer.end()
          framed[0] = 0
          framed.writeInt32BE(schemaId, 1)
          return framed
        } catch (cause) {
          throw misfit(cause)
        }
      }
    },
    select: (fields, read) =>
      createDecoder(
        { ...deps, type: selected(type, fields) },
        read && { id: schemaId, decode: readFramed(name, read) },
      ),
  }
}
