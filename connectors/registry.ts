import { setTimeout as sleep } from 'node:timers/promises'
import { COMPATIBILITY, SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { z } from 'zod'
import { type SectionValues, section, setting } from '../runtime/config.ts'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import { type AvroSchema, loadSchema, type SchemaName } from '../schemas/avro.ts'
import type { Alert, AlertState, Decision, EntityState, Event, Threat } from '../schemas/generated.ts'
import { incompatibility } from '../schemas/history.ts'
import { backwardLevel, isRaced, registryProblem } from './registry-level.ts'

/** Settings of the schema registry. */
export const registryConfig = section('registry', {
  url: setting(
    'SCHEMA_REGISTRY_URL',
    z.url().default('http://127.0.0.1:8081'),
    'Confluent API of the schema registry, path included (Apicurio: /apis/ccompat/v6).',
  ),
  user: setting('SCHEMA_REGISTRY_USER', z.string().optional(), 'User name for the registry.'),
  password: setting('SCHEMA_REGISTRY_PASSWORD', z.string().optional(), 'Password for the registry.', {
    secret: true,
  }),
})

/** The TypeScript type of each schema's records. */
interface SchemaTypes {
  readonly Event: Event
  readonly Threat: Threat
  readonly Alert: Alert
  readonly EntityState: EntityState
  readonly Decision: Decision
  readonly AlertState: AlertState
}

/** Turns values of one topic into the registry's framing (magic byte 0, schema id, Avro) and back. */
export interface Codec<T> {
  /** The schema id that is written into every record. */
  readonly schemaId: number
  /** Throws NS_INTERNAL when the value does not fit the schema: a defect of ours. */
  encode(value: T): Buffer
  /** Throws NS_UNDECODABLE (poison) for bytes that no schema of the registry explains, NS_SCHEMA_UNKNOWN (retriable). */
  decode(bytes: Buffer): Promise<T>
}

/** The part of the registry client's Avro type that the codec uses: synchronous, unlike the client's own calls. */
interface AvroType {
  schema(): unknown
  toBuffer(value: unknown): Buffer
  fromBuffer(bytes: Buffer, resolver?: unknown): unknown
  createResolver(writer: AvroType): unknown
  isValid(value: unknown, options: { errorHook: (path: string[], value: unknown) => void }): boolean
}

const HEADER_BYTES = 5

const REGISTER_RETRIES = 10
const REGISTER_PAUSE_MS = 100

/** Whether bytes carry the registry's framing. */
export const isFramed = (bytes: Buffer): boolean => bytes.length > HEADER_BYTES && bytes[0] === 0

/** Connects to the registry; nothing is sent before the first codec is asked for. */
export const createRegistry = (config: SectionValues<typeof registryConfig>) => {
  const client = new SchemaRegistry({
    host: config.url.replace(/\/$/, ''),
    retry: { retries: 5 },
    ...(config.user === undefined
      ? {}
      : { auth: { username: config.user, password: config.password ?? '' } }),
  })

  const register = async (name: SchemaName, topic: string): Promise<number> => {
    const subject = `${topic}-value`
    let compatibility: string = COMPATIBILITY.BACKWARD
    for (let retries = REGISTER_RETRIES; ; retries--) {
      try {
        const options = { subject, compatibility: compatibility as COMPATIBILITY }
        return (await client.register(loadSchema(name) as never, options)).id
      } catch (cause) {
        if (retries === 0 || !isRaced(cause)) throw await refusal(name, subject, cause)
      }
      compatibility = await backwardLevel(config, subject)
      await sleep(REGISTER_PAUSE_MS)
    }
  }

  /** Why the registry did not take a schema, in terms of fields where it is the schema's fault. */
  const refusal = async (name: SchemaName, subject: string, cause: unknown): Promise<SentinelError> => {
    const isSchema = (cause as { status?: number }).status === 409 || /incompatib/i.test(messageOf(cause))
    if (!isSchema) {
      const message = `the schema registry did not take ${name}: ${messageOf(cause)}`
      return new SentinelError('NS_SERVICE_UNREACHABLE', message, { cause })
    }
    const reason = (await conflictWithNewest(name, subject)) ?? messageOf(cause)
    return new SentinelError(
      'NS_SCHEMA_INCOMPATIBLE',
      `${name} cannot read what was written with the newest schema of ${subject}: ${reason}`,
      { cause },
    )
  }

  const conflictWithNewest = async (name: SchemaName, subject: string): Promise<string | undefined> => {
    try {
      const newest = await typeOf(await client.getLatestSchemaId(subject))
      return incompatibility(loadSchema(name), newest.schema() as AvroSchema)
    } catch {
      // The registry's own words are all there is then.
      return undefined
    }
  }

  const typeOf = async (id: number): Promise<AvroType> => {
    try {
      return (await client.getSchema(id)) as unknown as AvroType
    } catch (cause) {
      const status = (cause as { status?: number }).status
      if (status === 404) throw new SentinelError('NS_UNDECODABLE', `no schema has the id ${id}`, { cause })
      throw new SentinelError('NS_SCHEMA_UNKNOWN', `schema ${id} cannot be read: ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  return {
    /**
     * Registers the schema of a topic's values under `<topic>-value` with BACKWARD compatibility, and makes its codec.
     * Throws NS_SCHEMA_INCOMPATIBLE with the registry's reason, or NS_SERVICE_UNREACHABLE.
     */
    codec: async <N extends SchemaName>(name: N, topic: string): Promise<Codec<SchemaTypes[N]>> => {
      const schemaId = await register(name, topic)
      const reader = await typeOf(schemaId)
      const resolvers = new Map<number, unknown>()
      const header = Buffer.alloc(HEADER_BYTES)
      header.writeInt32BE(schemaId, 1)

      const resolverOf = async (id: number) => {
        if (!resolvers.has(id)) {
          const writer = await typeOf(id)
          try {
            resolvers.set(id, reader.createResolver(writer))
          } catch (cause) {
            throw new SentinelError(
              'NS_UNDECODABLE',
              `schema ${id} is not one that ${name} can be read from`,
              { cause },
            )
          }
        }
        return resolvers.get(id)
      }

      return {
        schemaId,
        encode: value => {
          try {
            return Buffer.concat([header, reader.toBuffer(value)])
          } catch (cause) {
            throw new SentinelError('NS_INTERNAL', `${name} does not fit its schema: ${messageOf(cause)}`, {
              cause,
            })
          }
        },
        decode: async bytes => {
          if (!isFramed(bytes))
            throw new SentinelError('NS_UNDECODABLE', 'the value is not framed by the registry')
          const id = bytes.readInt32BE(1)
          const body = bytes.subarray(HEADER_BYTES)
          const resolver = id === schemaId ? undefined : await resolverOf(id)
          try {
            return reader.fromBuffer(body, resolver) as SchemaTypes[N]
          } catch (cause) {
            throw new SentinelError(
              'NS_UNDECODABLE',
              `the value does not decode as ${name}: ${messageOf(cause)}`,
              { cause },
            )
          }
        },
      }
    },

    /** What keeps the registry from being used, in words; undefined when it answers. Never throws. */
    problem: (): Promise<string | undefined> => registryProblem(config),

    /** Decodes any value that the registry can explain, whatever its schema. Throws as {@link Codec.decode} does. */
    decodeAny: async (bytes: Buffer): Promise<unknown> => {
      if (!isFramed(bytes))
        throw new SentinelError('NS_UNDECODABLE', 'the value is not framed by the registry')
      const type = await typeOf(bytes.readInt32BE(1))
      try {
        return type.fromBuffer(bytes.subarray(HEADER_BYTES))
      } catch (cause) {
        throw new SentinelError(
          'NS_UNDECODABLE',
          `the value does not decode with its schema: ${messageOf(cause)}`,
          { cause },
        )
      }
    },
  }
}

/** The registry. */
export type Registry = ReturnType<typeof createRegistry>
