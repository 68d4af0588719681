import { z } from 'zod'
import { messageOf } from '../../runtime/errors.ts'
import type { Threat } from '../../schemas/generated.ts'
import { type Condition, parseCondition } from './condition.ts'
import type { Path, RuleDocument } from './documents.ts'
import { compileFieldTest, type FieldTest, type Predicate } from './field-test.ts'
import { type Header, headerOf, headerShape, parseDocument } from './header.ts'

/** Texts (lower case) of which a field must equal one, by field. */
export type Requirements = ReadonlyMap<string, ReadonlySet<string>>

/** A Sigma detection rule, compiled: it means single threats. */
export interface Detection extends Header {
  readonly kind: 'detection'
  readonly file: string
  readonly matches: Predicate
  /** What must hold of a threat for it to match; empty where nothing simple does. */
  readonly requires: Requirements
  readonly document: RuleDocument
}

const schema = z.strictObject({
  ...headerShape,
  logsource: z
    .strictObject({
      product: z.string().optional(),
      category: z.string().optional(),
      service: z.string().optional(),
      definition: z.string().optional(),
    })
    .optional(),
  detection: z.looseObject({ condition: z.string() }),
})

interface Compiled {
  readonly test: Predicate
  readonly requires: Requirements
}

const NOTHING: Requirements = new Map()

/** All of them hold, so whatever one of them requires is required. */
const both = (parts: readonly Requirements[]): Requirements => new Map(parts.flatMap(part => [...part]))

/** One of them holds, so a field is required only where each of them does, and any of their texts will do. */
const either = ([first = NOTHING, ...rest]: readonly Requirements[]): Requirements =>
  new Map(
    [...first].flatMap(([field, values]): [string, ReadonlySet<string>][] => {
      const others = rest.map(part => part.get(field))
      if (others.includes(undefined)) return []
      return [[field, new Set([...values, ...others.flatMap(each => [...(each ?? [])])])]]
    }),
  )

const requirementOf = ({ equals }: FieldTest): Requirements =>
  equals === undefined ? NOTHING : new Map([[equals.field, new Set(equals.values)]])

const compileMap = (document: RuleDocument, path: Path, map: Readonly<Record<string, unknown>>): Compiled => {
  const tests = Object.entries(map).map(([key, wanted]) => {
    try {
      return compileFieldTest(key, wanted)
    } catch (error) {
      return document.fail([...path, key], messageOf(error))
    }
  })
  if (tests.length === 0) return document.fail(path, 'a selection needs at least one field')
  return {
    test: threat => tests.every(each => each.test(threat)),
    requires: both(tests.map(requirementOf)),
  }
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const compileSelection = (document: RuleDocument, path: Path, selection: unknown): Compiled => {
  if (isMap(selection)) return compileMap(document, path, selection)
  if (!Array.isArray(selection) || selection.length === 0)
    return document.fail(path, 'a selection is a map of fields, or a list of such maps')
  const parts = selection.map((each, index) =>
    isMap(each)
      ? compileMap(document, [...path, index], each)
      : document.fail(
          [...path, index],
          'words without a field are not understood: name the field, e.g. original|contains',
        ),
  )
  return {
    test: threat => parts.some(each => each.test(threat)),
    requires: either(parts.map(each => each.requires)),
  }
}

const compileCondition = (condition: Condition, selections: ReadonlyMap<string, Compiled>): Compiled => {
  switch (condition.kind) {
    case 'selection':
      return selections.get(condition.name) ?? { test: () => false, requires: NOTHING }
    case 'not': {
      const { test } = compileCondition(condition.part, selections)
      return { test: threat => !test(threat), requires: NOTHING }
    }
    case 'and':
    case 'or': {
      const parts = condition.parts.map(part => compileCondition(part, selections))
      return condition.kind === 'and'
        ? {
            test: threat => parts.every(each => each.test(threat)),
            requires: both(parts.map(each => each.requires)),
          }
        : {
            test: threat => parts.some(each => each.test(threat)),
            requires: either(parts.map(each => each.requires)),
          }
    }
  }
}

/** Formats whose events a log source may be limited to; `netsentinel` is all of them. */
const PRODUCTS = ['netsentinel', 'opencanary', 'cowrie', 'zeek', 'suricata']

const LOG_SOURCE_FIELDS = { product: 'source', category: 'category', service: 'type' } as const

/** A log source in terms of fields: product is the source, category the category, service the source's own type. */
const compileLogSource = (
  document: RuleDocument,
  logsource: z.output<typeof schema>['logsource'] = {},
): Compiled => {
  const { product } = logsource
  if (product !== undefined && !PRODUCTS.includes(product))
    document.fail(
      ['logsource', 'product'],
      `there is no product ${product}; there are ${PRODUCTS.join(', ')}`,
    )
  const tests = Object.entries(LOG_SOURCE_FIELDS).flatMap(([key, field]) => {
    const wanted = logsource[key as keyof typeof LOG_SOURCE_FIELDS]
    return wanted === undefined || wanted === 'netsentinel' ? [] : [compileFieldTest(field, wanted)]
  })
  return {
    test: threat => tests.every(each => each.test(threat)),
    requires: both(tests.map(requirementOf)),
  }
}

/** Whether a document is a detection rule. */
export const isDetection = ({ value }: RuleDocument): boolean => isMap(value) && 'detection' in value

/** Compiles a Sigma detection rule. Throws NS_RULE_INVALID that names the place and what is wrong there. */
export const compileDetection = (document: RuleDocument): Detection => {
  const parsed = parseDocument(document, schema)
  const { condition, ...named } = parsed.detection
  if ('timeframe' in named) document.fail(['detection', 'timeframe'], 'write a correlation with a timespan')
  const selections = new Map(
    Object.entries(named).map(([name, selection]) => [
      name,
      compileSelection(document, ['detection', name], selection),
    ]),
  )
  const logSource = compileLogSource(document, parsed.logsource)
  const compile = (): Compiled => {
    try {
      return compileCondition(parseCondition(condition, [...selections.keys()]), selections)
    } catch (error) {
      return document.fail(['detection', 'condition'], messageOf(error))
    }
  }
  const compiled = compile()
  return {
    ...headerOf(document, parsed),
    kind: 'detection',
    file: document.file,
    matches: (threat: Threat) => logSource.test(threat) && compiled.test(threat),
    requires: both([logSource.requires, compiled.requires]),
    document,
  }
}
