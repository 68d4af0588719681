import { z } from 'zod'
import type { Severity } from '../../schemas/generated.ts'
import type { RuleDocument } from './documents.ts'

/** Longest id or name of a rule: it is part of keys and of labels. */
const LONGEST_NAME = 100

const name = z
  .string()
  .min(1)
  .max(LONGEST_NAME)
  .regex(/^[\w.-]+$/, 'may hold letters, digits, dot, dash and underscore')

/** What Sigma's detection and correlation rules have in common; what only people read may hold anything. */
export const headerShape = {
  title: z.string().min(1).max(256),
  id: name.optional(),
  name: name.optional(),
  status: z.enum(['stable', 'test', 'experimental', 'deprecated', 'unsupported']).optional(),
  description: z.string().optional(),
  level: z.enum(['informational', 'low', 'medium', 'high', 'critical']).optional(),
  tags: z.array(z.string().regex(/^[a-z0-9_-]+\.[a-z0-9._-]+$/, 'is not like attack.t1110')).optional(),
  related: z.unknown().optional(),
  taxonomy: z.unknown().optional(),
  license: z.unknown().optional(),
  author: z.unknown().optional(),
  references: z.unknown().optional(),
  date: z.unknown().optional(),
  modified: z.unknown().optional(),
  fields: z.unknown().optional(),
  falsepositives: z.union([z.string(), z.array(z.string())]).optional(),
  scope: z.unknown().optional(),
}

/** The header of a rule. */
export interface Header {
  /** What other rules, alerts and decisions call it: its id, else its name. */
  readonly id: string
  readonly name: string
  readonly title: string
  readonly level: Severity
  /** MITRE ATT&CK technique ids among its tags. */
  readonly techniques: readonly string[]
  /** False for a rule that is deprecated or unsupported: it is not in use. */
  readonly inUse: boolean
}

const TECHNIQUE_TAG = /^attack\.(t\d{4}(?:\.\d{3})?)$/

/** The header of a parsed rule. Fails at the document's beginning when it has neither id nor name. */
export const headerOf = (
  document: RuleDocument,
  parsed: z.output<z.ZodObject<typeof headerShape>>,
): Header => {
  const id = parsed.id ?? parsed.name ?? document.fail([], 'a rule needs an id or a name')
  const { level = 'medium' } = parsed
  return {
    id,
    name: parsed.name ?? id,
    title: parsed.title,
    level: level === 'informational' ? 'low' : level,
    techniques: (parsed.tags ?? []).flatMap(tag => TECHNIQUE_TAG.exec(tag)?.[1]?.toUpperCase() ?? []),
    inUse: parsed.status !== 'deprecated' && parsed.status !== 'unsupported',
  }
}

/** Parses a document by a schema. Fails at the place of the first thing that does not fit. */
export const parseDocument = <T extends z.ZodType>(document: RuleDocument, schema: T): z.output<T> => {
  const { data, error, success } = schema.safeParse(document.value)
  if (success) return data
  const [issue] = error.issues
  if (issue === undefined) return document.fail([], 'it is not a rule')
  if (issue.code === 'unrecognized_keys')
    return document.fail([...issue.path, ...issue.keys.slice(0, 1)], 'no such attribute')
  return document.fail(issue.path, issue.message)
}
