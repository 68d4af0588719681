import { z } from 'zod'
import { messageOf } from '../../runtime/errors.ts'
import type { Threat } from '../../schemas/generated.ts'
import type { RuleDocument } from './documents.ts'
import { type Field, fieldNames, fieldOf } from './fields.ts'
import { type Header, headerOf, headerShape, parseDocument } from './header.ts'
import {
  CORRELATION_TYPES,
  type CorrelationType,
  type CountCondition,
  compileCount,
  conditionSchema,
  parseTimespan,
} from './measure.ts'

/** Most marks that the window of a group may need: a condition beyond it is refused, so that state stays small. */
const MOST_MARKS = 500

/** A Sigma correlation rule, compiled: it means groups of threats. */
export interface Correlation extends Header {
  readonly kind: 'correlation'
  readonly file: string
  readonly type: CorrelationType
  /** Ids of the rules that it correlates, in the order written. */
  readonly rules: readonly string[]
  /** Names of the group-by fields. */
  readonly groupBy: readonly string[]
  /** Value of a group-by field in a threat that matched `rule`; null when it is absent. */
  groupValue(field: string, rule: string, threat: Threat): string | null
  readonly timespanMs: number
  /** The timespan as it is written. */
  readonly timespan: string
  readonly count: CountCondition
  /** The field whose distinct values are counted, for `value_count`. */
  readonly field?: Field
  /** For `event_regularity`: the greatest variation, and the least mean gap in ms. */
  readonly regular?: { readonly variation: number; readonly intervalMs: number }
  /** True when it makes alerts even though another rule refers to it. */
  readonly generate: boolean
  readonly document: RuleDocument
}

const schema = z.strictObject({
  ...headerShape,
  generate: z.boolean().optional(),
  correlation: z.strictObject({
    type: z.enum(CORRELATION_TYPES),
    rules: z.union([z.string().transform(rule => [rule]), z.array(z.string()).min(1)]),
    'group-by': z.union([z.string().transform(field => [field]), z.array(z.string())]).optional(),
    timespan: z.string(),
    condition: conditionSchema.optional(),
    aliases: z.record(z.string(), z.record(z.string(), z.string())).optional(),
    generate: z.boolean().optional(),
  }),
})

type Parsed = z.output<typeof schema>['correlation']

const textOf = (field: Field, threat: Threat): string | null => {
  const value = field.valueOf(threat)
  return value === null || typeof value === 'object' ? null : String(value)
}

/** A field that has one value: for grouping and counting. */
const singleField = (name: string): Field => {
  const field = fieldOf(name)
  if (field === undefined)
    throw new Error(`there is no field '${name}'; there are ${fieldNames().join(', ')}`)
  if (field.kind === 'list') throw new Error(`${name} holds several values`)
  return field
}

const compileGroup = (document: RuleDocument, parsed: Parsed) => {
  const groupBy = parsed['group-by'] ?? ['entity']
  const aliases = parsed.aliases ?? {}
  const at = (name: string, path: readonly PropertyKey[]): Field => {
    try {
      return singleField(name)
    } catch (error) {
      return document.fail(['correlation', ...path], messageOf(error))
    }
  }
  if (!groupBy.includes('entity'))
    document.fail(
      ['correlation', 'group-by'],
      'it must name entity: threats are shared out by entity, and a group of several would see a part of them only',
    )
  if (new Set(groupBy).size < groupBy.length)
    document.fail(['correlation', 'group-by'], 'it names a field twice')
  const fields = new Map(
    groupBy.map((name, index): [string, (rule: string) => Field | undefined] => {
      const alias = aliases[name]
      if (alias === undefined) {
        const field = at(name, ['group-by', index])
        return [name, () => field]
      }
      if (fieldOf(name) !== undefined)
        document.fail(['correlation', 'aliases', name], 'it is the name of a field')
      const byRule = new Map(
        Object.entries(alias).map(([rule, field]) => {
          if (!parsed.rules.includes(rule))
            document.fail(['correlation', 'aliases', name, rule], 'it is not among the rules')
          return [rule, at(field, ['aliases', name, rule])]
        }),
      )
      const missing = parsed.rules.find(rule => !byRule.has(rule))
      if (missing !== undefined)
        document.fail(['correlation', 'aliases', name], `it names no field of the rule ${missing}`)
      return [name, rule => byRule.get(rule)]
    }),
  )
  const groupValue = (name: string, rule: string, threat: Threat): string | null => {
    const field = fields.get(name)?.(rule)
    return field === undefined ? null : textOf(field, threat)
  }
  return { groupBy, groupValue }
}

const compileMeasure = (document: RuleDocument, { type, rules, condition = {} }: Parsed) => {
  const fail = (path: readonly string[], problem: string) =>
    document.fail(['correlation', 'condition', ...path], problem)
  const all = { gte: rules.length }
  const ordered = type === 'temporal_ordered'
  const temporal = ordered || type === 'temporal'
  const given = compileCount(condition)
  if (ordered && given !== undefined) fail([], 'temporal_ordered always means all of its rules')
  const count = given ?? (temporal ? compileCount(all) : undefined)
  if (count === undefined) return fail([], 'it needs at least one of gt, gte, lt, lte, eq')
  if (count.capacity > MOST_MARKS) fail([], `counts beyond ${MOST_MARKS} are not kept apart`)
  if (type === 'temporal' && !rules.some((_, index) => count.holds(index + 1)))
    fail([], `there are ${rules.length} rules: it never holds`)
  if ((type === 'value_count') !== (condition.field !== undefined))
    fail([], type === 'value_count' ? 'value_count needs a field' : `${type} counts no values of a field`)
  const { variation, interval = '1s' } = condition
  if (type !== 'event_regularity') {
    if (variation !== undefined || condition.interval !== undefined)
      fail([], 'variation and interval belong to event_regularity')
  } else if (variation === undefined || condition.gte !== count.capacity || count.capacity < 4)
    fail([], 'event_regularity needs variation, and as its only bound a gte of at least 4')
  const attempt = <T>(path: string, run: () => T): T => {
    try {
      return run()
    } catch (error) {
      return fail([path], messageOf(error))
    }
  }
  const { field } = condition
  return {
    count,
    ...(field === undefined ? {} : { field: attempt('field', () => singleField(field)) }),
    ...(variation === undefined
      ? {}
      : { regular: { variation, intervalMs: attempt('interval', () => parseTimespan(interval)) } }),
  }
}

/** Whether a document is a correlation rule. */
export const isCorrelation = ({ value }: RuleDocument): boolean =>
  typeof value === 'object' && value !== null && 'correlation' in value

/** Compiles a Sigma correlation rule. Throws NS_RULE_INVALID that names the place and what is wrong there. */
export const compileCorrelation = (document: RuleDocument): Correlation => {
  const { correlation, generate, ...header } = parseDocument(document, schema)
  const timespanMs = (() => {
    try {
      return parseTimespan(correlation.timespan)
    } catch (error) {
      return document.fail(['correlation', 'timespan'], messageOf(error))
    }
  })()
  return {
    ...headerOf(document, header),
    kind: 'correlation',
    file: document.file,
    type: correlation.type,
    rules: correlation.rules,
    ...compileGroup(document, correlation),
    ...compileMeasure(document, correlation),
    timespanMs,
    timespan: correlation.timespan,
    generate: correlation.generate ?? generate ?? false,
    document,
  }
}
