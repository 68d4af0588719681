import type { SectionValues } from '../../runtime/config.ts'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Coordinates, Event } from '../../schemas/generated.ts'
import { SOURCES } from './catalogue.ts'
import type { sourcesConfig } from './config.ts'
import { type RawEvent, rawEventsOf } from './envelopes.ts'
import { createRedactor, type Redacted } from './secrets.ts'
import type { ReadContext, Source, SourceEvent } from './source.ts'
import { createTimeReader } from './times.ts'

/** How far ahead of its record an event may be dated, in ms, before its sensor's clock is taken to be wrong. */
const CLOCK_TOLERANCE_MS = 10 * 60_000
/** Longest text of a field, in UTF-16 units; `original` is kept whole. */
const LONGEST_TEXT = 8192
const LONGEST_ENTITY = 256
const LONGEST_TITLE = 200

/** Turns the text of a raw record into its events. */
export type Normalise = (text: string, origin: Coordinates) => Event[]

/** A text that any encoder takes: no half of a surrogate pair, not empty, not longer than `longest`. */
const bounded = (value: string | null | undefined, longest = LONGEST_TEXT): string | null => {
  if (value === null || value === undefined || value === '') return null
  const cut = value.length > longest ? value.slice(0, longest) : value
  return cut.isWellFormed() ? cut : cut.toWellFormed()
}

/** Whom state is kept for: the source address, else user, host or sensor; never nobody. */
const entityOf = (read: SourceEvent, source: string): string => {
  if (read.srcIp) return `ip:${read.srcIp}`
  if (read.user) return `user:${bounded(read.user, LONGEST_ENTITY)}`
  const host = read.dstHost ?? read.dstIp
  if (host) return `host:${bounded(host, LONGEST_ENTITY)}`
  return `sensor:${bounded(read.sensor, LONGEST_ENTITY) ?? source}`
}

const readEvent = ({ source, value }: RawEvent, context: ReadContext): SourceEvent => {
  try {
    return source.read(value, context)
  } catch (error) {
    if (error instanceof SentinelError) throw error
    // Records are made by attackers: one that trips a source must not stop the stage.
    throw new SentinelError('NS_MALFORMED', `${source.name}: ${toSentinelError(error).message}`, {
      cause: error,
    })
  }
}

const eventOf = (
  id: string,
  source: string,
  read: SourceEvent,
  origin: Coordinates,
  { json, text }: Redacted,
  secretHash: string | null,
): Event => {
  const ahead = read.time !== null && read.time > origin.timestamp + CLOCK_TOLERANCE_MS
  // Secrets are replaced before a text is cut: a cut through a secret would let its first part pass.
  const clear = (value: string | null | undefined, longest = LONGEST_TEXT) =>
    value ? bounded(text(value), longest) : null
  return {
    id,
    time: read.time === null || ahead ? origin.timestamp : read.time,
    clockSkew: ahead,
    source,
    sensor: bounded(read.sensor),
    type: bounded(read.type) ?? 'unknown',
    title: clear(read.title, LONGEST_TITLE) ?? 'Event',
    category: read.category,
    action: bounded(read.action) ?? 'event',
    outcome: read.outcome ?? 'unknown',
    entity: entityOf(read, source),
    srcIp: read.srcIp ?? null,
    srcPort: read.srcPort ?? null,
    dstIp: read.dstIp ?? null,
    dstPort: read.dstPort ?? null,
    dstHost: clear(read.dstHost),
    transport: bounded(read.transport),
    service: bounded(read.service),
    session: bounded(read.session),
    user: bounded(read.user),
    secretHash,
    command: clear(read.command),
    url: clear(read.url),
    method: clear(read.method),
    status: clear(read.status),
    userAgent: clear(read.userAgent),
    query: clear(read.query),
    fileName: clear(read.fileName),
    fileHash: bounded(read.fileHash),
    fingerprint: bounded(read.fingerprint),
    signatureId: bounded(read.signatureId),
    signature: clear(read.signature),
    sourceSeverity: read.sourceSeverity ?? null,
    durationMs: read.durationMs ?? null,
    bytesIn: read.bytesIn ?? null,
    bytesOut: read.bytesOut ?? null,
    packets: read.packets ?? null,
    techniques: read.techniques ?? [],
    origin,
    original: json,
  }
}

/**
 * Makes the function that turns a raw record's text into events in the normal form. One record gives one event with the
 * id `<topic>-<partition>-<offset>`, or several, in order, with `-0`, `-1` … added.
 *
 * The function throws poison errors only: NS_EMPTY, NS_NOT_JSON, NS_UNKNOWN_SOURCE and NS_MALFORMED. Making it throws
 * NS_CONFIG_INVALID.
 */
export const createNormalise = (
  config: SectionValues<typeof sourcesConfig>,
  sources: readonly Source[] = SOURCES,
): Normalise => {
  const context: ReadContext = { time: createTimeReader(config.assumeTimeZone) }
  const redactor = createRedactor(config)
  return (text, origin) => {
    const raw = rawEventsOf(text, sources)
    const base = `${origin.topic}-${origin.partition}-${origin.offset}`
    return raw.map((each, index) => {
      const read = readEvent(each, context)
      const secret = read.secret || null
      const known = [...(secret === null ? [] : [secret]), ...(read.secrets ?? [])]
      const redacted = redactor.redact(each.json, known)
      const hash = secret === null ? null : redactor.hash(secret)
      const id = raw.length === 1 ? base : `${base}-${index}`
      return eventOf(id, each.source.name, read, origin, redacted, hash)
    })
  }
}
