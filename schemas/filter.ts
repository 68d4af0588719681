import { isIP } from 'node:net'
import { z } from 'zod'
import type { AlertStatus, Severity } from './generated.ts'

/** Severities, least first. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const satisfies readonly Severity[]

const STATUSES = ['open', 'acknowledged', 'resolved', 'closed'] as const satisfies readonly AlertStatus[]

/** Bounds of a filter: levels of and, or and not; conditions in all; values in a list; characters of a value. */
const MAX_DEPTH = 8
const MAX_NODES = 128
const MAX_LIST = 128
const MAX_TEXT = 256

/**
 * Which threats or alerts are meant. All that an object names must hold; of a list, one value is enough. `severity` and
 * `score` say how much at least, `entity` is equal (`ip:203.0.113.9`), `address` is a network or an address that the
 * entity's own lies in, a `technique` stands for its sub-techniques as well.
 */
export interface FilterExpression {
  readonly severity?: Severity | undefined
  readonly score?: number | undefined
  readonly entity?: readonly string[] | undefined
  readonly address?: readonly string[] | undefined
  readonly sensor?: readonly string[] | undefined
  readonly technique?: readonly string[] | undefined
  readonly category?: readonly string[] | undefined
  readonly rule?: readonly string[] | undefined
  readonly status?: readonly AlertStatus[] | undefined
  readonly and?: readonly FilterExpression[] | undefined
  readonly or?: readonly FilterExpression[] | undefined
  readonly not?: FilterExpression | undefined
}

/** What a condition can be on. */
export type FilterField = Exclude<keyof FilterExpression, 'and' | 'or' | 'not'>

/** What a filter is of: a channel, or what somebody may see at all (rows), which is both threats and alerts. */
export type FilterScope = 'threats' | 'alerts' | 'rows'

const OF_ROWS = ['severity', 'score', 'entity', 'address', 'sensor'] as const
const FIELDS: Readonly<Record<FilterScope, readonly FilterField[]>> = {
  threats: [...OF_ROWS, 'technique', 'category'],
  alerts: [...OF_ROWS, 'technique', 'rule', 'status'],
  rows: OF_ROWS,
}

const PREFIX = /^(?:0|[1-9]\d{0,2})$/

/** Whether a text is an address, or a network such as `192.0.2.0/24` and `2001:db8::/32`. */
const isNetwork = (text: string): boolean => {
  const [address = '', prefix, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || address.includes('%') || more !== undefined) return false
  return prefix === undefined || (PREFIX.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
}

const list = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(MAX_LIST)
const texts = list(z.string().min(1).max(MAX_TEXT)).optional()

/** A filter as it comes over the wire. Its depth and its size are bounded by {@link parseFilter} alone. */
export const filterExpression: z.ZodType<FilterExpression> = z
  .strictObject({
    severity: z.enum(SEVERITIES).optional(),
    score: z.number().min(0).max(1).optional(),
    entity: texts,
    address: list(
      z.string().refine(isNetwork, 'expected an address or a network like 192.0.2.0/24'),
    ).optional(),
    sensor: texts,
    technique: texts,
    category: texts,
    rule: texts,
    status: list(z.enum(STATUSES)).optional(),
    get and(): z.ZodOptional<z.ZodArray<z.ZodType<FilterExpression>>> {
      return list(filterExpression).optional()
    },
    get or(): z.ZodOptional<z.ZodArray<z.ZodType<FilterExpression>>> {
      return list(filterExpression).optional()
    },
    get not(): z.ZodOptional<z.ZodType<FilterExpression>> {
      return filterExpression.optional()
    },
  })
  .meta({ id: 'Filter' })

/** What is wrong with a filter, in words for whoever wrote it. */
export interface FilterProblem {
  readonly problem: string
}

/** Whether a filter was refused. */
export const isFilterProblem = (parsed: object): parsed is FilterProblem => 'problem' in parsed

/** Parts of an expression, whatever they are. */
const partsOf = (node: Readonly<Record<string, unknown>>): readonly unknown[] =>
  [node['and'], node['or'], node['not']].flat().filter(part => part !== undefined)

/** What is wrong with the size of a filter, its fields and empty parts; it goes no deeper than is allowed. */
const problemOf = (value: unknown, scope: FilterScope): string | undefined => {
  let nodes = 0
  const look = (node: unknown, depth: number): string | undefined => {
    nodes += 1
    if (depth > MAX_DEPTH) return `has more than ${MAX_DEPTH} levels`
    if (nodes > MAX_NODES) return `has more than ${MAX_NODES} parts`
    if (typeof node !== 'object' || node === null || Array.isArray(node))
      return 'has a part that is no object'
    const names = Object.keys(node)
    if (names.length === 0) return 'has an empty part'
    const known = [...FIELDS[scope], 'and', 'or', 'not']
    const unknown = names.find(name => !known.includes(name))
    if (unknown !== undefined) {
      return `names ${JSON.stringify(unknown.slice(0, MAX_TEXT))}, and there are ${known.join(', ')}`
    }
    for (const part of partsOf(node as Record<string, unknown>)) {
      const problem = look(part, depth + 1)
      if (problem !== undefined) return problem
    }
    return undefined
  }
  return look(value, 1)
}

/** Checks a filter that somebody wrote, for what it is of. Never throws. */
export const parseFilter = (value: unknown, scope: FilterScope): FilterExpression | FilterProblem => {
  const problem = problemOf(value, scope)
  if (problem !== undefined) return { problem: `the filter ${problem}` }
  const { data, error } = filterExpression.safeParse(value)
  if (data !== undefined) return data
  const [issue] = error.issues
  return { problem: `the filter is wrong at ${issue?.path.join('.')}: ${issue?.message}` }
}
