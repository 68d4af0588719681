import { setTimeout as sleep } from 'node:timers/promises'
import { COMPATIBILITY, SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { z } from 'zod'
import { type SectionValues, section, setting } from '../runtime/config.ts'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import { type AvroSchema, loadSchema, type SchemaName } from '../schemas/avro.ts'
import type { Alert, AlertState, Decision, EntityState, Event, Threat } from '../schemas/generated.ts'
import { incompatibility } from '../schemas/history.ts'
import { type AvroType, type Codec, createCodec, decodeFramed, schemaIdOf } from './avro-codec.ts'
import { backwardLevel, isBroken, isRaced, registryProblem, statusOf } from './registry-level.ts'

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

const REGISTER_RETRIES = 10
const REGISTER_PAUSE_MS = 100

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
        if (retries === 0 || !(isRaced(cause) || isBroken(cause))) throw await refusal(name, subject, cause)
        if (isRaced(cause)) compatibility = await backwardLevel(config, subject)
      }
      await sleep(REGISTER_PAUSE_MS)
    }
  }

  /** Why the registry did not take a schema, in terms of fields where it is the schema's fault. */
  const refusal = async (name: SchemaName, subject: string, cause: unknown): Promise<SentinelError> => {
    const isSchema = statusOf(cause) === 409 || /incompatib/i.test(messageOf(cause))
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
      if (statusOf(cause) === 404)
        throw new SentinelError('NS_UNDECODABLE', `no schema has the id ${id}`, { cause })
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
      return createCodec({ name, schemaId, type: await typeOf(schemaId), typeOf })
    },

    /** What keeps the registry from being used, in words; undefined when it answers. Never throws. */
    problem: (): Promise<string | undefined> => registryProblem(config),

    /** Decodes any value that the registry can explain, whatever its schema. Throws as {@link Codec.decode} does. */
    decodeAny: async (bytes: Buffer): Promise<unknown> => {
      const type = await typeOf(schemaIdOf(bytes))
      return decodeFramed(type, bytes, 'with its schema')
    },
  }
}

/** The registry. */
export type Registry = ReturnType<typeof createRegistry>
