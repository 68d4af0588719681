import { ensureTopics, topicOffsets } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { planBatch } from '../../connectors/kafka/plan.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { InputRecord, PartitionTask, Stage } from '../../connectors/kafka/stage.ts'
import { openTopicWriter } from '../../connectors/kafka/write-topic.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { Topic } from '../../schemas/topics.ts'
import { isWithin, type Window } from './window.ts'

/** What a second scoring is made of. */
export interface RescoreDeps {
  readonly kafka: Kafka
  /** The scoring stage, whose threats go to `into`; whatever else it writes is dropped. */
  readonly stage: Stage
  /** Cuts the records of a partition where another model came into force, as the live stage did; not at all when not given. */
  readonly cut?: (records: readonly InputRecord[]) => readonly (readonly InputRecord[])[]
  /** Where the threats go; created when it is missing. */
  readonly into: Topic
  /** Events outside of it make state and no threats. */
  readonly window: Window
  /** Stops it: nothing is written then. */
  readonly signal: AbortSignal
  /** Called after each batch. */
  readonly onProgress: (progress: RescoreProgress) => void
}

/** How far a second scoring has come. */
export interface RescoreProgress {
  /** Events read, those before the window included. */
  readonly events: number
  /** Threats in the window. */
  readonly threats: number
  /** Offsets that there are to read, which is at least the number of events. */
  readonly offsets: number
}

/** Ends the reading of a topic at its first record. */
const FOUND = new Error('found')

const holdsRecords = async (kafka: Kafka, topic: string): Promise<boolean> => {
  const found = () => {
    throw FOUND
  }
  try {
    await readTopic({ kafka, topic, onRecords: found })
    return false
  } catch (error) {
    if (error === FOUND) return true
    throw error
  }
}

/** Where `events` begins and ends, all partitions together. */
export const eventsRange = async (kafka: Kafka, topic: string) => {
  const ranges = await topicOffsets(kafka, topic)
  return {
    partitions: ranges.length,
    offsets: ranges.reduce((sum, { low, high }) => sum + high - low, 0),
    /** Offsets that retention has taken: entities may have had a past there. */
    gone: ranges.reduce((sum, { low }) => sum + low, 0),
  }
}

/**
 * Scores every event of `events` again, from empty state, in the order of each partition, through the very task that the
 * live stage runs, and writes the threats to the same partition numbers of another topic, with key and timestamp as the
 * live ones have them. No offset is committed, no state and no dead letter written. All of it is one transaction: when
 * the process dies on the way, the topic is as empty as before.
 *
 * Resolves with undefined when the signal aborted it. Throws NS_USAGE when `into` already holds records,
 * NS_TOPIC_MISMATCH, NS_OFFSET_LOST, NS_SCORING_FAILED, NS_SERVICE_UNREACHABLE, and NS_TRANSACTION_FAILED as
 * {@link openTopicWriter} says.
 */
export const rescore = async (deps: RescoreDeps): Promise<RescoreProgress | undefined> => {
  const { kafka, stage, into, window, signal, onProgress, cut = records => [records] } = deps
  const { offsets } = await eventsRange(kafka, stage.input)
  await ensureTopics(kafka, [into])
  const writer = await openTopicWriter(kafka, into.name)
  const tasks = new Map<number, PartitionTask>()
  const taskOf = (partition: number): PartitionTask => {
    const task = tasks.get(partition) ?? stage.createTask(partition)
    tasks.set(partition, task)
    return task
  }
  let [events, threats] = [0, 0]
  try {
    // Asked once the writer is open: only then is it certain that no other can still commit.
    if (await holdsRecords(kafka, into.name)) {
      throw new SentinelError('NS_USAGE', `${into.name} already holds records: name a topic that holds none`)
    }
    await readTopic({
      kafka,
      topic: stage.input,
      onRecords: async records => {
        signal.throwIfAborted()
        const [first] = records
        if (first === undefined) return
        for (const piece of cut(records)) {
          const result = await taskOf(first.partition).process(piece)
          result.committed()
          const outputs = planBatch(
            { ...result, changes: [] },
            stage,
            first.partition,
            kafka.config.maxRecordBytes,
          )
          const found = outputs.filter(each => each.topic === into.name && isWithin(window, each.timestamp))
          await writer.write(found)
          threats += found.length
        }
        events += records.length
        onProgress({ events, threats, offsets })
      },
    })
    await writer.commit()
    return { events, threats, offsets }
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  } finally {
    await writer.close()
  }
}
