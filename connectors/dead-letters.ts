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
} as const

/** Longest reason that is written, in characters. */
const LONGEST_REASON = 500

const attemptsBefore = (headers: Headers): number => {
  const count = Number(String(headers[DEAD_LETTER_HEADERS.attempt] ?? '0'))
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}

/**
 * Makes the dead letter of a record: its key, value (null stays null, empty stays empty), headers and timestamp as they
 * are, and {@link DEAD_LETTER_HEADERS} saying where it was and why it failed. A record that was a dead letter before
 * carries the last failure and a count of all.
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
  headers: {
    ...record.headers,
    [DEAD_LETTER_HEADERS.code]: error.code,
    [DEAD_LETTER_HEADERS.stage]: stage,
    [DEAD_LETTER_HEADERS.topic]: record.topic,
    [DEAD_LETTER_HEADERS.partition]: String(record.partition),
    [DEAD_LETTER_HEADERS.offset]: String(record.offset),
    [DEAD_LETTER_HEADERS.reason]: error.message.slice(0, LONGEST_REASON).toWellFormed(),
    [DEAD_LETTER_HEADERS.attempt]: String(attemptsBefore(record.headers) + 1),
  },
})
