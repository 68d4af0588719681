import { replayMark, replayOf } from '../../connectors/dead-letters.ts'
import { partitionCount, topicsThere } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createTransactionalProducer } from '../../connectors/kafka/produce.ts'
import type { OutputRecord } from '../../connectors/kafka/stage.ts'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Topics } from '../../schemas/topics.ts'
import { type FoundLetter, findDeadLetters } from './read.ts'
import type { Selection } from './selection.ts'

/** What is replayed, and how. */
export interface ReplayDeps {
  readonly kafka: Kafka
  /** Full name of the topic of dead letters. */
  readonly topic: string
  /** Full names of the topics that dead letters come from. */
  readonly origins: readonly string[]
  /** Of two replays with the same id, the later one ends the earlier one. */
  readonly transactionalId: string
  readonly selection: Selection
  /** The most that are replayed. */
  readonly limit: number
  /** Topic to write to instead of the one that each came from. */
  readonly into?: string
  /** Whether those that have been replayed before are replayed once more. */
  readonly again: boolean
  /** Whether to write nothing. */
  readonly dryRun: boolean
  readonly signal: AbortSignal
  readonly now?: () => number
}

/** Full names of the topics that stages take records from, and so dead letters come from. */
export const originsOf = ({ rawEvents, events, threats, decisions }: Topics): string[] =>
  [rawEvents, events, threats, decisions].map(({ name }) => name)

/** What a replay came to. */
export interface ReplayReport {
  /** Ids of the dead letters that were replayed, or would be, by the topic that they went to. */
  readonly replayed: ReadonlyMap<string, readonly string[]>
  /** Those that were passed over because they have been replayed before. */
  readonly before: number
  /** Those that were passed over because they do not hold the bytes of their record. */
  readonly withheld: number
}

/** Refuses a record for a partition that its topic does not have: the topic was made anew with fewer. */
const createPlaceCheck = (kafka: Kafka) => {
  const counts = new Map<string, number>()
  return async ({ topic, partition = 0 }: OutputRecord, id: string): Promise<void> => {
    if (!counts.has(topic))
      for (const [name, count] of await partitionCount(kafka, [topic])) counts.set(name, count)
    const count = counts.get(topic) ?? 0
    if (partition < count) return
    throw new SentinelError(
      'NS_TOPIC_MISMATCH',
      `${id} came from ${topic}-${partition}, but the topic has only ${count} partitions; name another with --into`,
    )
  }
}

/**
 * Writes dead letters back to where they came from. Those that are fetched together are one transaction, which also marks
 * them as replayed: a replay that is killed in the middle leaves each of them either replayed and marked or as it was, and
 * running it again goes on with the rest. The topic is read only after earlier replays have been fenced, so that no two
 * of them write the same dead letter.
 *
 * Throws NS_TRANSACTION_FAILED when another replay has taken over, NS_TOPIC_MISSING, NS_TOPIC_MISMATCH, NS_TOO_LARGE,
 * NS_SERVICE_UNREACHABLE; what was replayed before that stays replayed.
 */
export const replayDeadLetters = async (deps: ReplayDeps): Promise<ReplayReport> => {
  const { kafka, topic, selection, limit, again, dryRun, signal, now = Date.now } = deps
  const replayed = new Map<string, string[]>()
  let [left, before, withheld] = [limit, 0, 0]
  const requirePlace = createPlaceCheck(kafka)
  const written = [topic, ...deps.origins, ...(deps.into === undefined ? [] : [deps.into])]
  const producer = dryRun
    ? undefined
    : await createTransactionalProducer({ ...deps, topics: await topicsThere(kafka, written) })

  const onLetters = async (found: readonly FoundLetter[]) => {
    if (signal.aborted) return
    const whole = found.filter(({ letter }) => !letter.withheld)
    withheld += found.length - whole.length
    const fresh = whole.filter(({ replay }) => again || replay === undefined)
    before += whole.length - fresh.length
    const chosen = fresh.slice(0, left)
    if (chosen.length === 0) return
    const records: OutputRecord[] = []
    for (const { letter } of chosen) {
      const record = replayOf(letter, deps.into)
      await requirePlace(record, letter.id)
      records.push(record, replayMark(letter, record.topic, now()))
    }
    await producer?.write(records)
    left -= chosen.length
    for (const { letter } of chosen) {
      const into = deps.into ?? letter.source.topic
      replayed.set(into, [...(replayed.get(into) ?? []), letter.id])
    }
  }

  try {
    await findDeadLetters({ kafka, topic, selection, onLetters })
  } catch (error) {
    const { code, message } = toSentinelError(error)
    const done = [...replayed.values()].flat().length
    throw new SentinelError(code, `${done} dead letters were replayed, then: ${message}`, { cause: error })
  } finally {
    await producer?.close()
  }
  return { replayed, before, withheld }
}
