import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin } from 'kafkajs'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Topic } from '../../schemas/topics.ts'
import type { Kafka } from './client.ts'
import { toKafkaError } from './errors.ts'

/** Runs something with an admin client that is closed afterwards. Throws SentinelErrors only. */
export const withAdmin = async <T>(
  kafka: Kafka,
  doing: string,
  run: (admin: Admin) => Promise<T>,
): Promise<T> => {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await run(admin)
  } catch (error) {
    throw toKafkaError(error, doing)
  } finally {
    await admin.disconnect()
  }
}

const existingTopics = async (admin: Admin): Promise<ReadonlySet<string>> => new Set(await admin.listTopics())

/** Throws NS_TOPIC_MISSING at once, where kafkajs would try for seconds. */
const requireTopics = async (admin: Admin, topics: readonly string[]): Promise<void> => {
  const existing = await existingTopics(admin)
  const absent = topics.filter(topic => !existing.has(topic))
  if (absent.length > 0) {
    throw new SentinelError('NS_TOPIC_MISSING', `topics are missing: ${absent.join(', ')}`)
  }
}

/** Those of these topics that are there. Throws SentinelErrors only. */
export const topicsThere = (kafka: Kafka, topics: readonly string[]): Promise<string[]> =>
  withAdmin(kafka, 'looking up topics', async admin => {
    const existing = await existingTopics(admin)
    return topics.filter(topic => existing.has(topic))
  })

/** The number of partitions of each topic, in the order given. Throws NS_TOPIC_MISSING naming those that are not there. */
export const partitionCount = (kafka: Kafka, topics: readonly string[]): Promise<[string, number][]> =>
  withAdmin(kafka, 'looking up topics', async admin => {
    await requireTopics(admin, topics)
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] })
    return topics.map(topic => [topic, found.find(each => each.name === topic)?.partitions.length ?? 0])
  })

/** A setting of a topic that is not what the catalogue says. */
export interface ConfigDifference {
  readonly topic: string
  readonly setting: string
  readonly wanted: string
  readonly actual: string
}

/** What {@link ensureTopics} found and did. */
export interface TopicsReport {
  readonly created: readonly string[]
  /** Settings that differ; they have been changed when that was asked for. */
  readonly differences: readonly ConfigDifference[]
}

/**
 * Creates the topics that are missing, and compares the others with the catalogue. Settings that differ are reported,
 * and changed only when `apply` says so. Throws NS_TOPIC_MISMATCH when a topic has another number of partitions: keys
 * would move to other partitions, away from their state.
 */
export const ensureTopics = (
  kafka: Kafka,
  catalogue: readonly Topic[],
  { apply = false }: { readonly apply?: boolean } = {},
): Promise<TopicsReport> =>
  withAdmin(kafka, 'creating topics', async admin => {
    const existing = await existingTopics(admin)
    const [there, missing] = [
      catalogue.filter(topic => existing.has(topic.name)),
      catalogue.filter(topic => !existing.has(topic.name)),
    ]
    await checkPartitions(admin, there)
    await createTopics(admin, missing)
    const differences = await compareConfigs(admin, there)
    if (apply) await applyConfigs(admin, there, differences)
    return { created: missing.map(topic => topic.name), differences }
  })

const checkPartitions = async (admin: Admin, topics: readonly Topic[]) => {
  if (topics.length === 0) return
  const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(topic => topic.name) })
  const problems = topics.flatMap(({ name, partitions }) => {
    const actual = found.find(each => each.name === name)?.partitions.length ?? 0
    return actual === partitions ? [] : [`${name} has ${actual} partitions, the catalogue says ${partitions}`]
  })
  if (problems.length > 0) throw new SentinelError('NS_TOPIC_MISMATCH', problems.join('; '))
}

const createTopics = async (admin: Admin, topics: readonly Topic[]) => {
  if (topics.length === 0) return
  await admin.createTopics({
    waitForLeaders: false,
    topics: topics.map(({ name, partitions, replicationFactor, config }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
    })),
  })
  await awaitLeaders(
    admin,
    topics.map(topic => topic.name),
  )
}

/** How often and in which steps, in ms, a new topic is looked for. */
const LEADER_ATTEMPTS = 100
const LEADER_PAUSE_MS = 100

/**
 * Waits until new topics have leaders, so that the next command does not meet one without. kafkajs' own wait gives up when
 * the broker that it asks has not heard of a topic yet.
 */
const awaitLeaders = async (admin: Admin, topics: readonly string[]) => {
  for (let attempt = 1; ; attempt++) {
    try {
      await admin.fetchTopicMetadata({ topics: [...topics] })
      // A leader can be named before it knows that it leads.
      for (const topic of topics) await admin.fetchTopicOffsets(topic)
      return
    } catch (error) {
      const { code } = toKafkaError(error, 'waiting for leaders')
      if (attempt === LEADER_ATTEMPTS || (code !== 'NS_TOPIC_MISSING' && code !== 'NS_SERVICE_UNREACHABLE'))
        throw error
      await sleep(LEADER_PAUSE_MS)
    }
  }
}

const describe = async (admin: Admin, topics: readonly Topic[]) => {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ name }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  })
  return resources
}

const compareConfigs = async (admin: Admin, topics: readonly Topic[]): Promise<ConfigDifference[]> => {
  if (topics.length === 0) return []
  const resources = await describe(admin, topics)
  return topics.flatMap(({ name, config }) => {
    const entries = resources.find(each => each.resourceName === name)?.configEntries ?? []
    return Object.entries(config).flatMap(([setting, wanted]) => {
      const actual = entries.find(each => each.configName === setting)?.configValue ?? 'unset'
      return actual === wanted ? [] : [{ topic: name, setting, wanted, actual }]
    })
  })
}

/** The broker's code for a setting that was made on the topic itself. */
const TOPIC_CONFIG_SOURCE = 1

/** AlterConfigs replaces all that was set on the topic, so what somebody else set is sent along. */
const applyConfigs = async (
  admin: Admin,
  topics: readonly Topic[],
  differences: readonly ConfigDifference[],
) => {
  const changed = topics.filter(topic => differences.some(each => each.topic === topic.name))
  if (changed.length === 0) return
  const resources = await describe(admin, changed)
  await admin.alterConfigs({
    validateOnly: false,
    resources: changed.map(({ name, config }) => {
      const own = (resources.find(each => each.resourceName === name)?.configEntries ?? [])
        .filter(entry => Number(entry.configSource) === TOPIC_CONFIG_SOURCE)
        .map((entry): [string, string] => [entry.configName, entry.configValue])
      const merged = { ...Object.fromEntries(own), ...config }
      return {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configEntries: Object.entries(merged).map(([key, value]) => ({ name: key, value })),
      }
    }),
  })
}

/** Offsets of a topic's partitions. */
export interface PartitionOffsets {
  readonly partition: number
  readonly low: number
  /** The high watermark: the offset after the last record that is there, committed or not. */
  readonly high: number
}

/** Where each partition of a topic begins and ends, by partition number. */
export const topicOffsets = (kafka: Kafka, topic: string): Promise<PartitionOffsets[]> =>
  withAdmin(kafka, `reading the offsets of ${topic}`, async admin => {
    await requireTopics(admin, [topic])
    return offsetsOf(admin, topic)
  })

const offsetsOf = async (admin: Admin, topic: string): Promise<PartitionOffsets[]> => {
  const offsets = await admin.fetchTopicOffsets(topic)
  return offsets
    .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
    .sort((a, b) => a.partition - b.partition)
}

/**
 * The first offset of each partition whose record is stamped `timestamp` (ms since 1970) or later; where there is none, the
 * end of the partition.
 */
export const offsetsFrom = (
  kafka: Kafka,
  topic: string,
  timestamp: number,
): Promise<ReadonlyMap<number, number>> =>
  withAdmin(kafka, `looking for a time in ${topic}`, async admin => {
    const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
    return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]))
  })

/** How many offsets of a topic a group has yet to read, all partitions together. */
export const groupLag = (kafka: Kafka, group: string, topic: string): Promise<number> =>
  withAdmin(kafka, `reading the lag of ${group}`, async admin => {
    const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    const ends = await offsetsOf(admin, topic)
    return ends.reduce((lag, { partition, low, high }) => {
      const offset = Number(committed?.partitions.find(each => each.partition === partition)?.offset ?? -1)
      return lag + high - (offset < 0 ? low : offset)
    }, 0)
  })

const CHECK_MS = 3_000

/** What keeps Kafka from being used, in words; undefined when it answers. Never throws. */
export const checkKafka = async (kafka: Kafka): Promise<string | undefined> => {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(
    () => late.resolve(`no answer from ${kafka.config.brokers.join(',')} within ${CHECK_MS} ms`),
    CHECK_MS,
  )
  try {
    const answer = withAdmin(kafka, 'reaching Kafka', async admin => {
      await admin.describeCluster()
      return undefined
    })
    return await Promise.race([answer.catch(messageOf), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
