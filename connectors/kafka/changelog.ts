import type { InputRecord, PartitionTask } from './stage.ts'

/** The reading back of one changelog partition into a task. */
export interface Restore {
  /** Resolves with the number of records when everything before `end` has been read; rejects when the task throws. */
  readonly done: Promise<number>
  /** Hands records to the task; `next` is the offset after them and after all that was filtered out behind them. */
  feed(records: readonly InputRecord[], next: number): Promise<void>
  /** Everything before `next` held nothing to read: markers, aborted records, holes that compaction left. */
  skip(next: number): void
  cancel(reason: Error): void
}

/**
 * Reads a changelog into a task up to `end`, the end of the log when the producer before was fenced. Nothing is written
 * behind it meanwhile: this partition's own producer is the only writer.
 */
export const createRestore = (task: PartitionTask, end: number): Restore => {
  const { promise: done, resolve, reject } = Promise.withResolvers<number>()
  // Awaited by who began it; a rejection that comes before that must not count as unhandled.
  done.catch(() => undefined)
  let count = 0
  const skip = (next: number) => {
    if (next >= end) resolve(count)
  }
  return {
    done,
    feed: async (records, next) => {
      try {
        await task.restore(records)
        count += records.length
        skip(next)
      } catch (error) {
        reject(error)
      }
    },
    skip,
    cancel: reject,
  }
}
