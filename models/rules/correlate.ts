import type { Evidence, Threat, Window } from '../../schemas/generated.ts'
import { evidenceOf, mergeEvidence } from './evidence.ts'
import type { LinkedCorrelation, Part, RuleSet } from './rule-set.ts'
import { addToWindow, countedValue, isFulfilled, shortValue } from './window.ts'

/** Where correlation keeps what it knows of groups. */
export interface Groups {
  /**
   * Whether an alert of this group is under way: it takes every threat of the group, without any window and whatever its
   * event time, so that none is lost that would have been an alert by itself.
   */
  isUnderWay(group: string): boolean
  window(group: string): Window | null
  /** Null forgets the window. */
  setWindow(group: string, window: Window | null): void
  /** Whether a rule is to pass over this threat. */
  isSuppressed(rule: LinkedCorrelation): boolean
}

/** A rule that holds of a group, because of a threat. */
export interface Firing {
  readonly rule: LinkedCorrelation
  /** Key of the group. */
  readonly group: string
  /** Values of the group-by fields. */
  readonly values: Readonly<Record<string, string>>
  /** The threats of the window; this one alone when an alert is under way. */
  readonly evidence: Evidence
  /** Values of the counted field, oldest first; empty for a rule that counts none. */
  readonly counted: readonly string[]
}

/** Key of a group: the rule and the values, as JSON, so that no value can pretend to be two. */
export const groupKey = (rule: string, values: readonly string[]): string => JSON.stringify([rule, ...values])

interface GroupMatch {
  readonly values: Readonly<Record<string, string>>
  readonly parts: Part[]
}

/** The groups of a rule that a threat belongs to, each with the rules that it matched: several only with aliases. */
const groupsOf = (
  rule: LinkedCorrelation,
  threat: Threat,
  matched: ReadonlySet<string>,
): Map<string, GroupMatch> => {
  const groups = new Map<string, GroupMatch>()
  for (const part of rule.parts) {
    if (!matched.has(part.id)) continue
    const values = rule.groupBy.map(field => rule.groupValue(field, part.written, threat))
    // Without one of the values it belongs to no group.
    if (values.includes(null)) continue
    const texts = values.map(value => shortValue(value ?? ''))
    const key = groupKey(rule.id, texts)
    const group = groups.get(key)
    if (group !== undefined) group.parts.push(part)
    else {
      const named = Object.fromEntries(rule.groupBy.map((field, i) => [field, texts[i] ?? '']))
      groups.set(key, { values: named, parts: [part] })
    }
  }
  return groups
}

const countedIn = (rule: LinkedCorrelation, { marks }: Window): string[] =>
  rule.type === 'value_count' ? marks.map(({ key }) => key) : []

const evidenceIn = ({ marks }: Window): Evidence | undefined =>
  marks
    .map(({ evidence }) => evidence)
    .reduce<Evidence | undefined>(
      (sum, each) => (sum === undefined ? each : mergeEvidence(sum, each)),
      undefined,
    )

/**
 * Takes a threat into the groups that it belongs to and tells which rules hold now. A rule that makes alerts begins with
 * an empty window once it has fired; one that only others stand on keeps its window, and holds for each further threat
 * while its condition does. Changes nothing but `groups`; depends on nothing but the threat and them.
 */
export const correlate = (rules: RuleSet, threat: Threat, groups: Groups): Firing[] => {
  const firings: Firing[] = []
  const matched = new Set(rules.matching(threat))
  const inOrder = (some: Iterable<LinkedCorrelation>) =>
    [...some].toSorted((a, b) => rules.orderOf(a) - rules.orderOf(b))
  let due = inOrder(new Set([...matched].flatMap(id => rules.referring(id))))

  const fire = (rule: LinkedCorrelation, key: string, { values, parts }: GroupMatch): boolean => {
    if (rule.alerts && groups.isUnderWay(key)) {
      const value = countedValue(rule, threat)
      const counted = value === null ? [] : [value]
      firings.push({ rule, group: key, values, evidence: evidenceOf(threat), counted })
      return true
    }
    const before = groups.window(key)
    const after = parts.reduce((window, part) => addToWindow(rule, part, threat, window), before)
    if (after === null || after === before) return false
    const evidence = isFulfilled(rule, after) ? evidenceIn(after) : undefined
    groups.setWindow(key, evidence !== undefined && rule.alerts ? null : after)
    if (evidence === undefined) return false
    if (rule.alerts) firings.push({ rule, group: key, values, evidence, counted: countedIn(rule, after) })
    return true
  }

  for (let rule = due.shift(); rule !== undefined; rule = due.shift()) {
    if (groups.isSuppressed(rule)) continue
    const fired = [...groupsOf(rule, threat, matched)].filter(([key, match]) => fire(rule, key, match))
    if (fired.length === 0 || matched.has(rule.id)) continue
    matched.add(rule.id)
    due = inOrder(new Set([...due, ...rules.referring(rule.id)]))
  }
  return firings
}
