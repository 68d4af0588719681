import { readFileSync } from 'node:fs'
import kafkajs, {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  type ISocketFactory,
  type KafkaConfig,
  type LogEntry,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
} from 'kafkajs'
import { z } from 'zod'
import { flag, int, list, type SectionValues, section, setting } from '../../runtime/config.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import { registerCodecs } from './codecs.ts'
import { createPartitioner } from './partitioner.ts'

/** Settings of the connection to Kafka and of what is read and written through it. */
export const kafkaConfig = section('kafka', {
  brokers: setting('KAFKA_BROKERS', list().default(['127.0.0.1:9092']), 'Addresses of brokers, host:port.'),
  clientId: setting(
    'KAFKA_CLIENT_ID',
    z.string().min(1).default('netsentinel'),
    'Name in the broker’s logs.',
  ),
  ssl: setting('KAFKA_SSL', flag().default(false), 'Whether to speak TLS.'),
  sslCa: setting('KAFKA_SSL_CA', z.string().optional(), 'File of the authorities to trust, PEM.'),
  sslCert: setting('KAFKA_SSL_CERT', z.string().optional(), 'File of the client certificate, PEM.'),
  sslKey: setting('KAFKA_SSL_KEY', z.string().optional(), 'File of the client key, PEM.'),
  saslMechanism: setting(
    'KAFKA_SASL_MECHANISM',
    z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
    'How to authenticate; none when unset.',
  ),
  saslUsername: setting('KAFKA_SASL_USERNAME', z.string().optional(), 'User name for SASL.'),
  saslPassword: setting('KAFKA_SASL_PASSWORD', z.string().optional(), 'Password for SASL.', { secret: true }),
  connectionTimeoutMs: setting(
    'KAFKA_CONNECTION_TIMEOUT_MS',
    int(100).default(5_000),
    'How long a connection may take, in ms.',
  ),
  requestTimeoutMs: setting(
    'KAFKA_REQUEST_TIMEOUT_MS',
    int(500).default(15_000),
    'How long a broker may take to answer, in ms.',
  ),
  sessionTimeoutMs: setting(
    'KAFKA_SESSION_TIMEOUT_MS',
    int(1_000).default(10_000),
    'After how long without a heartbeat a member loses its partitions, in ms.',
  ),
  transactionTimeoutMs: setting(
    'KAFKA_TRANSACTION_TIMEOUT_MS',
    int(1_000).default(30_000),
    'After how long the broker ends an open transaction, in ms.',
  ),
  maxBytesPerPartition: setting(
    'KAFKA_MAX_BYTES_PER_PARTITION',
    int(1_024).default(1_048_576),
    'Most that one fetch brings of a partition, in bytes.',
  ),
  maxFetchBytes: setting(
    'KAFKA_MAX_FETCH_BYTES',
    int(1_024).default(2 * 1_048_576),
    'Most that one fetch brings of all partitions of a broker together, in bytes: what a lag of any size costs in memory. ' +
      'Scoring takes half of it.',
  ),
  fetchIntervalMs: setting(
    'KAFKA_FETCH_INTERVAL_MS',
    int(0, 1_000).default(25),
    'Least time from one fetch of a stage to its next, in ms. What arrives meanwhile shares a transaction: more saves CPU ' +
      'here and at the broker while events are few, less brings threats sooner. A backlog is not slowed down.',
  ),
  maxInflatedBytes: setting(
    'KAFKA_MAX_INFLATED_BYTES',
    int(1_024, 2_000_000_000).default(32 * 1_048_576),
    'Most that a compressed batch may inflate to, in bytes, 256 for each record included. One that would be larger ' +
      'becomes a dead letter without its bytes.',
  ),
  maxMessageBytes: setting(
    'KAFKA_MAX_MESSAGE_BYTES',
    int(1_024).default(1_000_000),
    'Most that one send to a topic may hold, in bytes, unless it is a single record.',
  ),
  maxRecordBytes: setting(
    'KAFKA_MAX_RECORD_BYTES',
    int(1_024).default(4_000_000),
    'Most that one record may hold, in bytes; under the max.message.bytes of the topics, which is 4 MiB. What would be ' +
      'larger becomes a dead letter.',
  ),
  compression: setting(
    'KAFKA_COMPRESSION',
    z.enum(['none', 'gzip', 'zstd']).default('none'),
    'How records are compressed when they are written. All five of Kafka’s codecs are read.',
  ),
})

/** Values of the section `kafka`. */
export type KafkaSettings = SectionValues<typeof kafkaConfig>

/** Access to Kafka: makes clients that share settings and a log, each with connections of its own. */
export interface Kafka {
  readonly config: KafkaSettings
  producer(options: ProducerConfig): Producer
  consumer(options: ConsumerConfig): Consumer
  admin(): Admin
}

const readPem = (path: string | undefined, variable: string): string | undefined => {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new SentinelError('NS_CONFIG_INVALID', `${variable}: ${messageOf(cause)}`, { cause })
  }
}

const sslOf = (config: KafkaSettings): Pick<KafkaConfig, 'ssl'> => {
  const wanted = config.ssl || config.sslCa !== undefined || config.sslCert !== undefined
  if (!wanted) return {}
  const ca = readPem(config.sslCa, 'KAFKA_SSL_CA')
  const cert = readPem(config.sslCert, 'KAFKA_SSL_CERT')
  const key = readPem(config.sslKey, 'KAFKA_SSL_KEY')
  return {
    ssl: {
      ...(ca === undefined ? {} : { ca: [ca] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  }
}

const saslOf = (config: KafkaSettings): { sasl?: SASLOptions } => {
  const { saslMechanism: mechanism, saslUsername: username, saslPassword: password } = config
  if (mechanism === undefined) return {}
  if (username === undefined || password === undefined) {
    throw new SentinelError(
      'NS_CONFIG_INVALID',
      'KAFKA_SASL_MECHANISM is set: KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are required',
    )
  }
  return { sasl: { mechanism, username, password } }
}

/**
 * kafkajs logs every error that it also throws, and its retries as errors. What matters reaches the log through the
 * exception, so here errors become warnings and everything below is for debugging.
 */
const logCreator = (log: Log) => () => {
  const child = log.child({ client: 'kafkajs' })
  return ({
    namespace,
    level,
    log: { message, timestamp: _, logger: __, stack: ___, ...rest },
  }: LogEntry) => {
    const line = { namespace, ...rest }
    if (level === kafkajs.logLevel.ERROR && !isRetry(message)) child.warn(line, message)
    else child.debug(line, message)
  }
}

/** What kafkajs logs as an error each time it tries again, e.g. while the broker still ends the last transaction. */
const isRetry = (message: string): boolean =>
  message.startsWith('Failed to send messages') || message.startsWith('Response ')

/** What the access to Kafka is made of. */
interface KafkaDeps {
  readonly config: KafkaSettings
  readonly log: Log
  /** Opens connections another way than straight to the address that a broker advertises. */
  readonly socketFactory?: ISocketFactory
}

/** Makes the access to Kafka; nothing is connected yet. Throws NS_CONFIG_INVALID for unreadable or missing settings. */
export const createKafka = (deps: KafkaDeps): Kafka => {
  const { config } = deps
  registerCodecs({ maxInflatedBytes: config.maxInflatedBytes })
  const options: KafkaConfig = {
    brokers: [...config.brokers],
    clientId: config.clientId,
    connectionTimeout: config.connectionTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: 8 },
    logLevel: kafkajs.logLevel.INFO,
    logCreator: logCreator(deps.log),
    ...(deps.socketFactory === undefined ? {} : { socketFactory: deps.socketFactory }),
    ...sslOf(config),
    ...saslOf(config),
  }
  const { Kafka: Client } = kafkajs
  return {
    config,
    producer: producerOptions =>
      new Client({ ...options, retry: PRODUCER_RETRY }).producer({
        createPartitioner,
        allowAutoTopicCreation: false,
        maxInFlightRequests: MAX_IN_FLIGHT,
        retry: PRODUCER_RETRY,
        ...producerOptions,
      }),
    // A client of its own: kafkajs keeps committed offsets per client, and two members of a group must not share them.
    consumer: consumerOptions =>
      new Client(options).consumer({
        allowAutoTopicCreation: false,
        sessionTimeout: config.sessionTimeoutMs,
        heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor(config.sessionTimeoutMs / 3)),
        maxBytes: config.maxFetchBytes,
        maxBytesPerPartition: config.maxBytesPerPartition,
        minBytes: 1,
        maxWaitTimeInMs: MAX_WAIT_MS,
        ...consumerOptions,
      }),
    admin: () => new Client(options).admin(),
  }
}

/** A send and the offsets beside it. Sends themselves go one after the other, so that no later one overtakes. */
const MAX_IN_FLIGHT = 2

/** How often a member says that it lives: how soon it notices that the group rebalances, in ms. */
export const HEARTBEAT_MS = 1_000

/** Longest that a fetch waits for records; also how long it takes to notice that a paused partition was resumed, in ms. */
const MAX_WAIT_MS = 100

/**
 * The first retry comes after 5 ms: while the broker ends what a predecessor left open, it answers CONCURRENT_TRANSACTIONS.
 * Finite, since kafkajs' own default for idempotence is endless.
 */
const PRODUCER_RETRY = { initialRetryTime: 5, maxRetryTime: 1_000, retries: 12 }
