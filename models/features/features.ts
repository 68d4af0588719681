import { createHash } from 'node:crypto'
import type { Behaviour } from '../../schemas/generated.ts'
import type { Observation } from '../detector.ts'
import type { JudgedEvent } from './event-fields.ts'
import { portClass } from './ports.ts'
import { decay, FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS, setText } from './state.ts'
import { logOfCount, type TextStats, textStats } from './text.ts'

/** Raised by one whenever a feature is computed differently under the same name: models of before are then refused. */
const FEATURE_VERSION = 1

/** The value of whatever an event does not have; every value that is there is at or above 0. */
const ABSENT = -1

/** An event with what is derived from it once for several features. */
interface View {
  readonly event: JudgedEvent
  readonly before: Behaviour | null
  /** Time since the entity's latest event, in ms, 0 for a late event; null for its first. */
  readonly gapMs: number | null
  readonly fast: number
  readonly slow: number
  readonly command: TextStats
  readonly url: TextStats
  readonly query: TextStats
}

interface Feature {
  readonly name: string
  readonly doc: string
  readonly of: (view: View) => number
}

const CATEGORIES = [
  'authentication',
  'network',
  'scan',
  'web',
  'dns',
  'file',
  'command',
  'alert',
  'tls',
  'system',
] as const

const size = (value: number | null): number =>
  value === null || !Number.isFinite(value) ? ABSENT : Math.log1p(Math.max(0, value))

const flag = (value: boolean): number => (value ? 1 : 0)

const lengthOf = (text: string | null): number => (text === null ? ABSENT : logOfCount(text.length))

/** 0 when the entity has it in its set, 1 when it is new for it, absent when the event has none or is the first. */
const isNew = <T>(set: readonly T[] | undefined, member: T | null): number =>
  set === undefined || member === null ? ABSENT : flag(!set.includes(member))

/**
 * The features of one event, in the order of a row. What an event does not have is -1, never 0. Counters are read as
 * they stand just before the event, decayed to its time. No address and no clock time is a feature: a model must not
 * learn who or when, only how.
 */
const FEATURES: readonly Feature[] = [
  ...CATEGORIES.map(category => ({
    name: `category_${category}`,
    doc: `1 when the event's category is ${category}.`,
    of: ({ event }: View) => flag(event.category === category),
  })),
  { name: 'outcome_success', doc: '1 when it succeeded.', of: v => flag(v.event.outcome === 'success') },
  { name: 'outcome_failure', doc: '1 when it failed.', of: v => flag(v.event.outcome === 'failure') },
  {
    name: 'transport_not_tcp',
    doc: '1 for udp, icmp and others, 0 for tcp.',
    of: v => (v.event.transport === null ? ABSENT : flag(v.event.transport !== 'tcp')),
  },
  { name: 'port_class', doc: 'How rare a target the port is, 0 to 3.', of: v => portClass(v.event.dstPort) },
  { name: 'bytes_in', doc: 'ln(1 + bytes from the one who acts).', of: v => size(v.event.bytesIn) },
  { name: 'bytes_out', doc: 'ln(1 + bytes back).', of: v => size(v.event.bytesOut) },
  { name: 'packets', doc: 'ln(1 + packets).', of: v => size(v.event.packets) },
  { name: 'duration', doc: 'ln(1 + ms).', of: v => size(v.event.durationMs) },
  {
    name: 'source_severity',
    doc: 'Severity that the sensor gives, 1 to 4.',
    of: v => (v.event.sourceSeverity === null ? ABSENT : Math.min(4, Math.max(0, v.event.sourceSeverity))),
  },
  { name: 'user_length', doc: 'ln(1 + length of the user name).', of: v => lengthOf(v.event.user) },
  { name: 'command_length', doc: 'ln(1 + length of the command).', of: v => v.command.length },
  { name: 'command_entropy', doc: 'Bits a character of the command.', of: v => v.command.entropy },
  { name: 'command_symbols', doc: 'Share of special characters in it.', of: v => v.command.symbols },
  { name: 'url_length', doc: 'ln(1 + length of the URL).', of: v => v.url.length },
  { name: 'url_entropy', doc: 'Bits a character of the URL.', of: v => v.url.entropy },
  { name: 'url_symbols', doc: 'Share of special characters in it.', of: v => v.url.symbols },
  { name: 'query_length', doc: 'ln(1 + length of the name looked up).', of: v => v.query.length },
  { name: 'query_entropy', doc: 'Bits a character of that name.', of: v => v.query.entropy },
  { name: 'query_digits', doc: 'Share of digits in that name.', of: v => v.query.digits },
  { name: 'agent_length', doc: 'ln(1 + length of the user agent).', of: v => lengthOf(v.event.userAgent) },
  { name: 'file_length', doc: 'ln(1 + length of the file name).', of: v => lengthOf(v.event.fileName) },
  { name: 'first_seen', doc: '1 for the first event of an entity.', of: v => flag(v.before === null) },
  {
    name: 'gap',
    doc: "ln(1 + seconds since the entity's latest event).",
    of: v => (v.gapMs === null ? ABSENT : Math.log1p(v.gapMs / 1000)),
  },
  { name: 'events_fast', doc: 'ln(1 + events, half-life 60 s).', of: v => counter(v.before?.events, v.fast) },
  {
    name: 'events_slow',
    doc: 'ln(1 + events, half-life 1 h).',
    of: v => counter(v.before?.eventsSlow, v.slow),
  },
  {
    name: 'failures_fast',
    doc: 'ln(1 + failures, half-life 60 s).',
    of: v => counter(v.before?.failures, v.fast),
  },
  {
    name: 'failures_slow',
    doc: 'ln(1 + failures, half-life 1 h).',
    of: v => counter(v.before?.failuresSlow, v.slow),
  },
  { name: 'ports', doc: 'ln(1 + distinct ports).', of: v => logOfCount(v.before?.ports.length ?? 0) },
  { name: 'hosts', doc: 'ln(1 + distinct targets).', of: v => logOfCount(v.before?.hosts.length ?? 0) },
  { name: 'users', doc: 'ln(1 + distinct user names).', of: v => logOfCount(v.before?.users.length ?? 0) },
  { name: 'types', doc: 'ln(1 + distinct event types).', of: v => logOfCount(v.before?.types.length ?? 0) },
  {
    name: 'new_port',
    doc: '1 when the entity has not used the port before.',
    of: v => isNew(v.before?.ports, v.event.dstPort),
  },
  {
    name: 'new_user',
    doc: '1 when the entity has not used the user name before.',
    of: v => isNew(v.before?.users, v.event.user === null ? null : setText(v.event.user)),
  },
  {
    name: 'new_type',
    doc: '1 when the entity has not made an event of this type before.',
    of: v => isNew(v.before?.types, setText(v.event.type)),
  },
]

const counter = (value: number | undefined, left: number): number => Math.log1p((value ?? 0) * left)

/** Names of the features, in the order of a row. */
export const featureNames: readonly string[] = FEATURES.map(feature => feature.name)

/** Values in a row. */
export const FEATURE_COUNT = FEATURES.length

/** What each feature is, by its name: for the documentation and for whoever reads a contribution. */
export const featureDocs: Readonly<Record<string, string>> = Object.fromEntries(
  FEATURES.map(feature => [feature.name, feature.doc]),
)

/** SHA-256, in hex, of the version and the ordered names: a model made for other features is refused by it. */
export const featureHash: string = createHash('sha256')
  .update(JSON.stringify([FEATURE_VERSION, featureNames]))
  .digest('hex')

/**
 * Writes the row of one observation into `out`, from index `at` on: {@link FEATURE_COUNT} float32 values, all finite
 * for any event that the schema allows. Depends on nothing but the observation.
 */
export const writeFeatures = ({ event, before }: Observation, out: Float32Array, at: number): void => {
  const gapMs = before === null ? null : Math.max(0, event.time - before.lastTime)
  const view: View = {
    event,
    before,
    gapMs,
    fast: decay(gapMs ?? 0, FAST_HALF_LIFE_MS),
    slow: decay(gapMs ?? 0, SLOW_HALF_LIFE_MS),
    command: textStats(event.command),
    url: textStats(event.url),
    query: textStats(event.query),
  }
  let index = at
  for (const feature of FEATURES) out[index++] = feature.of(view)
}

/** The rows of observations, one after another: observations × {@link FEATURE_COUNT} values. */
export const featureRows = (observations: readonly Observation[]): Float32Array<ArrayBuffer> => {
  const rows = new Float32Array(observations.length * FEATURE_COUNT)
  let at = 0
  for (const observation of observations) {
    writeFeatures(observation, rows, at)
    at += FEATURE_COUNT
  }
  return rows
}
