import type { Event } from '../../schemas/generated.ts'

/** A JSON object as it came from outside: nothing about its values is known. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Fields of an event that a source may leave out when the record does not have them. */
type OptionalFields = Partial<
  Omit<
    Event,
    | 'id'
    | 'time'
    | 'clockSkew'
    | 'source'
    | 'type'
    | 'title'
    | 'category'
    | 'action'
    | 'entity'
    | 'secretHash'
    | 'origin'
    | 'original'
  >
>

/**
 * What a source makes of a record. What has to do with the record's place, its clock, its entity and its secrets is
 * added by the normaliser, the same for every source. Texts are given whole and in the clear.
 */
export interface SourceEvent extends OptionalFields {
  /** The sensor's time in ms since 1970 (UTC); null when the record has none that can be read. */
  readonly time: number | null
  readonly type: string
  readonly title: string
  readonly category: EventCategory
  readonly action: string
  /** The password that was tried, for `secretHash`. */
  readonly secret?: string | null
  /** Further secrets that cannot be found by the name of their field or by how text around them looks. */
  readonly secrets?: readonly string[]
}

/** The closed list of `Event.category`. */
export type EventCategory =
  | 'authentication'
  | 'network'
  | 'scan'
  | 'web'
  | 'dns'
  | 'file'
  | 'command'
  | 'alert'
  | 'tls'
  | 'system'

/** What a source may ask for while it reads. */
export interface ReadContext {
  /** Reads a time of any form into ms since 1970 (UTC), or null; a text without a zone is in `ASSUME_TIMEZONE`. */
  readonly time: (value: unknown) => number | null
}

/**
 * One raw format. Sources are pure and total: any JSON object may come, with any type in any field; the only thing that
 * `read` throws is NS_MALFORMED, when a field is missing without which there is no event.
 */
export interface Source {
  /** Goes to `Event.source`. */
  readonly name: string
  /** Whether a record is of this format; called for every record, so it looks at a few keys only. */
  recognises(value: JsonObject): boolean
  read(value: JsonObject, context: ReadContext): SourceEvent
}
