import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import kafkajs from 'kafkajs'
import { loadConfig } from '../../runtime/config.ts'
import { embeddedConfig } from '../../runtime/embedded/config.ts'
import { type EmbeddedServices, startEmbedded } from '../../runtime/embedded/embedded.ts'
import { type Addresses, isAlive } from '../../runtime/embedded/lock.ts'
import { runningServices } from '../../runtime/embedded/running.ts'
import { systemTools } from '../../runtime/embedded/tools.ts'
import { silentLog } from '../../runtime/log.ts'
import { until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const LIB = join(ROOT, '.netsentinel', 'lib')
const TOPIC = 'kept'
const SUBJECT = `${TOPIC}-value`
const SCHEMA = JSON.stringify({ type: 'record', name: 'Kept', fields: [{ name: 'id', type: 'string' }] })

const started: EmbeddedServices[] = []
const processes: ChildProcess[] = []

const start = async (
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  rest: Partial<Parameters<typeof startEmbedded>[0]> = {},
) => {
  const { embedded } = loadConfig({ embedded: embeddedConfig }, { EMBEDDED_LIB_DIR: LIB, ...env })
  const services = await startEmbedded({ config: embedded, dataDir, log: silentLog(), ...rest })
  started.push(services)
  return services
}

const childrenOn = (dataDir: string): { name: string; pid: number }[] =>
  (
    JSON.parse(readFileSync(join(dataDir, 'embedded.lock'), 'utf8')) as {
      children: { name: string; pid: number }[]
    }
  ).children

/** The leaders of the process groups that run on a data directory. */
const pidsOn = (dataDir: string): number[] => childrenOn(dataDir).map(({ pid }) => pid)

/** Whether any process of a group is left. */
const groupLives = (pid: number): boolean => {
  try {
    return process.kill(-pid, 0)
  } catch {
    // ESRCH: there is none.
    return false
  }
}

/** The supervisors of a closed service are killed a moment after their child has ended. */
const untilGone = (pids: readonly number[]) =>
  until(() => !pids.some(groupLives), { timeoutMs: 2_000, what: 'the end of every process' })

const withKafka = async <T>(brokers: string[], use: (kafka: kafkajs.Kafka) => Promise<T>): Promise<T> =>
  use(new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }))

const register = async (url: string, subject: string): Promise<number> => {
  const response = await fetch(`${url}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: SCHEMA }),
  })
  return ((await response.json()) as { id: number }).id
}

const schemaOf = async (url: string, id: number): Promise<string> =>
  ((await (await fetch(`${url}/schemas/ids/${id}`)).json()) as { schema: string }).schema

/** Writes something to each service that the next start must find; returns the schema's id. */
const leave = async ({ kafkaBrokers, schemaRegistryUrl }: Addresses): Promise<number> => {
  await withKafka(kafkaBrokers, async kafka => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true })
    await admin.disconnect()
    const producer = kafka.producer({
      transactionalId: 'kept',
      maxInFlightRequests: 1,
      idempotent: true,
      retry: { retries: 10 },
    })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: TOPIC, messages: [{ value: 'first' }] })
    await transaction.commit()
    await producer.disconnect()
  })
  // An id that is not the first, so that a registry that starts anew cannot give it out by chance.
  await fetch(`${schemaRegistryUrl}/subjects/other/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: '"string"' }),
  })
  return register(schemaRegistryUrl, SUBJECT)
}

/** The values of the topic, read by a new group with the shortest session that the project uses. */
const valuesIn = ({ kafkaBrokers }: Addresses, count: number): Promise<string[]> =>
  withKafka(kafkaBrokers, async kafka => {
    const values: string[] = []
    const consumer = kafka.consumer({ groupId: `reader-${Date.now()}`, sessionTimeout: 6_000 })
    await consumer.connect()
    await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.push(String(message.value))
      },
    })
    await until(() => values.length >= count, { what: `${count} records` })
    await consumer.disconnect()
    return values
  })

const refuses = (port: number, host: string) =>
  new Promise<boolean>(resolve => {
    const socket = connect({ port, host })
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })

/** Runs the services in another Node process, and resolves when they are up. */
const startElsewhere = async (dataDir: string): Promise<ChildProcess> => {
  const child = spawn(process.execPath, ['test/support/embedded-process.ts', dataDir, LIB], {
    cwd: ROOT,
    stdio: 'ignore',
  })
  processes.push(child)
  await until(() => runningServices(dataDir)['KAFKA_BROKERS'], { timeoutMs: 60_000, what: 'the services' })
  return child
}

afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  await Promise.all(started.map(services => services.close()))
})

describe('the embedded services', () => {
  it('keep records and schema ids over kill -9 and over a clean stop, on new ports', async () => {
    const dataDir = tempDir()
    const killed = await startElsewhere(dataDir)
    const env = runningServices(dataDir)
    const before = {
      kafkaBrokers: [env['KAFKA_BROKERS'] ?? ''],
      schemaRegistryUrl: env['SCHEMA_REGISTRY_URL'] ?? '',
      redisUrl: env['REDIS_URL'] ?? '',
    }
    const id = await leave(before)
    const pids = pidsOn(dataDir)
    await expect(start(dataDir)).rejects.toMatchObject({
      code: 'NS_EMBEDDED_LOCKED',
      message: expect.stringMatching(new RegExp(`^process ${killed.pid} uses ${dataDir}: stop it`)),
    })
    // The tool that formatted the storage has ended.
    expect(pids.filter(isAlive)).toHaveLength(3)
    killed.kill('SIGKILL')

    const second = await start(dataDir)
    await untilGone(pids)
    expect(second.kafkaBrokers).not.toEqual(before.kafkaBrokers)
    expect(await second.check()).toEqual([{ name: 'kafka' }, { name: 'registry' }, { name: 'redis' }])
    expect(await schemaOf(second.schemaRegistryUrl, id)).toBe(SCHEMA)
    expect(await valuesIn(second, 1)).toEqual(['first'])
    const redis = new Redis(second.redisUrl)
    await redis.set('kept', 'yes')
    redis.disconnect()
    const ports = [
      ...second.kafkaBrokers,
      new URL(second.schemaRegistryUrl).host,
      new URL(second.redisUrl).host,
    ].map(address => Number(address.split(':')[1]))
    expect(await Promise.all(ports.map(port => refuses(port, '127.0.0.1')))).toEqual([false, false, false])
    expect(await Promise.all(ports.map(port => refuses(port, '127.0.0.2')))).toEqual([true, true, true])
    const secondPids = pidsOn(dataDir)
    await second.close()
    await untilGone(secondPids)
    expect(existsSync(join(dataDir, 'embedded.lock'))).toBe(false)

    const third = await start(dataDir)
    expect(await register(third.schemaRegistryUrl, SUBJECT)).toBe(id)
    expect(await valuesIn(third, 1)).toEqual(['first'])
    const redisAgain = new Redis(third.redisUrl)
    expect(await redisAgain.get('kept')).toBe('yes')
    redisAgain.disconnect()
    await third.close()
  }, 180_000)

  it('leave nothing of an ephemeral run, and bring a Redis where the machine has none', async () => {
    const dataDir = tempDir()
    const tools = { ...systemTools(undefined), redisServer: '/nowhere/redis-server' }
    const services = await start(dataDir, {}, { ephemeral: true, tools })
    const redis = new Redis(services.redisUrl)
    expect(await redis.info('server')).toContain('redis_version:6.2')
    redis.disconnect()
    const [run = ''] = readdirSync(join(dataDir, 'ephemeral'))
    const pids = pidsOn(join(dataDir, 'ephemeral', run))
    await services.close()
    await services.close()
    await untilGone(pids)
    expect(readdirSync(join(dataDir, 'ephemeral'))).toEqual([])
  }, 120_000)

  it('say which of them ended by itself and where its log is, and keep what it had answered', async () => {
    const dataDir = tempDir()
    const services = await start(dataDir)
    const failed = expect(services.failed).rejects.toMatchObject({
      code: 'NS_EMBEDDED_CRASHED',
      message: `the schema registry ended with exit code 137: see ${dataDir}/logs/registry.log`,
    })
    const name = 'the schema registry'
    const registry = childrenOn(dataDir).find(child => child.name === name)?.pid ?? Number.NaN
    const id = await register(services.schemaRegistryUrl, SUBJECT)
    process.kill(-registry, 'SIGKILL')
    await failed
    expect((await services.check()).filter(({ problem }) => problem !== undefined)).toEqual([
      { name: 'registry', problem: expect.any(String) },
    ])
    await services.close()
    const again = await start(dataDir)
    expect(await schemaOf(again.schemaRegistryUrl, id)).toBe(SCHEMA)
    await again.close()
  }, 120_000)

  it('refuse a configured port that is taken, by the name of its variable', async () => {
    const dataDir = tempDir()
    const { port } = new URL((await start(tempDir(), {}, { ephemeral: true })).schemaRegistryUrl)
    await expect(start(dataDir, { EMBEDDED_KAFKA_PORT: port })).rejects.toMatchObject({
      code: 'NS_PORT_TAKEN',
      message: expect.stringMatching(new RegExp(`^port ${port} .*set EMBEDDED_KAFKA_PORT to another one`)),
    })
    expect(existsSync(join(dataDir, 'embedded.lock'))).toBe(false)
  }, 120_000)
})
