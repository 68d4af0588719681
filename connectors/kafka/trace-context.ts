import { hash } from 'node:crypto'
import type { Headers, InputRecord, OutputRecord } from './stage.ts'

/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/) in record headers: `traceparent` says which trace a record
 * belongs to and which span it comes from, `tracestate` carries what vendors add. A stage is one span for each record
 * that it takes. Whatever is not valid is dropped; a record without a context gets none.
 */
const PARENT = 'traceparent'
const STATE = 'tracestate'

/** Version, trace id, parent id, flags; versions after 00 may add more behind a dash. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})(-.*)?$/

/** The flags that are passed on: sampled, and that the trace id is random. Others have to be zero. */
const KNOWN_FLAGS = 0b11

const MEMBER =
  /^[a-z\d][a-z\d_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/
const MOST_MEMBERS = 32

/** Most of a `tracestate` that is passed on, in characters; members over 128 go first, then the oldest. */
const LONGEST_STATE = 512
const LONG_MEMBER = 128

const textsOf = (header: Headers[string] | undefined): string[] => {
  if (header === undefined) return []
  return typeof header === 'string' || Buffer.isBuffer(header) ? [String(header)] : header.map(String)
}

/** Trace id and flags of a valid `traceparent` that occurs once. */
const parseParent = (header: Headers[string] | undefined) => {
  const [text = '', ...others] = textsOf(header)
  const [, version, traceId, flags = '', rest] = others.length === 0 ? (TRACEPARENT.exec(text) ?? []) : []
  if (traceId === undefined || (version === '00' && rest !== undefined)) return undefined
  return { text, traceId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS }
}

/** The members of a `tracestate`, several headers being one list; undefined when one of them is not valid. */
const parseState = (header: Headers[string] | undefined): string | undefined => {
  const members = textsOf(header)
    .flatMap(text => text.split(','))
    .map(member => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter(member => member !== '')
  if (members.length === 0 || members.length > MOST_MEMBERS) return undefined
  if (!members.every(member => MEMBER.test(member))) return undefined
  const short = (most: string[]) => most.join(',').length <= LONGEST_STATE
  const kept = short(members) ? members : members.filter(member => member.length <= LONG_MEMBER)
  while (!short(kept)) kept.pop()
  return kept.length === 0 ? undefined : kept.join(',')
}

/** The same for a record whenever it is processed: a record that is processed again is no other span. */
const spanId = (parent: string, stage: string, { topic, partition, offset }: InputRecord): string => {
  const id = hash('sha256', `${parent} ${stage} ${topic} ${partition} ${offset}`).slice(0, 16)
  return /^0+$/.test(id) ? '0000000000000001' : id
}

const contextOf = (cause: InputRecord, stage: string): Headers => {
  const parent = parseParent(cause.headers[PARENT])
  if (parent === undefined) return {}
  const flags = parent.flags.toString(16).padStart(2, '0')
  const state = parseState(cause.headers[STATE])
  return {
    [PARENT]: `00-${parent.traceId}-${spanId(parent.text, stage, cause)}-${flags}`,
    ...(state === undefined ? {} : { [STATE]: state }),
  }
}

/**
 * An output with the trace context of the input that it was made of, continued by the stage. A dead letter keeps the
 * headers of its record as they are.
 */
export const continueTrace = (output: OutputRecord, stage: string): OutputRecord => {
  const { cause } = output
  if (cause === undefined || cause.headers[PARENT] === undefined || output.poison !== undefined) return output
  const { [PARENT]: _, [STATE]: __, ...others } = output.headers ?? {}
  return { ...output, headers: { ...others, ...contextOf(cause, stage) } }
}
