import { resolve } from 'node:path'
import { loadConfig } from '../../runtime/config.ts'
import { embeddedConfig } from '../../runtime/embedded/config.ts'
import { startEmbedded } from '../../runtime/embedded/embedded.ts'
import { messageOf } from '../../runtime/errors.ts'
import { createLog } from '../../runtime/log.ts'
import { engineAnswers, startServiceContainers } from './containers.ts'

/** The variables through which tests and the processes that they start find the services. */
export const ADDRESS_VARIABLES = ['KAFKA_BROKERS', 'REDIS_URL', 'SCHEMA_REGISTRY_URL'] as const

/** The addresses of the services that the tests use. */
export type AddressVariables = Readonly<Record<(typeof ADDRESS_VARIABLES)[number], string>>

/** Services that are there for the length of a test run. */
export interface Provided {
  readonly addresses: AddressVariables
  /** Whether they run in containers: then what a test starts for itself may as well. */
  readonly inContainers?: boolean
  close(): Promise<void>
}

/** One way to get services. */
interface Provider {
  readonly name: string
  /** Resolves to undefined where this way is not open, and the next one is tried. */
  provide(): Promise<Provided | undefined>
}

/** Services that run already, when the environment names all of them. */
const fromEnvironment: Provider = {
  name: 'the addresses in the environment',
  provide: async () => {
    const given = ADDRESS_VARIABLES.filter(name => process.env[name])
    if (given.length === 0) return undefined
    if (given.length < ADDRESS_VARIABLES.length) {
      throw new Error(`${given.join(', ')} set: set all of ${ADDRESS_VARIABLES.join(', ')}, or none`)
    }
    const { KAFKA_BROKERS = '', REDIS_URL = '', SCHEMA_REGISTRY_URL = '' } = process.env
    return { addresses: { KAFKA_BROKERS, REDIS_URL, SCHEMA_REGISTRY_URL }, close: async () => undefined }
  },
}

/** Services of this run alone, in containers, where an engine answers and has the images or gets them. */
const containers: Provider = {
  name: 'testcontainers',
  provide: async () => {
    if (!(await engineAnswers())) return undefined
    try {
      return { ...(await startServiceContainers()), inContainers: true }
    } catch (error) {
      console.log(`\nan engine answers, but the services do not start in it: ${messageOf(error)}`)
      return undefined
    }
  },
}

/** Services of this run alone: their data goes when it ends, their programs stay in the repository's DATA_DIR. */
const embedded: Provider = {
  name: 'embedded services',
  provide: async () => {
    const services = await startEmbedded({
      config: loadConfig({ embedded: embeddedConfig }).embedded,
      dataDir: resolve(import.meta.dirname, '../../.netsentinel'),
      log: createLog({ level: 'warn' }, 'test-services'),
      ephemeral: true,
    })
    return {
      addresses: {
        KAFKA_BROKERS: services.kafkaBrokers.join(','),
        REDIS_URL: services.redisUrl,
        SCHEMA_REGISTRY_URL: services.schemaRegistryUrl,
      },
      close: services.close,
    }
  },
}

/** Tried in this order. */
const PROVIDERS: readonly Provider[] = [fromEnvironment, containers, embedded]

/** Gets services in the first way that is open, and says which one it was. */
export const provideServices = async (): Promise<Provided> => {
  for (const { name, provide } of PROVIDERS) {
    const begun = performance.now()
    const provided = await provide()
    if (provided === undefined) continue
    const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL } = provided.addresses
    const ms = Math.round(performance.now() - begun)
    console.log(`\ntests use ${name} (${KAFKA_BROKERS}, ${SCHEMA_REGISTRY_URL}, ${REDIS_URL}; ${ms} ms)`)
    return provided
  }
  throw new Error('there is no way to get the services that the tests need')
}
