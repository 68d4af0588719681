import type { Codec } from '../../connectors/avro-codec.ts'
import { partitionCount } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { streamTopic } from '../../connectors/kafka/read-topic.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Threat } from '../../schemas/generated.ts'
import {
  createDiffCount,
  type Difference,
  type DiffSummary,
  diffThreats,
  type Placed,
  type Side,
} from './diff.ts'
import { isWithin, type Window } from './window.ts'

/** A difference with its partition, or a record that is no threat. */
export type Finding =
  | (Difference & { readonly partition: number })
  | {
      readonly kind: 'unreadable'
      readonly partition: number
      readonly side: Side
      readonly offset: number
      readonly reason: string
    }

/** What two topics are compared with. */
export interface DiffTopicsDeps {
  readonly kafka: Kafka
  readonly codec: Pick<Codec<Threat>, 'decode'>
  /** Full names. */
  readonly topics: Readonly<Record<Side, string>>
  readonly window: Window
  readonly ignore: ReadonlySet<string>
  readonly onFinding: (finding: Finding) => void
}

/**
 * Partitions that are compared at a time. Each takes a consumer of each topic, which may wait seconds for its group
 * (`group.initial.rebalance.delay.ms`), and a fetch of each in memory.
 */
const AT_A_TIME = 8

/**
 * Compares two topics of threats partition by partition, committed records only, up to where they end now. Throws
 * NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE, and NS_USAGE when they differ in partitions.
 */
export const diffTopics = async (deps: DiffTopicsDeps): Promise<DiffSummary> => {
  const { kafka, codec, topics, window, ignore, onFinding } = deps
  const [[, a] = ['', 0], [, b] = ['', 0]] = await partitionCount(kafka, [topics.a, topics.b])
  if (a !== b) {
    throw new SentinelError('NS_USAGE', `${topics.a} has ${a} partitions and ${topics.b} has ${b}`)
  }
  const count = createDiffCount()

  const read = async (record: InputRecord): Promise<Placed> => {
    if (record.value === null) throw new SentinelError('NS_EMPTY', 'the record has no value')
    const threat = await codec.decode(record.value)
    return { threat, key: record.key === null ? null : String(record.key), timestamp: record.timestamp }
  }
  async function* threatsOf(side: Side, partition: number): AsyncGenerator<Placed> {
    for await (const records of streamTopic({ kafka, topic: topics[side], partitions: [partition] })) {
      for (const record of records) {
        if (!isWithin(window, record.timestamp)) continue
        try {
          yield await read(record)
        } catch (error) {
          const problem = toSentinelError(error)
          if (problem.outcome !== 'poison') throw problem
          count.unreadable()
          const { offset } = record
          onFinding({ kind: 'unreadable', partition, side, offset, reason: problem.message })
        }
      }
    }
  }
  const comparePartition = async (partition: number) => {
    const onDifference = (difference: Difference) => {
      count.difference(difference)
      onFinding({ ...difference, partition })
    }
    const [left, right] = [threatsOf('a', partition), threatsOf('b', partition)]
    try {
      count.compared(await diffThreats(left, right, { ignore, onDifference }))
    } finally {
      await Promise.all([left.return(undefined), right.return(undefined)])
    }
  }

  const remaining = Array.from({ length: a }, (_, partition) => partition).values()
  const work = async () => {
    for (const partition of remaining) await comparePartition(partition)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  return count.summary()
}
