import { join } from 'node:path'
import kafkajs, { type Admin } from 'kafkajs'
import { topicOffsets, withAdmin } from '../../connectors/kafka/admin.ts'
import { createKafka, type Kafka, kafkaConfig } from '../../connectors/kafka/client.ts'
import { prepareTopics } from '../../connectors/kafka/topics-command.ts'
import { registryConfig } from '../../connectors/registry.ts'
import { loadConfig } from '../../runtime/config.ts'
import { embeddedConfig } from '../../runtime/embedded/config.ts'
import { startEmbedded } from '../../runtime/embedded/embedded.ts'
import { silentLog } from '../../runtime/log.ts'
import { type Topics, topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { descendant, ROOT } from './processes.ts'

const { KafkaJSProtocolError } = kafkajs

/** Services of the benchmark's own, on this machine. */
export interface Bed {
  readonly brokers: readonly string[]
  readonly brokerPid: number
  /** Makes a pipeline of its own: its topics, registered schemas, and the environment of its processes. */
  pipeline(options?: {
    readonly partitions?: number
    readonly env?: Readonly<Record<string, string>>
  }): Promise<Pipeline>
  /** Deletes its topics, so that the disk does not fill up. */
  drop(pipeline: Pipeline): Promise<void>
  close(): Promise<void>
}

/** One pipeline. */
export interface Pipeline {
  readonly prefix: string
  readonly topics: Topics
  readonly kafka: Kafka
  readonly registry: ReturnType<typeof loadRegistry>
  readonly env: Readonly<Record<string, string>>
}

const loadRegistry = (env: Readonly<Record<string, string>>) =>
  loadConfig({ registry: registryConfig }, env).registry

/** Starts a broker, a registry and a Redis that hold nothing yet and leave nothing behind. */
export const makeBed = async (): Promise<Bed> => {
  const services = await startEmbedded({
    config: loadConfig({ embedded: embeddedConfig }).embedded,
    dataDir: join(ROOT, '.netsentinel'),
    log: silentLog(),
    ephemeral: true,
    longRun: true,
  })
  let pipelines = 0
  return {
    brokers: services.kafkaBrokers,
    brokerPid: descendant('kafka.Kafka') ?? 0,
    pipeline: async ({ partitions = 8, env: extra = {} } = {}) => {
      const prefix = `bench${++pipelines}.`
      const env = {
        KAFKA_BROKERS: services.kafkaBrokers.join(','),
        SCHEMA_REGISTRY_URL: services.schemaRegistryUrl,
        REDIS_URL: services.redisUrl,
        TOPIC_PREFIX: prefix,
        TOPIC_PARTITIONS: String(partitions),
        SECRETS_KEY: 'a key for the benchmark only',
        ...extra,
      }
      const config = loadConfig({ kafka: kafkaConfig, topics: topicsConfig, registry: registryConfig }, env)
      await prepareTopics({ config, log: silentLog(), apply: false })
      return {
        prefix,
        topics: topicCatalogue(config.topics),
        kafka: createKafka({ config: config.kafka, log: silentLog() }),
        registry: config.registry,
        env,
      }
    },
    drop: ({ kafka, topics }) =>
      withAdmin(kafka, 'deleting topics', admin =>
        admin.deleteTopics({ topics: Object.values(topics).map(({ name }) => name) }),
      ),
    close: () => services.close(),
  }
}

/** Tells how much of a topic a group has committed, 0 to 1. */
export interface Progress {
  /** Offsets that there are. */
  readonly offsets: number
  read(): Promise<number>
  close(): Promise<void>
}

/** What a group has committed; nothing yet while its coordinator is only being made. */
const offsetsOf = async (admin: Admin, group: string, topic: string) => {
  try {
    return await admin.fetchOffsets({ groupId: group, topics: [topic] })
  } catch (error) {
    if (error instanceof KafkaJSProtocolError && error.retriable) return []
    throw error
  }
}

/** Follows a group through what a topic holds now, over one connection. */
export const followGroup = async (kafka: Kafka, group: string, topic: string): Promise<Progress> => {
  const ends = await topicOffsets(kafka, topic)
  const offsets = ends.reduce((sum, { low, high }) => sum + high - low, 0)
  const admin: Admin = kafka.admin()
  await admin.connect()
  return {
    offsets,
    read: async () => {
      const [found] = await offsetsOf(admin, group, topic)
      const done = (found?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
      return offsets === 0 ? 1 : done / offsets
    },
    close: () => admin.disconnect(),
  }
}
