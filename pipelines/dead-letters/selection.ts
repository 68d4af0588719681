import type { DeadLetter } from '../../connectors/dead-letters.ts'
import { type CommandOption, numberOption } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'

/** Which dead letters a command is about. What is not given does not matter. */
export interface Selection {
  /** Places in the topic, as `<partition>-<offset>`. */
  readonly places?: ReadonlySet<string>
  readonly code?: string
  readonly stage?: string
  /** Full names of the topic that the record came from: any of them. */
  readonly sources?: readonly string[]
  /** Earliest timestamp, in ms since 1970 (UTC). */
  readonly from?: number
  /** First timestamp that is too late, in ms since 1970 (UTC). */
  readonly to?: number
}

/** The options that make a {@link Selection}. */
export const SELECTION_OPTIONS = {
  code: { type: 'string', value: 'CODE', doc: 'Those with this error code, e.g. NS_NOT_JSON.' },
  stage: { type: 'string', value: 'STAGE', doc: 'Those of this stage, e.g. ingest.' },
  source: { type: 'string', value: 'TOPIC', doc: 'Those whose record came from this topic.' },
  from: { type: 'string', value: 'TIME', doc: 'Those from this time on (ISO 8601, UTC without a zone).' },
  to: { type: 'string', value: 'TIME', doc: 'Those before this time.' },
  limit: { type: 'string', value: 'N', doc: 'The first N of them.' },
} as const satisfies Readonly<Record<string, CommandOption>>

type Options = Readonly<Record<string, string | boolean | undefined>>

const textOption = (options: Options, name: string): string | undefined => {
  const value = options[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/** A time in ms since 1970 (UTC). A text without a zone is UTC, and not, as JavaScript has it, sometimes local. */
const timeOption = (options: Options, name: string): number | undefined => {
  const text = textOption(options, name)
  if (text === undefined) return undefined
  const zone = ISO.exec(text)
  const isDate = text.length === 10
  const time = zone === null ? Number.NaN : Date.parse(isDate || zone[1] ? text : `${text}Z`)
  if (Number.isNaN(time)) {
    throw new SentinelError('NS_USAGE', `--${name} takes a time like 2026-11-25T10:00Z, not '${text}'`)
  }
  return time
}

/** The place that an id names: `dead-letters-0-17`, with the topic's prefix or without, or only `0-17`. */
const placeOf = (id: string, topic: string): string => {
  const [, before = '', partition = '', offset = ''] = /^(?:(.*)-)?(\d{1,9})-(\d{1,15})$/.exec(id) ?? []
  if (offset === '' || !(before === '' || before === topic || topic.endsWith(before))) {
    throw new SentinelError('NS_USAGE', `dlq: '${id}' is not the id of a dead letter, like ${topic}-0-17`)
  }
  return `${Number(partition)}-${Number(offset)}`
}

/**
 * Reads a selection from a command line: ids as operands, {@link SELECTION_OPTIONS} beside them. Throws NS_USAGE.
 * `topic` is the full name of the topic of dead letters, `prefix` what stands before the name of every topic.
 */
export const selectionOf = (
  options: Options,
  ids: readonly string[],
  { topic, prefix }: { readonly topic: string; readonly prefix: string },
): Selection => {
  const [code, stage, source] = ['code', 'stage', 'source'].map(name => textOption(options, name))
  const [from, to] = [timeOption(options, 'from'), timeOption(options, 'to')]
  return {
    ...(ids.length === 0 ? {} : { places: new Set(ids.map(id => placeOf(id, topic))) }),
    ...(code === undefined ? {} : { code }),
    ...(stage === undefined ? {} : { stage }),
    ...(source === undefined ? {} : { sources: [source, `${prefix}${source}`] }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
}

/** The most dead letters that a command line asks for. Throws NS_USAGE. */
export const limitOf = (options: Options): number =>
  numberOption(options, 'limit', Number.POSITIVE_INFINITY, { min: 1 })

/** Whether anything narrows the selection. */
export const isNarrowed = (selection: Selection): boolean => Object.keys(selection).length > 0

/** Whether a dead letter is one of those that are selected. */
export const isSelected = (selection: Selection, letter: DeadLetter): boolean => {
  const { places, code, stage, sources, from = -Infinity, to = Infinity } = selection
  const { partition, offset, timestamp } = letter.record
  return (
    (places === undefined || places.has(`${partition}-${offset}`)) &&
    (code === undefined || code === letter.code) &&
    (stage === undefined || stage === letter.stage) &&
    (sources === undefined || sources.includes(letter.source.topic)) &&
    timestamp >= from &&
    timestamp < to
  )
}
