import { z } from 'zod'
import { messageOf, SentinelError } from '../runtime/errors.ts'

/** Where the registry is; what `registryConfig` holds. */
interface RegistryAddress {
  readonly url: string
  readonly user?: string | undefined
  readonly password?: string | undefined
}

/** Levels under which the newest schema reads what the one before it wrote. */
const READS_OLDER = ['BACKWARD', 'BACKWARD_TRANSITIVE', 'FULL', 'FULL_TRANSITIVE']

/**
 * Whether registering failed because the subject has another level than was asked for, or because another process is
 * registering it at this moment: a subject is there before its level is. Trying again tells the two apart.
 */
export const isRaced = (cause: unknown): boolean =>
  typeof cause === 'object' &&
  cause !== null &&
  'name' in cause &&
  (cause.name === 'ConfluentSchemaRegistryCompatibilityError' || /already exists/.test(messageOf(cause)))

/**
 * Whether the registry failed by itself. Registering again is harmless, and helps where registrations on one database got
 * in each other's way: Apicurio waits for a lock in vain, or gives two the same id.
 */
export const isBroken = (cause: unknown): boolean => (statusOf(cause) ?? 0) >= 500

/** The HTTP status that the client library puts on its errors. */
export const statusOf = (cause: unknown): number | undefined =>
  (cause as { status?: number } | null | undefined)?.status

/**
 * Makes sure that a subject lets no schema in that cannot read older records, and returns its level: a level that
 * promises more than BACKWARD is kept, none at all becomes BACKWARD.
 *
 * Throws NS_SCHEMA_INCOMPATIBLE when somebody set a level that does not promise it, and NS_SERVICE_UNREACHABLE.
 */
export const backwardLevel = async (address: RegistryAddress, subject: string): Promise<string> => {
  const level = (await call(address, subject, { method: 'GET' })) ?? 'NONE'
  if (READS_OLDER.includes(level)) return level
  if (level !== 'NONE') {
    throw new SentinelError(
      'NS_SCHEMA_INCOMPATIBLE',
      `${subject} is set to ${level} in the registry: set it to BACKWARD or FULL`,
    )
  }
  await call(address, subject, { method: 'PUT', body: JSON.stringify({ compatibility: 'BACKWARD' }) })
  return 'BACKWARD'
}

// 404: the subject has no level of its own. 409: another process is setting it at this moment.
const NO_LEVEL = [404, 409]

const request = ({ url, user, password = '' }: RegistryAddress, path: string, options: RequestInit) => {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  return fetch(`${url.replace(/\/$/, '')}${path}`, {
    ...options,
    headers: {
      'content-type': 'application/vnd.schemaregistry.v1+json',
      ...(user === undefined ? {} : { authorization }),
    },
    signal: AbortSignal.timeout(10_000),
  })
}

/** What keeps the registry from being used, in words; undefined when it answers. Never throws. */
export const registryProblem = async (address: RegistryAddress): Promise<string | undefined> => {
  try {
    const { ok, status } = await request(address, '/subjects', { method: 'GET' })
    return ok ? undefined : `the schema registry answers ${status}`
  } catch (error) {
    return messageOf(error)
  }
}

/** Reads or sets the level of a subject, which the client library cannot do by itself. */
const call = async (address: RegistryAddress, subject: string, options: RequestInit) => {
  try {
    const response = await request(address, `/config/${encodeURIComponent(subject)}`, options)
    if (NO_LEVEL.includes(response.status)) return undefined
    if (!response.ok) throw new Error(`status ${response.status}`)
    const answer = z.object({ compatibilityLevel: z.string().optional() }).parse(await response.json())
    return answer.compatibilityLevel?.toUpperCase()
  } catch (cause) {
    throw new SentinelError(
      'NS_SERVICE_UNREACHABLE',
      `the schema registry does not give or take the level of ${subject}: ${messageOf(cause)}`,
      { cause },
    )
  }
}
