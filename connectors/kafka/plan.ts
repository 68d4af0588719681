import { SentinelError } from '../../runtime/errors.ts'
import { contentBytes } from './records.ts'
import type { BatchResult, InputRecord, OutputRecord, Stage } from './stage.ts'
import { continueTrace } from './trace-context.ts'
import { withhold } from './withheld.ts'

/**
 * The records that one batch's transaction writes: its outputs with the trace context of their causes, each input with an
 * output over `limit` bytes replaced by a dead letter, then the changes of state, on the partition number of the input.
 * Throws NS_TOO_LARGE for a record that is over the limit and has no dead letter to become, and NS_INTERNAL for changes
 * without a changelog.
 */
export const planBatch = (
  result: BatchResult,
  stage: Stage,
  partition: number,
  limit: number,
): OutputRecord[] => {
  const traced = result.outputs.map(output => continueTrace(output, stage.name))
  const outputs = withoutOversize(traced, stage, limit)
  const { changelog } = stage
  if (changelog === undefined) {
    if (result.changes.length > 0) throw new SentinelError('NS_INTERNAL', `${stage.name} has no changelog`)
    return outputs
  }
  const now = Date.now()
  for (const { key, value } of result.changes) {
    const record = { topic: changelog, partition, key, value, timestamp: now }
    if (isTooLarge(record, limit)) throw tooLarge(record, limit)
    outputs.push(record)
  }
  return outputs
}

/**
 * How much a dead letter may have over the limit, in bytes, for the headers that say why it is one: a record that could be
 * written once would otherwise end its reader for being bad.
 */
const LETTER_HEADERS_BYTES = 4_096

const isTooLarge = (record: OutputRecord, limit: number): boolean =>
  contentBytes(record) > limit + (record.poison === undefined ? 0 : LETTER_HEADERS_BYTES)

const tooLarge = (record: OutputRecord, limit: number): SentinelError =>
  new SentinelError(
    'NS_TOO_LARGE',
    `a record for ${record.topic} has ${contentBytes(record)} bytes, the limit is ${limit}`,
  )

const withoutOversize = (outputs: OutputRecord[], stage: Stage, limit: number): OutputRecord[] => {
  const oversize = outputs.filter(output => isTooLarge(output, limit))
  if (oversize.length === 0) return outputs
  const letters = new Map<InputRecord, OutputRecord>()
  for (const output of oversize) {
    const error = tooLarge(output, limit)
    if (output.cause === undefined || stage.tooLarge === undefined) throw error
    const letter = stage.tooLarge(output.cause, error)
    const small = isTooLarge(letter, limit) ? stage.tooLarge(withhold(output.cause, error), error) : letter
    if (isTooLarge(small, limit)) throw tooLarge(small, limit)
    letters.set(output.cause, small)
  }
  const done = new Set<InputRecord>()
  return outputs.flatMap(output => {
    const letter = output.cause && letters.get(output.cause)
    if (letter === undefined || output.cause === undefined) return [output]
    if (done.has(output.cause)) return []
    done.add(output.cause)
    return [letter]
  })
}
