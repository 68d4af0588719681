import type { Severity } from '../../schemas/generated.ts'
import { ATTACK_VERSION, type AttackEntry, techniqueOf } from './attack.ts'

/** The OCSF release that findings are written in. */
export const OCSF_VERSION = '1.6.0'

/** A JSON object, or undefined where an attribute is left out. */
export type Json = Readonly<Record<string, unknown>>

/** Longest text of an attribute, in UTF-16 units. */
export const TEXT_CHARS = 2_048

/** A severity as OCSF has it. */
export const SEVERITIES: Readonly<Record<Severity, { id: number; risk: number; caption: string }>> = {
  low: { id: 2, risk: 1, caption: 'Low' },
  medium: { id: 3, risk: 2, caption: 'Medium' },
  high: { id: 4, risk: 3, caption: 'High' },
  critical: { id: 5, risk: 4, caption: 'Critical' },
}

/** Whether OCSF would leave it out. */
export const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/** The value without anything empty in it: OCSF leaves an attribute out rather than writing null or "". */
export const compact = (value: unknown): unknown => {
  if (typeof value === 'string') return value.toWellFormed()
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (const each of value) {
      const item = compact(each)
      if (!isEmpty(item)) items.push(item)
    }
    return items
  }
  const kept: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const item = compact((value as Json)[key])
    if (!isEmpty(item)) kept[key] = item
  }
  return kept
}

/** A text of at most so many UTF-16 units, and a mark where something was lost. */
export const cut = (text: string, chars: number): string =>
  text.length <= chars ? text : `${text.slice(0, chars)}…`

const attackRef = (entry: AttackEntry): Json => ({ uid: entry.id, name: entry.name, src_url: entry.url })

/** One object for each pair of technique and tactic, as OCSF asks since its list of tactics is deprecated. */
export const attacksOf = (techniques: readonly string[]): Json[] =>
  [...new Set(techniques)].flatMap(id => {
    const found = techniqueOf(id)
    if (found === undefined) return []
    const base = {
      version: ATTACK_VERSION,
      technique: attackRef(found.technique),
      ...(found.subTechnique === undefined ? {} : { sub_technique: attackRef(found.subTechnique) }),
    }
    return found.tactics.length === 0
      ? [base]
      : found.tactics.map(tactic => ({ ...base, tactic: attackRef(tactic) }))
  })

/**
 * A finding as one line of JSON in UTF-8: no framing, no line break, no control character, not even those that JSON
 * allows unescaped (U+007F–U+009F, U+2028, U+2029), because terminals and line readers act on them.
 */
export const oneLine = (finding: Json): Buffer =>
  Buffer.from(
    JSON.stringify(finding).replace(
      /[\u007f-\u009f\u2028\u2029]/g,
      char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  )
