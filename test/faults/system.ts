import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { groupLag, withAdmin } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { prepareTopics } from '../../connectors/kafka/topics-command.ts'
import { createRegistry, registryConfig } from '../../connectors/registry.ts'
import { createRandom, type Random } from '../../models/trainers/random.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Threat } from '../../schemas/generated.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { startCli } from '../support/cli.ts'
import { kafkaOf } from '../support/counting.ts'
import { sensorLines } from '../support/sensor-lines.ts'
import { unique, until } from '../support/until.ts'
import { checkAll, type Report } from './check.ts'
import { type Member, startMember } from './member.ts'
import { createOracle } from './oracle.ts'
import { openTransactions } from './transactions.ts'

/** The stages in the order of the pipeline, by the command that runs each. */
export const STAGES = ['ingest', 'score', 'alert'] as const

/** A stage of the pipeline, by the command that runs it. */
export type StageName = (typeof STAGES)[number]

/** Where a system under fault runs. */
export interface SystemOptions {
  /** Broker that the processes use. */
  readonly brokers: string
  /** Broker as the test reaches it, past what comes between; the same when not given. */
  readonly direct?: string
  readonly schemaRegistryUrl: string
  /** Where all that is random comes from: the lines, and the moments of the faults. */
  readonly seed: number
  /** Records of one send; about what a fetch brings when not given, so that there are many batches. */
  readonly batch?: number
  /** Whether processes that end because a service is away are started again. */
  readonly revived?: boolean
  /** Settings of the processes over the ones here. */
  readonly env?: Readonly<Record<string, string>>
}

/** Topics and groups that nobody else uses, with processes on them to which faults happen. */
export interface System {
  readonly kafka: Kafka
  readonly random: Random
  readonly env: Readonly<Record<string, string>>
  /** Sends so many raw records, as sensors do. */
  feed(count: number): Promise<void>
  /** Sends these raw records. */
  send(values: readonly (Buffer | null)[]): Promise<void>
  /** Starts a process of a stage. */
  start(stage: StageName, env?: Readonly<Record<string, string>>): Member<StageName>
  /** How many members the consumer group of a stage has. */
  members(stage: StageName): Promise<number>
  /** Waits until a stage has committed some more, then for a moment: somewhere in its work, seldom between two batches. */
  somewhere(stage: StageName): Promise<void>
  /** Which partitions of a stage's input have a transaction open, by transactional id. */
  transactions(stage: StageName): Promise<string[]>
  /** The threats that are there. */
  threats(): Promise<readonly Threat[]>
  /** How many dead letters there are, by stage and code. */
  letters(): Promise<Readonly<Record<string, number>>>
  /** How many offsets a stage has yet to read. */
  lag(stage: StageName): Promise<number>
  /** Waits until a stage, or each of them, has read all there is. */
  drained(stage?: StageName): Promise<void>
  /** What there is, and what of it is not as an undisturbed run would have left it. */
  check(): Promise<Report>
  close(): Promise<void>
}

const BATCH = 40
/** Longest that a fault waits after the progress that it waited for, in ms; a batch takes some 20. */
const MOMENT_MS = 60

/**
 * Settings that make much happen in little time: small fetches, so many transactions; few entities in memory, so that
 * some are evicted; every event a threat, so that a wrong state shows in the next one, and every threat an alert, so that none is passed over unseen; a limit of a record that some are
 * over; sessions that end soon. Redis is nowhere: ingest and scoring must not care.
 */
const HARSH = {
  TOPIC_PARTITIONS: '4',
  REDIS_URL: 'redis://127.0.0.1:1',
  KAFKA_MAX_BYTES_PER_PARTITION: '16384',
  KAFKA_MAX_RECORD_BYTES: '20000',
  KAFKA_SESSION_TIMEOUT_MS: '2000',
  KAFKA_REQUEST_TIMEOUT_MS: '5000',
  SCORING_THRESHOLD: '0',
  SCORING_MAX_ENTITIES: '40',
  ALERTING_MAX_GROUPS: '40',
  ALERTING_MAX_ALERTS: '20',
  ALERTING_RULES_DIR: join(import.meta.dirname, 'rules'),
}

/** Of what checks a system afterwards, whatever its processes had. */
const AT_LEISURE = {
  KAFKA_MAX_BYTES_PER_PARTITION: undefined,
  KAFKA_SESSION_TIMEOUT_MS: '30000',
  KAFKA_TRANSACTION_TIMEOUT_MS: '120000',
}

/** Makes the topics of a system; nothing runs yet. */
export const createSystem = async (options: SystemOptions): Promise<System> => {
  const { brokers, direct = brokers, schemaRegistryUrl, seed, batch: most = BATCH, revived = false } = options
  const prefix = `${unique('faults')}.`
  const env = {
    ...HARSH,
    KAFKA_BROKERS: brokers,
    SCHEMA_REGISTRY_URL: schemaRegistryUrl,
    TOPIC_PREFIX: prefix,
    ...options.env,
  }
  // The test's own requests meet no faults; a broker that is busy with those of others may take long over them.
  const own = { ...env, KAFKA_BROKERS: direct, KAFKA_REQUEST_TIMEOUT_MS: undefined }
  const kafka = kafkaOf(own)
  const config = loadConfig({ kafka: kafkaConfig, topics: topicsConfig, registry: registryConfig }, own)
  const topics = topicCatalogue(config.topics)
  await prepareTopics({ config, log: silentLog(), apply: false })
  const random = createRandom(seed)
  const lines = sensorLines({ seed })
  const members: Member[] = []
  const inputs: Readonly<Record<StageName, { group: string; topic: string }>> = {
    ingest: { group: `${prefix}ingest`, topic: topics.rawEvents.name },
    score: { group: `${prefix}scoring`, topic: topics.events.name },
    alert: { group: `${prefix}alerting`, topic: topics.threats.name },
  }

  const assertWell = () => {
    const failures = members.flatMap(member => member.failure() ?? [])
    if (failures.length > 0) throw new Error(failures.join('\n'))
  }
  /** Waits for something that only living processes bring about. */
  const wait = async (predicate: () => Promise<boolean>, what: string) => {
    await until(async () => (members.some(member => member.failure() !== undefined) ? true : predicate()), {
      what,
      timeoutMs: 90_000,
    })
    assertWell()
  }
  const committed = (stage: StageName): Promise<number> =>
    withAdmin(kafka, 'test', async admin => {
      const { group, topic } = inputs[stage]
      const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      return (answer?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
    })
  /** Sends each list of raw records to one partition. */
  const send = async (batches: Iterable<readonly (Buffer | null)[]>) => {
    const producer = await createBatchProducer({ kafka })
    try {
      for (const batch of batches) {
        const partition = random.below(config.topics.partitions)
        await producer.send(
          topics.rawEvents.name,
          batch.map(value => ({ key: null, value, partition })),
        )
      }
    } finally {
      await producer.close()
    }
  }
  const lag = (stage: StageName) => groupLag(kafka, inputs[stage].group, inputs[stage].topic)

  const idle = async () => {
    for (const stage of STAGES) if ((await lag(stage)) > 0) return false
    return true
  }
  /** Runs a command on the system's topics that ends by itself; resolves with what it printed, and its exit code. */
  const run = async (...args: string[]) => {
    const cli = startCli(args, { ...own, ...AT_LEISURE })
    const { code } = await cli.exited
    return { code, text: `${cli.stdout()}${cli.stderr()}` }
  }
  /** The oracle: scoring the same events again gives the same threats. */
  const rescored = async (): Promise<string[]> => {
    const again = unique('again')
    const score = await run('score', '--into', again)
    if (score.code !== 0) return [`score --into ended with ${score.code}: ${score.text}`]
    const diff = await run('diff', 'threats', again)
    return diff.code === 0 ? [] : [`diff threats ${again} ended with ${diff.code}: ${diff.text}`]
  }

  return {
    kafka,
    random,
    env,
    feed: count =>
      send(
        (function* () {
          for (let sent = 0; sent < count; sent += most)
            yield Array.from({ length: Math.min(most, count - sent) }, () => lines.next())
        })(),
      ),
    send: values => send([values]),
    start: (stage, more = {}) => {
      const member = startMember(stage, { ...env, ...more }, { revived })
      members.push(member)
      return member
    },
    members: stage =>
      withAdmin(kafka, 'test', async admin => {
        const { groups } = await admin.describeGroups([inputs[stage].group])
        return groups[0]?.members.length ?? 0
      }),
    somewhere: async stage => {
      // Right after a broker's start, the coordinator of a group may yet have to be found.
      const [before] = await until(async () => [await committed(stage)] as const)
      await wait(async () => (await committed(stage)) > before || (await idle()), `${stage} at work`)
      await sleep(random.below(MOMENT_MS))
    },
    transactions: stage => openTransactions(direct, `${inputs[stage].group}-`),
    threats: async () => {
      const codec = await createRegistry(config.registry).codec('Threat', topics.threats.name)
      const found: Threat[] = []
      await readTopic({
        kafka,
        topic: topics.threats.name,
        onRecords: async records => {
          for (const { value } of records) found.push(await codec.decode(value ?? Buffer.alloc(0)))
        },
      })
      return found
    },
    letters: async () => {
      const counts: Record<string, number> = {}
      await readTopic({
        kafka,
        topic: topics.deadLetters.name,
        onRecords: records => {
          for (const { headers } of records) {
            const name = `${String(headers['ns-stage'])} ${String(headers['ns-code'])}`
            counts[name] = (counts[name] ?? 0) + 1
          }
        },
      })
      return counts
    },
    lag,
    drained: async only => {
      for (const stage of only === undefined ? STAGES : [only])
        await wait(async () => (await lag(stage)) === 0, `${stage} at the end of ${inputs[stage].topic}`)
    },
    check: async () => {
      const oracle = await createOracle(own)
      try {
        const report = await checkAll({ kafka, oracle })
        return { ...report, problems: [...report.problems, ...(await rescored())] }
      } finally {
        await oracle.close()
      }
    },
    close: async () => {
      await Promise.all(members.filter(member => member.runs()).map(member => member.kill()))
    },
  }
}
