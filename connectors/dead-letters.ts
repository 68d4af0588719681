import type { SentinelError } from '../runtime/errors.ts'
import type { Headers, InputRecord, OutputRecord } from './kafka/stage.ts'

/** Headers that a dead letter adds to those of the record. */
const DEAD_LETTER_HEADERS = {
  /** Code of runtime/errors.ts. */
  code: 'ns-code',
  /** Stage that could not take the record. */
  stage: 'ns-stage',
  topic: 'ns-topic',
  partition: 'ns-partition',
  offset: 'ns-offset',
  /** What is wrong, in words. */
  reason: 'ns-reason',
  /** How often the record has failed, 1 for the first time. */
  attempt: 'ns-attempt',
  /** There when key, value and headers of the record are not: it, or its batch, was too large to be kept. */
  withheld: 'ns-withheld',
} as const

/**
 * Headers of a mark: a record of `dead-letters` that is none itself, and says that one has been replayed. It is told by
 * having no {@link DEAD_LETTER_HEADERS.code}, which each dead letter has, whatever headers its record came with.
 */
const MARK_HEADERS = { letter: 'ns-replayed', into: 'ns-replayed-into' } as const

/** Longest reason that is written, in characters. */
const LONGEST_REASON = 500

const attemptsBefore = (headers: Headers): number => {
  const count = Number(String(headers[DEAD_LETTER_HEADERS.attempt] ?? '0'))
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}

/**
 * Makes the dead letter of a record: its key, value (null stays null, empty stays empty), headers and timestamp as they
 * are, and {@link DEAD_LETTER_HEADERS} saying where it was and why it failed. A record that was a dead letter before
 * carries the last failure and a count of all. One whose bytes are withheld says that, and where they are.
 */
export const deadLetter = ({
  topic,
  stage,
  record,
  error,
}: {
  /** Full name of the dead letter topic. */
  readonly topic: string
  readonly stage: string
  readonly record: InputRecord
  readonly error: SentinelError
}): OutputRecord => ({
  topic,
  key: record.key,
  value: record.value,
  timestamp: record.timestamp,
  cause: record,
  poison: error.code,
  headers: {
    ...record.headers,
    [DEAD_LETTER_HEADERS.code]: error.code,
    [DEAD_LETTER_HEADERS.stage]: stage,
    [DEAD_LETTER_HEADERS.topic]: record.topic,
    [DEAD_LETTER_HEADERS.partition]: String(record.partition),
    [DEAD_LETTER_HEADERS.offset]: String(record.offset),
    [DEAD_LETTER_HEADERS.reason]: error.message.slice(0, LONGEST_REASON).toWellFormed(),
    [DEAD_LETTER_HEADERS.attempt]: String(attemptsBefore(record.headers) + 1),
    ...(record.withheld === undefined ? {} : { [DEAD_LETTER_HEADERS.withheld]: 'true' }),
  },
})

/** A dead letter, read back. */
export interface DeadLetter {
  /** `<topic>-<partition>-<offset>` of the dead letter itself. */
  readonly id: string
  readonly code: string
  readonly stage: string
  readonly reason: string
  /** How often the record has failed. */
  readonly attempt: number
  /** Whether the bytes of the record are not here, but only where it was. */
  readonly withheld: boolean
  /** Where the record was that failed. */
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number }
  /** The headers that the record came with. */
  readonly headers: Headers
  /** The dead letter as it lies in its topic: key, value and timestamp are those of the record that failed. */
  readonly record: InputRecord
}

const textOf = (headers: Headers, name: string): string | undefined => {
  const value = headers[name]
  return Buffer.isBuffer(value) || typeof value === 'string' ? String(value) : undefined
}

const wholeNumberOf = (headers: Headers, name: string): number | undefined => {
  const text = textOf(headers, name)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

const FAILURE_HEADERS: ReadonlySet<string> = new Set(Object.values(DEAD_LETTER_HEADERS))

/** The id of the record at a place: of a dead letter, as of an event. */
const recordId = (topic: string, partition: number, offset: number): string =>
  `${topic}-${partition}-${offset}`

/** Reads a dead letter; undefined for a record that is none, such as a {@link replayMark}. */
export const readDeadLetter = (record: InputRecord): DeadLetter | undefined => {
  const { headers } = record
  const code = textOf(headers, DEAD_LETTER_HEADERS.code)
  const topic = textOf(headers, DEAD_LETTER_HEADERS.topic)
  const partition = wholeNumberOf(headers, DEAD_LETTER_HEADERS.partition)
  const offset = wholeNumberOf(headers, DEAD_LETTER_HEADERS.offset)
  if (code === undefined || topic === undefined || partition === undefined || offset === undefined) {
    return undefined
  }
  return {
    id: recordId(record.topic, record.partition, record.offset),
    code,
    stage: textOf(headers, DEAD_LETTER_HEADERS.stage) ?? '',
    reason: textOf(headers, DEAD_LETTER_HEADERS.reason) ?? '',
    attempt: Math.max(1, attemptsBefore(headers)),
    withheld: DEAD_LETTER_HEADERS.withheld in headers,
    source: { topic, partition, offset },
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !FAILURE_HEADERS.has(name))),
    record,
  }
}

/**
 * The record that failed, to be written once more: key, value, timestamp and headers as they were, and the count of
 * attempts. It goes back to the very partition that it came from, where the stage that wrote it, or the producer's own
 * rule, had put it; in another topic, `into`, the key decides.
 */
export const replayOf = (letter: DeadLetter, into: string = letter.source.topic): OutputRecord => ({
  topic: into,
  ...(into === letter.source.topic ? { partition: letter.source.partition } : {}),
  key: letter.record.key,
  value: letter.record.value,
  timestamp: letter.record.timestamp,
  headers: { ...letter.headers, [DEAD_LETTER_HEADERS.attempt]: String(letter.attempt) },
})

/**
 * Says in the topic of dead letters that one has been replayed; written in the transaction of its replay, so that the one
 * is there exactly when the other is. It is never older than the dead letter, so retention does not take it first.
 */
export const replayMark = (letter: DeadLetter, into: string, now: number): OutputRecord => ({
  topic: letter.record.topic,
  partition: letter.record.partition,
  key: null,
  value: null,
  timestamp: Math.max(now, letter.record.timestamp),
  headers: { [MARK_HEADERS.letter]: letter.id, [MARK_HEADERS.into]: into },
})

/** What a mark says. */
export interface Replay {
  /** Id of the dead letter. */
  readonly letter: string
  /** Topic that it was replayed into. */
  readonly into: string
  /** When, in ms since 1970 (UTC). */
  readonly time: number
}

/** Reads a mark; undefined for any other record. */
export const readReplayMark = ({ headers, timestamp }: InputRecord): Replay | undefined => {
  const letter = textOf(headers, MARK_HEADERS.letter)
  if (letter === undefined || DEAD_LETTER_HEADERS.code in headers) return undefined
  return { letter, into: textOf(headers, MARK_HEADERS.into) ?? '', time: timestamp }
}
