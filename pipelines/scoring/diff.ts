import { isDeepStrictEqual } from 'node:util'
import type { Severity, Threat } from '../../schemas/generated.ts'

/** One of the two topics that are compared. */
export type Side = 'a' | 'b'

/** A threat as it lies in a partition. */
export interface Placed {
  readonly threat: Threat
  /** Key of its record; null when it has none. */
  readonly key: string | null
  /** The record's timestamp, in ms since 1970. */
  readonly timestamp: number
}

/** What a difference says of a threat. */
export type ThreatSummary = Pick<Threat, 'id' | 'entity' | 'eventOffset' | 'score' | 'severity'>

/**
 * One difference between two partitions of threats:
 * - `appear`: the event is a threat in B and none in A; `vanish`: the other way round;
 * - `change`: it is a threat in both, and `fields` differ;
 * - `duplicate`: it is a threat more than once on `side`;
 * - `order`: on `side` it comes after a threat of a later event.
 */
export type Difference =
  | { readonly kind: 'appear' | 'vanish'; readonly threat: ThreatSummary }
  | {
      readonly kind: 'change'
      readonly fields: readonly string[]
      readonly before: ThreatSummary
      readonly after: ThreatSummary
    }
  | { readonly kind: 'duplicate' | 'order'; readonly side: Side; readonly threat: ThreatSummary }

/** How many threats were compared. */
export interface Compared {
  readonly a: number
  readonly b: number
  /** Threats that both have, equal in all that is compared. */
  readonly same: number
}

/** How two partitions are compared. */
export interface DiffOptions {
  /** Fields that may differ: of the threat, `event.<field>`, or `record.key` and `record.timestamp`. */
  readonly ignore?: ReadonlySet<string>
  readonly onDifference: (difference: Difference) => void
}

/**
 * Threats without a counterpart that are held in case it comes out of order; above it the earliest of them are reported.
 * It bounds the memory of comparing two topics that have nothing in common.
 */
const HELD = 10_000

const summary = ({ id, entity, eventOffset, score, severity }: Threat): ThreatSummary => ({
  id,
  entity,
  eventOffset,
  score,
  severity,
})

const differing = (a: object, b: object, prefix: string, ignore: ReadonlySet<string>): string[] => {
  const [before, after] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter(name => !ignore.has(prefix + name) && !isDeepStrictEqual(before.get(name), after.get(name)))
    .map(name => prefix + name)
}

/** The names of what differs between two records of one event, by value to the bit; in the order of the schema. */
const differingFields = (a: Placed, b: Placed, ignore: ReadonlySet<string>): string[] => {
  const withEvent = new Set([...ignore, 'event'])
  return [
    ...differing(a.threat, b.threat, '', withEvent),
    ...(ignore.has('event') ? [] : differing(a.threat.event, b.threat.event, 'event.', ignore)),
    ...differing(
      { key: a.key, timestamp: a.timestamp },
      { key: b.key, timestamp: b.timestamp },
      'record.',
      ignore,
    ),
  ]
}

/** Whether a list in ascending order holds a number. */
const holds = (ascending: readonly number[], wanted: number): boolean => {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) < wanted) low = middle + 1
    else high = middle
  }
  return ascending[low] === wanted
}

/** Reads one side of a comparison; duplicates are reported and left out, and what is out of order is reported. */
const createReader = (side: Side, placed: AsyncIterable<Placed>, options: DiffOptions) => {
  const iterator = placed[Symbol.asyncIterator]()
  const inOrder: number[] = []
  const late = new Set<number>()
  let count = 0

  /** The next threat of an event that had none; undefined at the end. */
  const next = async (): Promise<Placed | undefined> => {
    for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
      count++
      const { threat } = step.value
      const offset = threat.eventOffset
      if (offset > (inOrder.at(-1) ?? Number.NEGATIVE_INFINITY)) {
        inOrder.push(offset)
        return step.value
      }
      const again = late.has(offset) || holds(inOrder, offset)
      options.onDifference({ kind: again ? 'duplicate' : 'order', side, threat: summary(threat) })
      if (again) continue
      late.add(offset)
      return step.value
    }
    return undefined
  }
  return { next, count: () => count }
}

/**
 * Compares the threats of one partition in two topics, each in log order, by the offset of their event: an event makes
 * one threat or none, and threats of a partition are in the order of their events, so that one pass over both is enough.
 * What is out of order is reported and still compared with its counterpart. The first of several threats of one event is
 * compared, the others are duplicates.
 */
export const diffThreats = async (
  a: AsyncIterable<Placed>,
  b: AsyncIterable<Placed>,
  options: DiffOptions,
): Promise<Compared> => {
  const { ignore = new Set<string>(), onDifference } = options
  const readers = { a: createReader('a', a, options), b: createReader('b', b, options) }
  /** Threats without a counterpart so far, by the offset of their event. */
  const alone = { a: new Map<number, Placed>(), b: new Map<number, Placed>() }
  let same = 0

  const compare = (before: Placed, after: Placed) => {
    const fields = differingFields(before, after, ignore)
    if (fields.length === 0) same++
    else
      onDifference({ kind: 'change', fields, before: summary(before.threat), after: summary(after.threat) })
  }
  const report = (side: Side, { threat }: Placed) =>
    onDifference({ kind: side === 'a' ? 'vanish' : 'appear', threat: summary(threat) })

  /** Compares a threat with its counterpart where that has come already, else holds it. */
  const settle = (side: Side, placed: Placed) => {
    const others = alone[side === 'a' ? 'b' : 'a']
    const offset = placed.threat.eventOffset
    const other = others.get(offset)
    if (other !== undefined) {
      others.delete(offset)
      return side === 'a' ? compare(placed, other) : compare(other, placed)
    }
    alone[side].set(offset, placed)
    if (alone[side].size <= HELD) return
    for (const [earliest, held] of alone[side]) {
      alone[side].delete(earliest)
      return report(side, held)
    }
  }

  const next = () => Promise.all([readers.a.next(), readers.b.next()])
  let [left, right] = await next()
  while (left !== undefined || right !== undefined) {
    const [l, r] = [left?.threat.eventOffset ?? Infinity, right?.threat.eventOffset ?? Infinity]
    if (left !== undefined && right !== undefined && l === r) {
      compare(left, right)
      ;[left, right] = await next()
    } else if (left !== undefined && l < r) {
      settle('a', left)
      left = await readers.a.next()
    } else if (right !== undefined) {
      settle('b', right)
      right = await readers.b.next()
    }
  }
  for (const side of ['a', 'b'] as const) for (const held of alone[side].values()) report(side, held)
  return { a: readers.a.count(), b: readers.b.count(), same }
}

/** What all differences of a comparison come to. */
export interface DiffSummary extends Compared {
  readonly appear: number
  readonly vanish: number
  readonly change: number
  readonly duplicate: number
  readonly order: number
  /** Records that hold no threat, on either side. */
  readonly unreadable: number
  /** How many threats each field differs in. */
  readonly fields: Readonly<Record<string, number>>
  /** How many threats went from one severity to another, e.g. `low → high`. */
  readonly severities: Readonly<Record<string, number>>
}

/** Counts differences. */
export const createDiffCount = () => {
  const kinds = { appear: 0, vanish: 0, change: 0, duplicate: 0, order: 0 }
  const compared = { a: 0, b: 0, same: 0 }
  const fields = new Map<string, number>()
  const severities = new Map<string, number>()
  let unreadable = 0
  const raise = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  const step = (from: Severity, to: Severity) => `${from} → ${to}`
  return {
    difference: (difference: Difference) => {
      kinds[difference.kind]++
      if (difference.kind !== 'change') return
      for (const field of difference.fields) raise(fields, field)
      const { before, after } = difference
      if (before.severity !== after.severity) raise(severities, step(before.severity, after.severity))
    },
    compared: ({ a, b, same }: Compared) => {
      compared.a += a
      compared.b += b
      compared.same += same
    },
    unreadable: () => unreadable++,
    summary: (): DiffSummary => ({
      ...compared,
      ...kinds,
      unreadable,
      fields: Object.fromEntries(fields),
      severities: Object.fromEntries(severities),
    }),
  }
}

/** Whether a comparison found nothing. */
export const isEqual = ({ appear, vanish, change, duplicate, order, unreadable }: DiffSummary): boolean =>
  appear + vanish + change + duplicate + order + unreadable === 0
