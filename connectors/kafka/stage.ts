import type { ErrorCode, SentinelError } from '../../runtime/errors.ts'
import type { PartitionGauge } from '../../runtime/metrics.ts'

/** Headers of a record; a header that occurs more than once is a list. */
export type Headers = Readonly<Record<string, Buffer | string | readonly (Buffer | string)[]>>

/**
 * A record as a stage reads it. Its key and value are made when they are asked for: keep what you need again, and take
 * fields by name, since a spread of it has not all of them.
 */
export interface InputRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The record's timestamp, in ms since 1970 (UTC). */
  readonly timestamp: number
  readonly key: Buffer | null
  /** Null is a tombstone, an empty buffer an empty value: they are different things. */
  readonly value: Buffer | null
  readonly headers: Headers
  /**
   * Why its bytes are not here; key, value and headers are empty then. It stands for one record or for all of a batch,
   * whose first offset it has. No task sees one: it goes to `tooLarge` alone.
   */
  readonly withheld?: SentinelError
}

/** A record as a stage writes it. */
export interface OutputRecord {
  readonly topic: string
  /** Explicit partition; without one the key decides, as in Kafka's own clients (murmur2). */
  readonly partition?: number
  readonly key: Buffer | string | null
  readonly value: Buffer | null
  readonly headers?: Headers
  /** In ms since 1970 (UTC). */
  readonly timestamp: number
  /**
   * The input that this was made of, whose trace context it carries on. When an output is larger than may be written, all
   * outputs with the same cause are replaced by what the stage's `tooLarge` makes of it.
   */
  readonly cause?: InputRecord
  /** Of a dead letter: why its input could not be taken. It is counted when the transaction has committed. */
  readonly poison?: ErrorCode
}

/** A change of the partition's state; a null value removes the key. */
export interface StateChange {
  readonly key: string
  readonly value: Buffer | null
}

/** What a batch comes to. All of it is written in one transaction, with the input offset. */
export interface BatchResult {
  readonly outputs: readonly OutputRecord[]
  /** Changes for the changelog topic, written to the partition number of the input. */
  readonly changes: readonly StateChange[]
  /** Makes the changes visible in memory; called once, and only when the transaction has committed. */
  committed(): void
}

/** How large the state of a partition is. */
export interface StateSize {
  readonly entries: number
  /** About how many bytes they have in the changelog. */
  readonly bytes: number
  /** What else is to be shown of it, and by which gauge. */
  readonly figures?: readonly (readonly [gauge: PartitionGauge, value: number])[]
}

/**
 * One input partition in the hands of its owner. It is made anew, empty, whenever state in memory cannot be trusted:
 * on assignment and after a failed transaction, unless the committed offset is the one that it stands at.
 */
export interface PartitionTask {
  /** Takes records of the changelog partition, in log order, before the first batch. */
  restore(records: readonly InputRecord[]): Promise<void>
  /**
   * Works out what a batch comes to, without changing the state that later batches see until `committed()`. The records
   * are of one topic, which `record.topic` names: the input or a side input. The result may not depend on how records
   * were cut into batches. A poison record becomes a dead letter among the outputs.
   * Throws retriable or fatal SentinelErrors only.
   */
  process(records: readonly InputRecord[]): Promise<BatchResult>
  /** How large the committed state is, for the metrics; cheap, since it is asked at each scrape. */
  size?(): StateSize
}

/** A stage of the pipeline: a consumer group over its inputs whose effects are transactional. */
export interface Stage {
  /** Short name, e.g. `scoring`: in logs and metrics. */
  readonly name: string
  /** Consumer group, prefix included. */
  readonly group: string
  /** Topic that is read. */
  readonly input: string
  /**
   * Further topics, with as many partitions as `input`, whose records reach the task of the same partition number, exactly
   * once as well. When a partition is taken, each is read up to the end that it has then before `input` is read on; after
   * that nothing is promised about the order between topics.
   */
  readonly sideInputs?: readonly string[]
  /**
   * Topics that its outputs go to: to the partition number of the input, unless `everywhere` says that they may go to any.
   */
  readonly outputs: readonly { readonly topic: string; readonly everywhere?: boolean }[]
  /** Compacted topic, with as many partitions as `input`, that holds the state; none for a stateless stage. */
  readonly changelog?: string
  /**
   * Share of KAFKA_MAX_FETCH_BYTES that it fetches at a time; all of it when not given. All that is made of a fetch lives until
   * it is committed: where that is a multiple of its bytes, the young generation is not large enough for more.
   */
  readonly fetchShare?: number
  createTask(partition: number): PartitionTask
  /**
   * Makes the dead letter of an input one of whose outputs is larger than KAFKA_MAX_RECORD_BYTES. When the dead letter is
   * too large as well, it is asked once more, for the same record without its bytes. Without it, or for an output without
   * a cause, such an output ends the stage with NS_TOO_LARGE, and a batch that inflates too far with
   * NS_DECOMPRESSION_LIMIT.
   */
  tooLarge?(record: InputRecord, error: SentinelError): OutputRecord
}
