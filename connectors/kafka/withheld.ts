import type { SentinelError } from '../../runtime/errors.ts'
import type { BatchResult, InputRecord, PartitionTask, Stage } from './stage.ts'

/** A record as it goes on without its bytes, which stay where they are. */
export const withhold = (
  { topic, partition, offset, timestamp }: Pick<InputRecord, 'topic' | 'partition' | 'offset' | 'timestamp'>,
  why: SentinelError,
): InputRecord => ({
  topic,
  partition,
  offset,
  timestamp,
  key: null,
  value: null,
  headers: {},
  withheld: why,
})

/**
 * Has a task process the records that are there; the ones that are withheld become dead letters that say why. Throws why
 * for a stage that makes no dead letters.
 */
export const processReadable = async (
  stage: Stage,
  task: PartitionTask,
  records: readonly InputRecord[],
): Promise<BatchResult> => {
  if (records.every(record => record.withheld === undefined)) return task.process(records)
  const letters = records.flatMap(record => {
    if (record.withheld === undefined) return []
    if (stage.tooLarge === undefined) throw record.withheld
    return [stage.tooLarge(record, record.withheld)]
  })
  const readable = records.filter(record => record.withheld === undefined)
  if (readable.length === 0) return { outputs: letters, changes: [], committed: () => undefined }
  const result = await task.process(readable)
  return {
    outputs: [...letters, ...result.outputs],
    changes: result.changes,
    committed: () => result.committed(),
  }
}
