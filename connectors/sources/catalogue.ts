import { cowrie } from './cowrie.ts'
import { opencanary } from './opencanary.ts'
import type { JsonObject, Source } from './source.ts'
import { suricata } from './suricata.ts'
import { zeek } from './zeek.ts'

/** Every source, in the order they are asked. A new one is a file and a line here. */
export const SOURCES: readonly Source[] = [opencanary, cowrie, suricata, zeek]

/** The source that recognises a record. */
export const detect = (value: JsonObject, sources: readonly Source[] = SOURCES): Source | undefined =>
  sources.find(source => source.recognises(value))
