import { BlockList, isIP } from 'node:net'
import type { Threat } from '../../schemas/generated.ts'
import { type Field, fieldNames, fieldOf, SEVERITIES, severityRank } from './fields.ts'
import { compilePattern, type Placement, type TextPattern } from './patterns.ts'

/** Whether a threat is meant. */
export type Predicate = (threat: Threat) => boolean

/** One compiled line of a selection. */
export interface FieldTest {
  readonly test: Predicate
  /** The field must equal one of these texts (lower case) for the test to hold; not given where that is not so. */
  readonly equals?: { readonly field: string; readonly values: readonly string[] }
}

const PLACEMENTS = ['contains', 'startswith', 'endswith']
const COMPARISONS = ['gt', 'gte', 'lt', 'lte']
const FLAGS = ['i', 'm', 's']
const MODIFIERS = [...PLACEMENTS, ...COMPARISONS, 'all', 'cased', 'cidr', 'exists', 're']

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
}

/** Tests one value of the field that is not a list. */
type ValueTest = (value: string | number | boolean) => boolean

const numberOf = (field: Field, value: unknown): number => {
  const severity = SEVERITIES.find(each => each === value)
  if (field.kind === 'severity' && severity !== undefined) return severityRank(severity)
  if (field.kind === 'number' && typeof value === 'number') return value
  const wanted = field.kind === 'severity' ? `one of ${SEVERITIES.join(', ')}` : 'a number'
  throw new Error(`${field.name} is compared with ${wanted}, not ${JSON.stringify(value)}`)
}

const comparison = (field: Field, modifier: string, wanted: unknown): ValueTest => {
  if (field.kind !== 'number' && field.kind !== 'severity')
    throw new Error(`${field.name} is not a number: ${modifier} makes no sense on it`)
  const bound = numberOf(field, wanted)
  const compare = COMPARE[modifier] ?? (() => false)
  return value => compare(field.kind === 'severity' ? numberOf(field, value) : Number(value), bound)
}

const network = (wanted: unknown): ValueTest => {
  const [address = '', bits = ''] = typeof wanted === 'string' ? wanted.split('/') : []
  const family = isIP(address)
  const prefix = Number(bits)
  if (family === 0 || !/^\d+$/.test(bits) || prefix > (family === 4 ? 32 : 128))
    throw new Error(`${JSON.stringify(wanted)} is not a network like 192.0.2.0/24 or 2001:db8::/32`)
  const list = new BlockList()
  list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  return value => {
    const kind = isIP(String(value))
    return kind !== 0 && list.check(String(value), kind === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Whether an address lies in a network. Throws an Error when `cidr` is not one. */
export const inNetwork = (cidr: string): ((address: string) => boolean) => network(cidr)

const regularExpression = (wanted: unknown, flags: string): ValueTest => {
  if (typeof wanted !== 'string') throw new Error('re takes a text')
  const regExp = new RegExp(wanted, flags)
  return value => regExp.test(String(value))
}

const pattern = (field: Field, wanted: unknown, modifiers: readonly string[]): TextPattern => {
  if (typeof wanted !== 'string' && typeof wanted !== 'number')
    throw new Error(`${field.name} is compared with a text or a number, not ${JSON.stringify(wanted)}`)
  const placement = (modifiers.find(each => PLACEMENTS.includes(each)) ?? 'whole') as Placement
  return compilePattern(String(wanted), placement, modifiers.includes('cased'))
}

/** Compiles one wanted value; `literal` is set when nothing but one text matches. */
const compileValue = (
  field: Field,
  wanted: unknown,
  modifiers: readonly string[],
): { test: ValueTest; literal?: string } => {
  const compared = modifiers.find(each => COMPARISONS.includes(each))
  if (compared !== undefined) return { test: comparison(field, compared, wanted) }
  if (modifiers.includes('cidr')) return { test: network(wanted) }
  if (modifiers.includes('re'))
    return { test: regularExpression(wanted, modifiers.filter(each => FLAGS.includes(each)).join('')) }
  if (field.kind === 'flag') {
    if (typeof wanted !== 'boolean') throw new Error(`${field.name} is true or false`)
    return { test: value => value === wanted }
  }
  if (field.kind === 'number' && modifiers.length === 0) {
    const number = numberOf(field, wanted)
    return { test: value => value === number }
  }
  const { test, literal } = pattern(field, wanted, modifiers)
  return { test: value => test(String(value)), ...(literal === undefined ? {} : { literal }) }
}

const checkModifiers = (field: Field, modifiers: readonly string[]): void => {
  for (const [index, modifier] of modifiers.entries()) {
    const isFlag = FLAGS.includes(modifier) && modifiers.slice(0, index).includes('re')
    if (!MODIFIERS.includes(modifier) && !isFlag)
      throw new Error(`the modifier ${modifier} is not known; there are ${MODIFIERS.join(', ')}`)
  }
  const kinds = modifiers.filter(each => each !== 'all' && each !== 'cased' && !FLAGS.includes(each))
  if (kinds.length > 1) throw new Error(`${kinds.join(' and ')} exclude each other on ${field.name}`)
}

/**
 * Compiles one line of a selection, `field|modifier…: value or values`: any of the values is enough, with `all` each of
 * them. An absent field equals null and nothing else; a list holds when one of its members does.
 *
 * Throws an Error in words about the line.
 */
export const compileFieldTest = (key: string, wanted: unknown): FieldTest => {
  const [name = '', ...modifiers] = key.split('|')
  const field = fieldOf(name)
  if (field === undefined)
    throw new Error(`there is no field ${JSON.stringify(name)}; there are ${fieldNames().join(', ')}`)
  checkModifiers(field, modifiers)
  const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted]
  if (values.length === 0) throw new Error(`${name} is compared with an empty list`)

  if (modifiers.includes('exists')) {
    const [exists] = values
    if (typeof exists !== 'boolean' || values.length > 1) throw new Error('exists takes true or false')
    return { test: threat => (field.valueOf(threat) !== null) === exists }
  }
  const compiled = values.map(value => (value === null ? null : compileValue(field, value, modifiers)))
  const holds = (threat: Threat, one: (typeof compiled)[number]): boolean => {
    const value = field.valueOf(threat)
    if (value === null || one === null) return value === one
    return typeof value === 'object' ? value.some(one.test) : one.test(value)
  }
  if (modifiers.includes('all')) return { test: threat => compiled.every(one => holds(threat, one)) }
  const literals = compiled.flatMap(one => one?.literal ?? [])
  return {
    test: threat => compiled.some(one => holds(threat, one)),
    ...(literals.length === compiled.length ? { equals: { field: name, values: literals } } : {}),
  }
}
