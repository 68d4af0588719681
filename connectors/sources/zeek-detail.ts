import type { JsonObject, SourceEvent } from './source.ts'

/** What a log adds to the fields that all logs of Zeek share. */
type ZeekDetail = Partial<SourceEvent> & Pick<SourceEvent, 'title' | 'category' | 'action'>

/** Reads what is particular to one log of Zeek. */
export type ZeekReader = (value: JsonObject) => ZeekDetail

/** A title of a kind of event and what it was about; the kind alone when that is not known. */
export const named = (kind: string, name: string | null): string => (name === null ? kind : `${kind} ${name}`)
