import { type ErrorCode, messageOf, SentinelError } from '../../runtime/errors.ts'

/** What kafkajs puts on its errors, as far as it is looked at here. */
interface KafkaErrorShape {
  readonly name: string
  readonly message: string
  /** Name of the protocol error, e.g. `INVALID_PRODUCER_EPOCH`. */
  readonly type?: string
  readonly retriable?: boolean
  readonly cause?: unknown
  readonly topic?: string
  readonly partition?: number
}

const isShape = (error: unknown): error is KafkaErrorShape =>
  typeof error === 'object' && error !== null && 'name' in error && 'message' in error

/**
 * Protocol errors that say: somebody else, or the coordinator's timeout, has ended this producer, or the group has gone on
 * without its member.
 */
const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'TRANSACTION_COORDINATOR_FENCED',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
])

/** Protocol errors after which a transaction cannot go on, and a new producer starts clean. */
const TRANSACTION_ERRORS = new Set([
  ...FENCED,
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'CONCURRENT_TRANSACTIONS',
])

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

const CONNECTION_NAMES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSLockTimeout',
])

/** What kafkajs throws, as a bare Error, when a connection was lost between the choice of a broker and a request to it. */
const NOT_CONNECTED = 'Broker not connected'

/**
 * The chain of an error from the outside in: kafkajs wraps what happened in `KafkaJSNumberOfRetriesExceeded` and
 * `KafkaJSNonRetriableError`, and an aggregate holds several.
 */
const chainOf = (error: unknown): KafkaErrorShape[] => {
  const chain: KafkaErrorShape[] = []
  let each: unknown = error
  while (isShape(each) && !chain.includes(each)) {
    chain.push(each)
    const errors: unknown = 'errors' in each ? each.errors : undefined
    each = each.cause ?? (Array.isArray(errors) ? errors[0] : undefined)
  }
  return chain
}

const codeFor = (chain: readonly KafkaErrorShape[]): ErrorCode => {
  const types = chain.flatMap(each => (each.type === undefined ? [] : [each.type]))
  const has = (known: ReadonlySet<string>) => types.some(type => known.has(type))
  if (has(TRANSACTION_ERRORS)) return 'NS_TRANSACTION_FAILED'
  if (has(TOO_LARGE)) return 'NS_TOO_LARGE'
  if (types.includes('OFFSET_OUT_OF_RANGE')) return 'NS_OFFSET_LOST'
  if (types.includes('UNKNOWN_TOPIC_OR_PARTITION')) return 'NS_TOPIC_MISSING'
  if (types.includes('INVALID_TRANSACTION_TIMEOUT')) return 'NS_CONFIG_INVALID'
  if (types.some(type => type.endsWith('AUTHORIZATION_FAILED') || type === 'SASL_AUTHENTICATION_FAILED')) {
    return 'NS_KAFKA_REFUSED'
  }
  if (chain.some(each => each.name === 'KafkaJSSASLAuthenticationError')) return 'NS_KAFKA_REFUSED'
  if (chain.some(each => each.name === 'KafkaJSServerDoesNotSupportApiKey')) return 'NS_KAFKA_TOO_OLD'
  if (chain.some(each => CONNECTION_NAMES.has(each.name))) return 'NS_SERVICE_UNREACHABLE'
  const [root] = chain.slice(-1)
  if (root?.message === NOT_CONNECTED) return 'NS_SERVICE_UNREACHABLE'
  if (types.includes('UNKNOWN')) return 'NS_SERVICE_UNREACHABLE'
  if (root?.name.startsWith('KafkaJS') && root.retriable === true) return 'NS_SERVICE_UNREACHABLE'
  return 'NS_INTERNAL'
}

/**
 * Turns what kafkajs throws into a SentinelError, the only place where its errors are classified:
 * - fenced, or a transaction in a state that only a new producer leaves → NS_TRANSACTION_FAILED (retriable);
 * - connection, timeout, no leader and other transient answers → NS_SERVICE_UNREACHABLE (retriable);
 * - MESSAGE_TOO_LARGE → NS_TOO_LARGE; out of range → NS_OFFSET_LOST; no topic → NS_TOPIC_MISSING;
 *   credentials and ACLs → NS_KAFKA_REFUSED; a transaction timeout over the broker's → NS_CONFIG_INVALID;
 *   a request that the broker does not know in the version that is needed → NS_KAFKA_TOO_OLD; anything else → NS_INTERNAL.
 *
 * `doing` says what was tried, e.g. `committing raw-events-3`.
 */
export const toKafkaError = (error: unknown, doing: string): SentinelError => {
  const chain = chainOf(error)
  const known = chain.find(each => each instanceof SentinelError)
  if (known instanceof SentinelError) return located(known)
  return new SentinelError(codeFor(chain), `${doing}: ${messageOf(error)}`, { cause: error })
}

/** The patched decoder of fetches says where a batch that it cannot read lies. */
const located = (error: SentinelError): SentinelError => {
  if (!('topic' in error && 'partition' in error && 'firstOffset' in error)) return error
  const where = `${error.topic}-${error.partition}, offset ${error.firstOffset}`
  return new SentinelError(error.code, `${where}: ${error.message}`, { cause: error })
}

/** Whether an error says that this producer was ended by another of its transactional id, by a timeout, or by its group. */
export const isFenced = (error: unknown): boolean =>
  chainOf(error).some(each => each.type !== undefined && FENCED.has(each.type))

/** The partition that an out-of-range error speaks of. */
export const outOfRangePartition = (error: unknown): { topic: string; partition: number } | undefined => {
  const found = chainOf(error).find(each => each.name === 'KafkaJSOffsetOutOfRange')
  return found?.topic !== undefined && found.partition !== undefined
    ? { topic: found.topic, partition: found.partition }
    : undefined
}
