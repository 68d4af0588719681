import { MOST_DISTINCT } from '../../models/rules/evidence.ts'
import { type FilterExpression, SEVERITIES } from '../../schemas/filter.ts'
import type { Alert, Severity, Threat } from '../../schemas/generated.ts'
import { compileNetworks } from './network.ts'

/** What a filter looks at. */
export type Filtered = Threat | Alert

type Test = (of: Filtered) => boolean

/** A filter that is ready to be asked. */
export interface Filter {
  /** The same for filters that mean the same by their form: order, repetitions and spellings of addresses do not count. */
  readonly key: string
  /** Allocates nothing, and never throws. */
  readonly matches: Test
}

/** Lets everything pass. */
export const EVERYTHING: Filter = { key: '', matches: () => true }

const NOTHING: Filter = { key: 'not()', matches: () => false }

const RANK = Object.fromEntries(SEVERITIES.map((severity, rank) => [severity, rank])) as Readonly<
  Record<Severity, number>
>

const ADDRESS_PREFIX = 'ip:'

/**
 * How a list within an alert is read, which is made of several threats. A client that looks for something wants what has
 * it among others (`some`). What somebody may see (`rows`) is only what has nothing else: every sensor of an alert must be
 * allowed, and none forbidden.
 */
type Reading = 'some' | 'rows'

const sensorTest = (wanted: ReadonlySet<string>, every: boolean): Test => {
  const isWanted = (sensor: string) => wanted.has(sensor)
  return of => {
    if ('event' in of) return of.event.sensor !== null && wanted.has(of.event.sensor)
    if (!every) return of.sensors.some(isWanted)
    // An alert with as many sensors as are told apart may have more of them.
    return of.sensors.length > 0 && of.sensors.length < MOST_DISTINCT && of.sensors.every(isWanted)
  }
}

const techniqueTest = (wanted: readonly string[]): Test => {
  const tests = wanted.map(parent => {
    const child = `${parent}.`
    return (technique: string) => technique === parent || technique.startsWith(child)
  })
  const isWanted = tests.reduce((test, other) => technique => test(technique) || other(technique))
  return of => of.techniques.some(isWanted)
}

const addressTest = (networks: ReturnType<typeof compileNetworks>): Test => {
  return ({ entity }) => entity.startsWith(ADDRESS_PREFIX) && networks.contain(entity, ADDRESS_PREFIX.length)
}

const unique = (values: readonly string[]) => [...new Set(values)].toSorted()

const keyOf = (name: string, values: unknown) => `${name}=${JSON.stringify(values)}`

/** The conditions that an expression states itself, without its parts. */
const conditionsOf = (expression: FilterExpression, every: boolean): Filter[] => {
  const { severity, score, entity, address, sensor, technique, category, rule, status } = expression
  const conditions: Filter[] = []
  const add = (name: string, values: unknown, matches: Test) =>
    conditions.push({ key: keyOf(name, values), matches })
  /** A condition on a text that only one of the two has. */
  const addSet = (
    name: string,
    values: readonly string[] | undefined,
    test: (set: ReadonlySet<string>) => Test,
  ) => {
    if (values !== undefined) add(name, unique(values), test(new Set(values)))
  }
  if (severity !== undefined) {
    const least = RANK[severity]
    add('severity', severity, of => RANK[of.severity] >= least)
  }
  if (score !== undefined) add('score', score, of => of.score >= score)
  if (address !== undefined) {
    const networks = compileNetworks(address)
    add('address', networks.key, addressTest(networks))
  }
  addSet('entity', entity, set => of => set.has(of.entity))
  addSet(every ? 'every sensor' : 'sensor', sensor, set => sensorTest(set, every))
  addSet('technique', technique, () => techniqueTest(technique ?? []))
  addSet('category', category, set => of => 'event' in of && set.has(of.event.category))
  addSet('rule', rule, set => of => 'rule' in of && set.has(of.rule))
  addSet('status', status, set => of => 'status' in of && set.has(of.status))
  return conditions
}

/** Joins filters two by two: a list of them would have to be walked with a function made for each message. */
const join = (
  name: 'and' | 'or',
  filters: readonly Filter[],
  pair: (one: Test, other: Test) => Test,
): Filter | undefined => {
  const byKey = new Map(filters.map(filter => [filter.key, filter]))
  const parts = unique([...byKey.keys()]).flatMap(key => byKey.get(key) ?? [])
  const [first, ...rest] = parts
  if (first === undefined || rest.length === 0) return first
  return {
    key: `${name}(${parts.map(({ key }) => key).join(' ')})`,
    matches: rest.reduce((test, { matches }) => pair(test, matches), first.matches),
  }
}

const all = (filters: readonly Filter[]): Filter =>
  join('and', filters, (one, other) => of => one(of) && other(of)) ?? EVERYTHING

const compile = (expression: FilterExpression, reading: Reading, isNegated: boolean): Filter => {
  const part = (each: FilterExpression) => compile(each, reading, isNegated)
  const parts = conditionsOf(expression, reading === 'rows' && !isNegated)
  if (expression.and !== undefined) parts.push(...expression.and.map(part))
  if (expression.or !== undefined) {
    const any = join('or', expression.or.map(part), (one, other) => of => one(of) || other(of))
    parts.push(any ?? NOTHING)
  }
  if (expression.not !== undefined) {
    const { key, matches } = compile(expression.not, reading, !isNegated)
    parts.push({ key: `not(${key})`, matches: of => !matches(of) })
  }
  return all(parts)
}

/** Makes a client's filter, which `parseFilter` has checked, ready to be asked. */
export const compileFilter = (expression: FilterExpression): Filter => compile(expression, 'some', false)

/**
 * What somebody may see of threats and of alerts, live, from the history and over REST. It is asked beside whatever they
 * ask for themselves. An alert is visible when nothing in it is of a sensor that they may not see.
 */
export const visibleTo = ({ rows }: { readonly rows: FilterExpression | null }): Filter =>
  rows === null ? EVERYTHING : compile(rows, 'rows', false)

/** What both let pass. */
export const both = (one: Filter, other: Filter): Filter =>
  all([one, other].filter(each => each !== EVERYTHING))
