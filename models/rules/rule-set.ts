import type { Threat } from '../../schemas/generated.ts'
import { type Correlation, compileCorrelation, isCorrelation } from './correlation.ts'
import { compileDetection, type Detection, isDetection } from './detection.ts'
import type { RuleDocument } from './documents.ts'
import { fieldOf } from './fields.ts'

/** A rule that a correlation refers to: its id, and the id or name by which it does. */
export interface Part {
  readonly id: string
  readonly written: string
}

/** A correlation of a rule set. */
export interface LinkedCorrelation extends Correlation {
  readonly parts: readonly Part[]
  /** Whether it makes alerts: it does unless other correlations stand on it. */
  readonly alerts: boolean
}

/** Rules that belong together. */
export interface RuleSet {
  /** Every correlation, each behind those that it stands on. */
  readonly correlations: readonly LinkedCorrelation[]
  /** Ids of the detections that mean a threat; only those are tried that its fields do not rule out. */
  matching(threat: Threat): string[]
  /** The correlations that stand on a rule, in the order of `correlations`. */
  referring(id: string): readonly LinkedCorrelation[]
  /** Place of a correlation in `correlations`. */
  orderOf(rule: LinkedCorrelation): number
}

type Rule = Detection | Correlation

/** Fields that tell rules apart well, best first; a rule is filed under the first of them that it requires. */
const TELLING = [
  'signatureId',
  'signature',
  'query',
  'type',
  'service',
  'action',
  'category',
  'source',
  'severity',
]

/** The detections that may match, by what they require. */
const createIndex = (detections: readonly Detection[]) => {
  const byField = new Map<string, Map<string, Detection[]>>()
  const always: Detection[] = []
  for (const detection of detections) {
    const required = [...detection.requires.keys()]
    const field = TELLING.find(each => required.includes(each)) ?? required[0]
    if (field === undefined) {
      always.push(detection)
      continue
    }
    const byValue = byField.get(field) ?? new Map<string, Detection[]>()
    byField.set(field, byValue)
    for (const value of detection.requires.get(field) ?? []) {
      byValue.set(value, [...(byValue.get(value) ?? []), detection])
    }
  }
  const filed = [...byField].flatMap(([name, byValue]) => {
    const field = fieldOf(name)
    return field === undefined ? [] : [{ field, byValue }]
  })
  return (threat: Threat): ReadonlySet<Detection> => {
    const candidates = new Set(always)
    for (const { field, byValue } of filed) {
      const value = field.valueOf(threat)
      if (value === null) continue
      for (const each of typeof value === 'object' ? value : [value]) {
        for (const detection of byValue.get(String(each).toLowerCase()) ?? []) candidates.add(detection)
      }
    }
    return candidates
  }
}

const compile = (document: RuleDocument): Rule => {
  if (isCorrelation(document)) return compileCorrelation(document)
  if (isDetection(document)) return compileDetection(document)
  return document.fail([], 'a rule has a detection or a correlation')
}

const isSame = (a: Rule, b: Rule) => a.id === b.id

/** The rules of several layers, where a later layer replaces rules of earlier ones by id. Names must stay unique. */
const layered = (layers: readonly (readonly RuleDocument[])[]): Rule[] => {
  let rules: Rule[] = []
  for (const layer of layers) {
    const added = layer.map(compile)
    for (const [index, rule] of added.entries()) {
      const twin = added.slice(0, index).find(each => isSame(each, rule))
      if (twin !== undefined) rule.document.fail([], `the id ${rule.id} is taken by a rule of ${twin.file}`)
    }
    rules = [...rules.filter(rule => !added.some(each => isSame(each, rule))), ...added]
  }
  const byName = new Map<string, Rule>()
  for (const rule of rules) {
    for (const name of new Set([rule.id, rule.name])) {
      const other = byName.get(name)
      if (other !== undefined)
        rule.document.fail(
          ['name'],
          `${name} is a rule of ${other.file} already; only the same id replaces it`,
        )
      byName.set(name, rule)
    }
  }
  return rules.filter(({ inUse }) => inUse)
}

/** A detection that stands alone is a correlation of one event. */
const alone = (detection: Detection): Correlation => {
  const { id, name, title, level, techniques } = detection
  const correlation = { type: 'event_count', rules: id, timespan: '5m', condition: { gte: 1 } }
  const document = { ...detection.document, value: { id, title, correlation } }
  return { ...compileCorrelation(document), name, level, techniques }
}

/** Puts each correlation behind those that it stands on. Fails at one that stands on itself. */
const inOrder = (correlations: readonly LinkedCorrelation[]): LinkedCorrelation[] => {
  const byId = new Map(correlations.map(rule => [rule.id, rule]))
  const ordered = new Set<LinkedCorrelation>()
  const visit = (rule: LinkedCorrelation, above: readonly LinkedCorrelation[]) => {
    if (ordered.has(rule)) return
    if (above.includes(rule)) rule.document.fail(['correlation', 'rules'], 'it stands on itself')
    for (const { id } of rule.parts) {
      const part = byId.get(id)
      if (part !== undefined) visit(part, [...above, rule])
    }
    ordered.add(rule)
  }
  for (const rule of correlations) visit(rule, [])
  return [...ordered]
}

/**
 * Compiles and links rules. A detection that no correlation refers to and whose file holds no correlation stands alone:
 * each threat that it means is an alert. A correlation that others stand on makes alerts only when it says `generate`.
 *
 * Throws NS_RULE_INVALID that names the file and the place.
 */
export const createRuleSet = (layers: readonly (readonly RuleDocument[])[]): RuleSet => {
  const rules = layered(layers)
  const detections = rules.filter(rule => rule.kind === 'detection')
  const written = rules.filter(rule => rule.kind === 'correlation')
  const ids = new Map(rules.flatMap(({ id, name }) => [id, name].map(each => [each, id] as const)))
  const partsOf = (rule: Correlation): Part[] =>
    rule.rules.map((name, index) => ({
      id: ids.get(name) ?? rule.document.fail(['correlation', 'rules', index], `there is no rule ${name}`),
      written: name,
    }))
  const parts = new Map(written.map(rule => [rule, partsOf(rule)]))
  const referred = new Set([...parts.values()].flat().map(({ id }) => id))
  const linked = written.map(rule => ({
    ...rule,
    parts: parts.get(rule) ?? [],
    alerts: rule.generate || !referred.has(rule.id),
  }))
  // Also where the correlation was replaced or is out of use: its detections do not become alerts by that.
  const correlated = new Set(
    layers
      .flat()
      .filter(isCorrelation)
      .map(({ file }) => file),
  )
  const standing = detections
    .filter(({ id, file }) => !referred.has(id) && !correlated.has(file))
    .map(detection => ({
      ...alone(detection),
      parts: [{ id: detection.id, written: detection.id }],
      alerts: true,
    }))
  const correlations = [...inOrder(linked), ...standing]

  const places = new Map(correlations.map((rule, place) => [rule, place]))
  const referring = new Map<string, LinkedCorrelation[]>()
  for (const rule of correlations) {
    for (const id of new Set(rule.parts.map(part => part.id))) {
      referring.set(id, [...(referring.get(id) ?? []), rule])
    }
  }
  // What nothing stands on needs no looking for.
  const candidates = createIndex(detections.filter(({ id }) => referring.has(id)))
  return {
    correlations,
    matching: threat => [...candidates(threat)].filter(each => each.matches(threat)).map(({ id }) => id),
    referring: id => referring.get(id) ?? [],
    orderOf: rule => places.get(rule) ?? -1,
  }
}
