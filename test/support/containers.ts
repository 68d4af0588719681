import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers'
import { parse } from 'yaml'
import { z } from 'zod'
import { onPort } from '../../runtime/embedded/ports.ts'
import type { AddressVariables } from './provision.ts'

/** Set for the tests of a run whose services are in containers. */
export const IN_CONTAINERS = 'NETSENTINEL_TEST_CONTAINERS'

const START_TIMEOUT_MS = 240_000
const PROBE_MS = 1_000

/** What is read of docker-compose.test.yml, so that both ways to have these services in containers are one. */
const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      environment: z.record(z.string(), z.coerce.string()).default({}),
      ports: z.tuple([z.string()]),
      healthcheck: z.object({ test: z.tuple([z.literal('CMD')], z.string()) }),
    }),
  ),
})

const COMPOSE = resolve(import.meta.dirname, '../../docker-compose.test.yml')

/** Whether a container engine answers on this machine. */
export const engineAnswers = async (): Promise<boolean> => {
  try {
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}

/** A container of a service of docker-compose.test.yml, reached at `address` (host:port), which outlives its restarts. */
export interface ServiceContainer {
  readonly address: string
  readonly environment: Readonly<Record<string, string>>
  /** Kills what runs in it with SIGKILL, and starts it again on its data. */
  crash(): Promise<void>
  close(): Promise<void>
}

/** A service advertises the port that it is published at: in its environment, the given one takes the place of the fixed. */
const start = async (name: string): Promise<ServiceContainer> => {
  const service = composeSchema.parse(parse(readFileSync(COMPOSE, 'utf8'))).services[name]
  if (service === undefined) throw new Error(`${COMPOSE} has no service ${name}`)
  const [ip, fixed, inner] = service.ports[0].split(':')
  const published = `${ip}:${fixed}`
  const engine = await getContainerRuntimeClient()
  const { host } = engine.info.containerRuntime
  return onPort(undefined, '', async port => {
    const address = `${host}:${port}`
    const environment = Object.fromEntries(
      Object.entries(service.environment).map(([key, text]) => [key, text.replace(published, address)]),
    )
    const container: StartedTestContainer = await new GenericContainer(service.image)
      .withEnvironment(environment)
      .withExposedPorts({ container: Number(inner), host: port })
      .withHealthCheck({ test: service.healthcheck.test, interval: PROBE_MS, timeout: 5_000, retries: 120 })
      .withWaitStrategy(Wait.forHealthCheck())
      .withStartupTimeout(START_TIMEOUT_MS)
      .start()
    return {
      address,
      environment,
      crash: async () => {
        const running = engine.container.getById(container.getId())
        await running.kill({ signal: 'SIGKILL' })
        await running.start()
      },
      close: async () => {
        await container.stop()
      },
    }
  })
}

/** Starts Kafka, the registry and Redis in containers of their own. Throws when one cannot be had, and leaves none. */
export const startServiceContainers = async (): Promise<{
  readonly addresses: AddressVariables
  close(): Promise<void>
}> => {
  const starting = [start('kafka'), start('registry'), start('redis')] as const
  const close = async () => {
    for (const outcome of await Promise.allSettled(starting)) {
      if (outcome.status === 'fulfilled') await outcome.value.close()
    }
  }
  try {
    const [kafka, registry, redis] = await Promise.all(starting)
    const addresses = {
      KAFKA_BROKERS: kafka.address,
      REDIS_URL: `redis://${redis.address}`,
      SCHEMA_REGISTRY_URL: `http://${registry.address}/apis/ccompat/v6`,
    }
    return { addresses, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Starts a Postgres in a container of its own. */
export const startPostgresContainer = (): Promise<ServiceContainer> => start('postgres')
