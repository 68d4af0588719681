import {
  type DeadLetter,
  type Replay,
  readDeadLetter,
  readReplayMark,
} from '../../connectors/dead-letters.ts'
import { topicOffsets } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { isSelected, type Selection } from './selection.ts'

/** A dead letter, and its latest replay if it has been replayed. */
export interface FoundLetter {
  readonly letter: DeadLetter
  readonly replay?: Replay
}

/** What is looked for, and who takes it. */
interface ReadDeps {
  readonly kafka: Kafka
  /** Full name of the topic of dead letters. */
  readonly topic: string
  readonly selection: Selection
  /** Takes what was found, in the order of each partition; one call at a time. */
  readonly onLetters: (found: readonly FoundLetter[]) => Promise<void> | void
}

interface Range {
  readonly from: ReadonlyMap<number, number>
  readonly to: ReadonlyMap<number, number>
}

/** Where reading begins: with the first place that is asked for, where places are. Marks come after what they mark. */
const rangeOf = async (kafka: Kafka, topic: string, { places }: Selection): Promise<Range> => {
  const offsets = await topicOffsets(kafka, topic)
  const wanted = places === undefined ? undefined : [...places].map(place => place.split('-').map(Number))
  const first = (partition: number) =>
    Math.min(...(wanted ?? []).flatMap(([at, offset = 0]) => (at === partition ? [offset] : [])))
  const from = offsets.map(({ partition, low, high }): [number, number] => [
    partition,
    wanted === undefined ? low : Math.min(high, Math.max(low, first(partition))),
  ])
  return { from: new Map(from), to: new Map(offsets.map(({ partition, high }) => [partition, high])) }
}

/**
 * Finds dead letters, committed ones only, among those that are there at the call. The topic is read twice, since whether
 * one was replayed is told by a later record: that keeps memory to the marks, however many dead letters there are.
 * Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE, and what `onLetters` throws.
 */
export const findDeadLetters = async ({ kafka, topic, selection, onLetters }: ReadDeps): Promise<void> => {
  const range = await rangeOf(kafka, topic, selection)
  const replays = new Map<string, Replay>()
  await readTopic({
    kafka,
    topic,
    ...range,
    onRecords: records => {
      for (const record of records) {
        const mark = readReplayMark(record)
        if (mark !== undefined) replays.set(mark.letter, mark)
      }
    },
  })
  await readTopic({
    kafka,
    topic,
    ...range,
    onRecords: async records => {
      const found = records.flatMap((record): FoundLetter[] => {
        const letter = readDeadLetter(record)
        if (letter === undefined || !isSelected(selection, letter)) return []
        const replay = replays.get(letter.id)
        return [{ letter, ...(replay === undefined ? {} : { replay }) }]
      })
      if (found.length > 0) await onLetters(found)
    },
  })
}
