import { crc32 } from 'node:zlib'
import type { InputRecord, OutputRecord } from '../../connectors/kafka/stage.ts'

const headersOf = ({ headers }: Pick<InputRecord | OutputRecord, 'headers'>): string =>
  Object.entries(headers ?? {})
    .filter(([name]) => name.startsWith('ns-'))
    .map(([name, value]) => `${name}=${String(value)}`)
    .toSorted()
    .join()

/** What a record is, in 32 bits: its topic, key, value, timestamp and the headers that say why a record is a dead letter. */
export const fingerprint = (record: InputRecord | OutputRecord): number => {
  const { topic, key, value, timestamp } = record
  const rest = crc32(`${topic} ${timestamp} ${value === null} ${headersOf(record)}`)
  return crc32(value ?? '', crc32(key ?? '', rest))
}

/** Most problems of a kind that are told one by one. */
const TOLD = 5

const told = (problems: readonly string[]): string[] =>
  problems.length <= TOLD
    ? [...problems]
    : [...problems.slice(0, TOLD), `… and ${problems.length - TOLD} more of this kind`]

/**
 * What became of each record of a topic without holes, against what should have: a count and a sum of fingerprints for
 * each offset, so that a million records take a few MB.
 */
export const createTally = (ends: readonly number[]) => {
  const counts = ends.map(end => new Int32Array(end))
  const sums = ends.map(end => new Int32Array(end))
  const strays: string[] = []
  const add = (partition: number, offset: number, sign: 1 | -1, print: number) => {
    const [count, sum] = [counts[partition], sums[partition]]
    if (count === undefined || sum === undefined || !(offset in count)) {
      strays.push(`something was made of offset ${offset} of partition ${partition}, which is not there`)
      return
    }
    count[offset] = (count[offset] ?? 0) + sign
    // Typed arrays wrap around, and so addition is undone by subtraction whatever the order.
    sum[offset] = (sum[offset] ?? 0) + sign * print
  }
  return {
    expected: (partition: number, offset: number, print: number) => add(partition, offset, -1, print),
    found: (partition: number, offset: number, print: number) => add(partition, offset, 1, print),
    problems: (): string[] => {
      const [lost, doubled, changed]: [string[], string[], string[]] = [[], [], []]
      counts.forEach((count, partition) => {
        count.forEach((difference, offset) => {
          const where = `partition ${partition}, offset ${offset}`
          if (difference < 0) lost.push(`lost: ${-difference} of what was to be made of ${where}`)
          else if (difference > 0) doubled.push(`doubled: ${difference} too many made of ${where}`)
          else if (sums[partition]?.[offset] !== 0) changed.push(`changed: what was made of ${where}`)
        })
      })
      return [strays, lost, doubled, changed].flatMap(told)
    },
  }
}

/** The records of one topic in the order they stand in each partition, as fingerprints. */
export const createSequences = () => {
  const prints = new Map<string, number[]>()
  return {
    add: (record: InputRecord | OutputRecord, partition: number) => {
      const name = `${record.topic}-${partition}`
      const sequence = prints.get(name) ?? []
      prints.set(name, sequence)
      sequence.push(fingerprint(record))
    },
    names: (): string[] => [...prints.keys()],
    of: (name: string): readonly number[] => prints.get(name) ?? [],
  }
}

/** Places in `whole` that must go for `part` to be left; undefined when no choice of them does that. */
const missingFrom = (whole: readonly number[], part: readonly number[]): number[] | undefined => {
  const missing: number[] = []
  let at = 0
  whole.forEach((print, i) => {
    if (print === part[at]) at++
    else missing.push(i)
  })
  return at === part.length ? missing : undefined
}

/** How one partition differs from what it should hold; undefined when it does not. */
const sequenceProblem = (wanted: readonly number[], got: readonly number[]): string | undefined => {
  const [lost, extra] = [missingFrom(wanted, got), missingFrom(got, wanted)]
  if (lost?.length === 0) return undefined
  const [what, places] =
    lost !== undefined
      ? ['lost, of those expected', lost]
      : extra !== undefined
        ? ['too many, of those there', extra]
        : ['different from', [wanted.findIndex((print, i) => print !== got[i])]]
  return `${got.length} records, ${wanted.length} expected, ${what}: ${told(places.map(String)).join(', ')}`
}

/** Where two runs over the same partitions differ. */
export const sequenceProblems = (
  expected: ReturnType<typeof createSequences>,
  found: ReturnType<typeof createSequences>,
): string[] =>
  [...new Set([...expected.names(), ...found.names()])].toSorted().flatMap(name => {
    const problem = sequenceProblem(expected.of(name), found.of(name))
    return problem === undefined ? [] : [`${name}: ${problem}`]
  })
