/**
 * What the code that meets an error does with it. There are three outcomes and no others:
 * - `retriable`: transient; back off, commit nothing, try again.
 * - `poison`: this record is at fault; it goes to `dead-letters` with its bytes, and the stage goes on.
 * - `fatal`: a defect, a wrong setting or a lost guarantee; log it and end the process non-zero.
 */
export type Outcome = 'retriable' | 'poison' | 'fatal'

/** Every error code with its outcome and what its reader should do. A code is never reused for another meaning. */
export const ERROR_CODES = {
  NS_CONFIG_INVALID: ['fatal', 'Correct the named setting; docs/configuration.md lists every one.'],
  NS_USAGE: ['fatal', 'Run the command with --help.'],
  NS_INTERNAL: ['fatal', 'This is a defect of NetSentinel: report it with the log lines before it.'],
  NS_SHUTDOWN_TIMEOUT: ['fatal', 'Work in flight outlived the drain deadline; raise SHUTDOWN_DEADLINE_MS.'],
  NS_SERVICE_UNREACHABLE: ['retriable', 'Check the address and that the service is up: `netsentinel check`.'],
  NS_EMBEDDED_UNAVAILABLE: [
    'fatal',
    'Install what the message names, or give the addresses of running services.',
  ],
  NS_EMBEDDED_LOCKED: [
    'fatal',
    'Another NetSentinel uses this DATA_DIR: stop it, or choose another DATA_DIR.',
  ],
  NS_EMBEDDED_CRASHED: [
    'fatal',
    'Read the log file that the message names; start again when its cause is gone.',
  ],
  NS_PORT_TAKEN: ['fatal', 'Free the port, or configure another one.'],
  NS_DISK_FULL: ['fatal', 'Free disk space under DATA_DIR, then start again.'],
  NS_LOGIN_REFUSED: ['fatal', 'Check the user name and the password, and what the role may read.'],
  NS_STORE_UNUSABLE: [
    'fatal',
    'Check the path and its rights (GATEWAY_STORE), and that no older version is started on a newer store.',
  ],
  NS_TOPIC_MISSING: ['fatal', 'Create the topics: `netsentinel topics`.'],
  NS_TOPIC_MISMATCH: [
    'fatal',
    'A topic differs from the catalogue; see docs/operations.md before changing either.',
  ],
  NS_SCHEMA_INCOMPATIBLE: ['fatal', 'Give the changed field a default, or make it a new topic.'],
  NS_SCHEMA_UNKNOWN: [
    'retriable',
    'The registry does not know the schema id: check SCHEMA_REGISTRY_URL and its data.',
  ],
  NS_OFFSET_LOST: [
    'fatal',
    'Records were deleted before they were read: see docs/operations.md, "Lost offsets".',
  ],
  NS_CONSUMER_CRASHED: ['fatal', 'Read the cause; restart the process.'],
  NS_TRANSACTION_FAILED: ['retriable', 'The transaction is undone and the batch is read again.'],
  NS_MODEL_REFUSED: ['fatal', 'The model cannot serve these events; the message says why.'],
  NS_MODEL_OLDER: [
    'fatal',
    'A newer model has scored this partition: serve it or a newer one; after an upgrade start `netsentinel retrain` first.',
  ],
  NS_STATE_UNREADABLE: [
    'fatal',
    'A changelog record does not decode: see docs/operations.md, "Rebuilding state", before anything is deleted.',
  ],
  NS_SCORING_FAILED: ['fatal', 'The model could not score a row; the message names it.'],
  NS_RULE_INVALID: [
    'fatal',
    'Correct the rule at the place that is named; docs/alerting.md says what a rule may hold.',
  ],
  NS_EMPTY: ['poison', 'The record has no value; see what its producer sends.'],
  NS_NOT_JSON: ['poison', 'The record is not JSON; see what its producer sends.'],
  NS_UNKNOWN_SOURCE: [
    'poison',
    'No source recognises the record; docs/connectors.md lists what is understood.',
  ],
  NS_MALFORMED: ['poison', 'The record looks like a known format, but a field that must be there is not.'],
  NS_UNDECODABLE: ['poison', 'The record does not decode with its schema.'],
  NS_DECOMPRESSION_LIMIT: [
    'poison',
    'A batch inflates beyond KAFKA_MAX_INFLATED_BYTES: find its producer; its records are still where they were.',
  ],
  NS_BATCH_CORRUPT: ['fatal', 'A compressed batch cannot be read: find its producer by topic and offset.'],
  NS_KAFKA_TOO_OLD: ['fatal', 'Use Kafka 2.5 or later.'],
  NS_KAFKA_REFUSED: ['fatal', 'Check the credentials and the ACLs that Kafka has for this user.'],
  NS_NOTIFICATION_FAILED: [
    'retriable',
    'The receiver of notifications is away or overloaded; it is tried again. Try it alone: `netsentinel notify --test`.',
  ],
  NS_NOTIFICATION_REFUSED: [
    'poison',
    'The receiver refuses the notification for good; correct its address, its credentials or its rules.',
  ],
  NS_CANCELLED: ['fatal', 'Somebody has cancelled it; add it anew when it is wanted after all.'],
  NS_TOO_LARGE: ['poison', 'The record is larger than the broker takes.'],
} as const satisfies Record<string, readonly [Outcome, string]>

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES

/**
 * The one error class of the project. Its message says what is wrong, in words for the person who reads the log;
 * `code` is what programs compare, `outcome` what the caller does, `advice` what the reader does.
 */
export class SentinelError extends Error {
  override readonly name = 'SentinelError'
  readonly code: ErrorCode
  readonly outcome: Outcome
  readonly advice: string

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.outcome = ERROR_CODES[code][0]
    this.advice = ERROR_CODES[code][1]
  }
}

/** Whether `error` is a SentinelError, of this code when one is given. Compare codes, not classes. */
export const isSentinelError = (error: unknown, code?: ErrorCode): error is SentinelError =>
  error instanceof SentinelError && (code === undefined || error.code === code)

/** Whether `error` is the fault of the data, so that its reader may go on without it. */
export const isPoison = (error: unknown): error is SentinelError =>
  isSentinelError(error) && error.outcome === 'poison'

/** The message of anything thrown. */
export const messageOf = (error: unknown): string =>
  // Unlike instanceof, this also knows errors of another realm: a vm context, as jest has them.
  typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string'
    ? error.message
    : String(error)

/** The `code` that Node and most libraries put on their errors, when there is one. */
export const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined

/** Turns anything thrown into a SentinelError: one is passed through, anything else is a defect of ours. */
export const toSentinelError = (error: unknown): SentinelError =>
  error instanceof SentinelError
    ? error
    : new SentinelError('NS_INTERNAL', messageOf(error), { cause: error })
