import type { Mark, Threat, Window } from '../../schemas/generated.ts'
import type { Correlation } from './correlation.ts'
import { evidenceOf, mergeEvidence } from './evidence.ts'
import { regularity } from './measure.ts'
import type { LinkedCorrelation, Part } from './rule-set.ts'

/** Most UTF-16 units of a value that is counted or grouped by: state stays small whatever an attacker sends. */
const LONGEST_VALUE = 256

/** How many of the latest threats of each rule an ordered correlation keeps. */
const KEPT_IN_ORDER = 16

/** A value as it is kept. No half of a surrogate pair is left, which would come back from the changelog as another. */
export const shortValue = (value: string): string => value.slice(0, LONGEST_VALUE).toWellFormed()

/** The value that a `value_count` counts in a threat; null when it is absent. */
export const countedValue = ({ field }: Correlation, threat: Threat): string | null => {
  const value = field?.valueOf(threat) ?? null
  return value === null ? null : shortValue(String(value))
}

/** What a threat counts as: itself, a value, or the rule that it matched; null when it does not count. */
const keyOf = (rule: Correlation, part: Part, threat: Threat): string | null => {
  switch (rule.type) {
    case 'event_count':
    case 'event_regularity':
      return threat.id
    case 'value_count':
      return countedValue(rule, threat)
    case 'temporal':
      return part.id
    case 'temporal_ordered':
      return `${part.id} ${threat.id}`
  }
}

/** Marks in order of their latest event time; among equals the one that came later is later. */
const insert = (marks: readonly Mark[], mark: Mark): Mark[] => {
  const at = marks.findLastIndex(each => each.evidence.lastSeen <= mark.evidence.lastSeen) + 1
  return marks.toSpliced(at, 0, mark)
}

/** The latest marks, as many as decide the rule. */
const bounded = (rule: LinkedCorrelation, marks: readonly Mark[]): readonly Mark[] => {
  if (rule.type !== 'temporal_ordered') return marks.slice(-rule.count.capacity)
  const kept = new Map<string, number>()
  const isAmongLatest = (mark: Mark) => {
    const count = (kept.get(mark.rule) ?? 0) + 1
    kept.set(mark.rule, count)
    return count <= KEPT_IN_ORDER
  }
  return marks.toReversed().filter(isAmongLatest).toReversed()
}

/** Whether the marks hold the rules one after the other. */
const inOrder = (parts: readonly Part[], marks: readonly Mark[]): boolean => {
  let next = 0
  for (const mark of marks) if (mark.rule === parts[next]?.id) next++
  return next === parts.length
}

const isRegular = ({ regular, count }: Correlation, marks: readonly Mark[]): boolean => {
  const found = regularity(marks.slice(-count.capacity).map(({ evidence }) => evidence.lastSeen))
  if (regular === undefined || found === undefined) return false
  return found.variation <= regular.variation && found.mean >= regular.intervalMs
}

/** Whether the rule's condition holds in a window. */
export const isFulfilled = (rule: LinkedCorrelation, { marks }: Window): boolean => {
  switch (rule.type) {
    case 'event_count':
    case 'value_count':
    case 'temporal':
      return rule.count.holds(marks.length)
    case 'temporal_ordered':
      return inOrder(rule.parts, marks)
    case 'event_regularity':
      return rule.count.holds(marks.length) && isRegular(rule, marks)
  }
}

/**
 * A group's window after a threat that matched `part`; the same window when the threat does not count: because it was
 * there before, is older than the window, or lacks the field that is counted.
 *
 * The window ends at the latest event time of the group and is one timespan long. A late event that still falls into it
 * counts as if it had come in time; one that is newer moves it, and what falls out is forgotten.
 */
export const addToWindow = (
  rule: LinkedCorrelation,
  part: Part,
  threat: Threat,
  window: Window | null,
): Window | null => {
  const key = keyOf(rule, part, threat)
  const end = Math.max(window?.time ?? threat.time, threat.time)
  const start = end - rule.timespanMs
  if (key === null || threat.time < start) return window
  const marks = window?.marks ?? []
  const before = marks.find(each => each.key === key)
  if (before?.evidence.threatIds.includes(threat.id)) return window
  const own = evidenceOf(threat)
  const evidence = before === undefined ? own : mergeEvidence(before.evidence, own)
  const live = marks.filter(each => each.key !== key && each.evidence.lastSeen >= start)
  return { time: end, marks: bounded(rule, insert(live, { key, rule: part.id, evidence })) }
}
