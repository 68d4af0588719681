import { setTimeout as sleep } from 'node:timers/promises'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { prepareTopics } from '../../connectors/kafka/topics-command.ts'
import { createRegistry, registryConfig } from '../../connectors/registry.ts'
import { createRandom } from '../../models/trainers/random.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { type FilterExpression, SEVERITIES } from '../../schemas/filter.ts'
import type { Severity } from '../../schemas/generated.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { kafkaOf } from '../support/counting.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { makeThreat } from '../support/threats.ts'
import { unique, until } from '../support/until.ts'
import { freePort } from './broker.ts'
import { startMember } from './member.ts'
import { type ReturningClient, startReturningClient } from './returning-client.ts'

const PASSWORD = 'correct horse battery staple'
const PARTITIONS = 4
/** How long a client waits until it comes back, in ms: from the first to so many more. */
const [PAUSE_MS, PAUSE_SPREAD_MS] = [20, 400]
const PATIENCE_MS = 120_000
const MOST_PROBLEMS = 20

/** What happens to gateways, Redis and clients. */
export const FAULTS = ['gateway', 'both gateways', 'redis', 'connections'] as const
export type Fault = (typeof FAULTS)[number]

interface GatewaysOptions {
  readonly brokers: string
  readonly schemaRegistryUrl: string
  readonly seed: number
  readonly clients: number
  /** Pause between two sends of threats, in ms; 0 when not given. */
  readonly paceMs?: number
  /** A directory of its own, for the store and for Redis. */
  readonly dataDir: string
}

/** Two gateways with a store and a Redis of their own, and clients that are connected to either. */
export interface Gateways {
  /** Publishes so many threats, a few at a time. */
  publish(count: number): Promise<void>
  /** Does something, publishes threats while it lasts, and lets what it took away come back. */
  disturb(fault: Fault, threats: number): Promise<void>
  /** A fault by chance. */
  anyFault(): Fault
  /** Waits until both gateways are ready: on a busy machine, a fault would find them starting still. */
  ready(): Promise<unknown>
  /** Waits until every client has all that it may see, and says what is not as it must be. */
  check(): Promise<readonly string[]>
  /** How often clients have come back, and messages that they were sent. */
  counts(): { readonly threats: number; readonly returns: number; readonly messages: number }
  close(): Promise<void>
}

/** Logs somebody in; resolves with an access token. */
export const logInAs = async (username: string, password: string, url: string): Promise<string> => {
  const login = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  })
  const { accessToken } = (await login.json()) as { accessToken: string }
  return accessToken
}

/** Starts gateways and clients; resolves when all clients are subscribed. */
export const startGateways = async (options: GatewaysOptions): Promise<Gateways> => {
  const random = createRandom(options.seed)
  const redis = await startRedisServer(options.dataDir)
  const shared = {
    KAFKA_BROKERS: options.brokers,
    SCHEMA_REGISTRY_URL: options.schemaRegistryUrl,
    TOPIC_PREFIX: `${unique('gateways')}.`,
    TOPIC_PARTITIONS: String(PARTITIONS),
  }
  const kafka = kafkaOf(shared)
  const config = loadConfig({ kafka: kafkaConfig, topics: topicsConfig, registry: registryConfig }, shared)
  const { threats: topic } = topicCatalogue(config.topics)
  await prepareTopics({ config, log: silentLog(), apply: false })
  const codec = await createRegistry(config.registry).codec('Threat', topic.name)
  const producer = await createBatchProducer({ kafka })

  const env = {
    ...shared,
    KAFKA_SESSION_TIMEOUT_MS: '2000',
    REDIS_URL: redis.url,
    DATA_DIR: options.dataDir,
    BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    ACCESS_TOKEN_TTL_S: '3600',
  }
  const ports = [await freePort(), await freePort()]
  const members = ports.map(port =>
    startMember('gateway', { ...env, GATEWAY_PORT: String(port) }, { revived: true }),
  )
  const urls = ports.map(port => `http://127.0.0.1:${port}`)
  const proxies = await Promise.all(urls.map(startTcpProxy))
  const pick = <T>(list: readonly T[]): T => {
    const one = list[random.below(list.length)]
    if (one === undefined) throw new Error('there is nothing to pick from')
    return one
  }

  const assertReady = async (url: string) => {
    const answer = await fetch(`${url}/ready`)
    if (!answer.ok) throw new Error(`${url} is not ready: ${await answer.text()}`)
  }
  const ready = () =>
    until(async () => (await Promise.all(urls.map(assertReady))).length > 0, {
      what: 'both gateways',
      timeoutMs: PATIENCE_MS,
    })
  await ready()
  const accessToken = await logInAs('admin', PASSWORD, urls[0] ?? '')
  const filterOf = (index: number): FilterExpression | undefined =>
    index % 2 === 0 ? undefined : { severity: 'high' }
  const clients: ReturningClient[] = Array.from({ length: options.clients }, (_, index) => {
    const filter = filterOf(index)
    return startReturningClient({
      choose: () => pick(proxies).url,
      accessToken,
      pauseMs: () => PAUSE_MS + random.below(PAUSE_SPREAD_MS),
      ...(filter === undefined ? {} : { filter }),
    })
  })
  const subscribed = () =>
    until(() => clients.every(client => client.isSubscribed()), {
      what: 'every client',
      timeoutMs: PATIENCE_MS,
    })
  await subscribed()

  let published = 0
  const publish = async (count: number) => {
    for (let sent = 0; sent < count; ) {
      const batch = Math.min(count - sent, 1 + random.below(5))
      const partition = random.below(PARTITIONS)
      const values = Array.from({ length: batch }, () =>
        codec.encode(makeThreat({ id: `threat-${published++}`, severity: pick(SEVERITIES) })),
      )
      await producer.send(
        topic.name,
        values.map(value => ({ key: null, value, partition })),
      )
      sent += batch
      if (options.paceMs !== undefined) await sleep(options.paceMs)
    }
  }

  const restart = async (indexes: readonly number[], during: () => Promise<void>) => {
    const victims = indexes.flatMap(index => members[index] ?? [])
    await Promise.all(victims.map(member => member.kill()))
    await during()
    for (const victim of victims) victim.start()
  }
  const disturbances: Readonly<Record<Fault, (during: () => Promise<void>) => Promise<void>>> = {
    gateway: during => restart([random.below(members.length)], during),
    'both gateways': during => restart([0, 1], during),
    redis: async during => {
      await redis.kill()
      await during()
      await redis.start()
    },
    connections: async during => {
      const share = random.next()
      for (const proxy of proxies) proxy.cut(() => random.next() < share)
      await during()
    },
  }

  /** The offsets that each client must have been sent, by partition. */
  const due = async () => {
    const all = new Map<number, { offset: number; severity: Severity }[]>()
    await readTopic({
      kafka,
      topic: topic.name,
      onRecords: async records => {
        for (const { partition, offset, value } of records) {
          const { severity } = await codec.decode(value ?? Buffer.alloc(0))
          all.set(partition, [...(all.get(partition) ?? []), { offset, severity }])
        }
      },
    })
    return (index: number) => {
      const isSeen = (severity: Severity) =>
        filterOf(index) === undefined || SEVERITIES.indexOf(severity) >= 2
      const entries = [...all].map(
        ([partition, records]) =>
          [partition, records.filter(each => isSeen(each.severity)).map(({ offset }) => offset)] as const,
      )
      return new Map(entries)
    }
  }
  const sizeOf = (offsets: ReadonlyMap<number, readonly number[]>) =>
    [...offsets.values()].reduce((sum, { length }) => sum + length, 0)

  return {
    publish,
    ready,
    anyFault: () => pick(FAULTS),
    disturb: async (fault, threats) => {
      await disturbances[fault](() => publish(threats))
    },
    check: async () => {
      await ready()
      const dueOf = await due()
      const isComplete = (client: ReturningClient, index: number) =>
        sizeOf(client.seen) >= sizeOf(dueOf(index)) || client.problems.length > 0
      const patient = { what: 'every threat at every client', timeoutMs: PATIENCE_MS }
      const late = await until(() => clients.every(isComplete), patient).then(
        () => [],
        (error: unknown) => [String(error)],
      )
      const wrong = clients.flatMap(({ seen, problems }, index) => [
        ...problems.map(problem => `client ${index} was told ${problem}`),
        ...[...dueOf(index)].flatMap(([partition, offsets]) => {
          const [had, wanted] = [JSON.stringify(seen.get(partition) ?? []), JSON.stringify(offsets)]
          return had === wanted
            ? []
            : [`client ${index}, partition ${partition}: ${had} in place of ${wanted}`]
        }),
      ])
      return [...late, ...members.flatMap(member => member.failure() ?? []), ...wrong].slice(0, MOST_PROBLEMS)
    },
    counts: () => ({
      threats: published,
      returns: clients.reduce((sum, client) => sum + client.returns(), 0),
      messages: clients.reduce((sum, { seen }) => sum + sizeOf(seen), 0),
    }),
    close: async () => {
      for (const client of clients) client.close()
      await Promise.all(members.filter(member => member.runs()).map(member => member.kill()))
      await Promise.all(proxies.map(proxy => proxy.close()))
      await producer.close()
      await redis.kill()
    },
  }
}
