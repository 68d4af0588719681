import type { InputRecord, StateChange } from '../../connectors/kafka/stage.ts'

/** A partition of a compacted topic in memory: what a stage's changelog is between two owners. */
export const createChangelog = (topic = 'entity-state', partition = 0) => {
  let records: InputRecord[] = []
  let offset = 0
  return {
    append: (changes: readonly StateChange[]) => {
      for (const { key, value } of changes) {
        records.push({
          topic,
          partition,
          offset: offset++,
          timestamp: 0,
          key: Buffer.from(key),
          value,
          headers: {},
        })
      }
    },
    /** Keeps the latest record of each key, in the order of offsets, as the broker's cleaner does. */
    compact: () => {
      const latest = new Map(records.map(record => [String(record.key), record.offset]))
      records = records.filter(record => latest.get(String(record.key)) === record.offset)
    },
    /** All records, oldest first. */
    records: (): readonly InputRecord[] => records,
    /** What the log comes to: the latest value of each key, in log order; removed keys are left out. */
    state: (): [string, Buffer][] => {
      const state = new Map<string, Buffer>()
      for (const { key, value } of records) {
        state.delete(String(key))
        if (value !== null) state.set(String(key), value)
      }
      return [...state]
    },
  }
}
