import type { Alert, Threat } from '../schemas/generated.ts'
import type { Sealer } from './auth/sealing.ts'
import type { HistoryEntry, HistoryFilter, HistoryReads, KeptChannel } from './store/history-reads.ts'

/** What each channel keeps. */
interface RecordOf {
  readonly threats: Threat
  readonly alerts: Alert
}

/** Which records are asked for: what the store looks at, and what is looked at here. */
export interface RecordQuery<R> {
  readonly filter: Omit<HistoryFilter, 'after' | 'limit'>
  /** Whether a record is meant, and may be seen by whoever asks. */
  readonly matches: (record: R) => boolean
  /** Where the page before ended, as {@link RecordPage} says; the first page when not given. */
  readonly cursor?: string | undefined
  readonly limit: number
}

/** A page of records, the latest first. */
export interface RecordPage<R> {
  readonly records: readonly R[]
  /** Leads to the following page, which may be empty; null at the end. It tells nothing to whoever holds it. */
  readonly next: string | null
}

/** Threats, and alerts as they stand, as far as they are kept. */
export interface Records {
  /** Resolves with undefined when the cursor is none of ours. */
  list<C extends KeptChannel>(
    channel: C,
    query: RecordQuery<RecordOf[C]>,
  ): Promise<RecordPage<RecordOf[C]> | undefined>
  find<C extends KeptChannel>(
    channel: C,
    id: string,
    mayBeSeen: (record: RecordOf[C]) => boolean,
  ): Promise<RecordOf[C] | undefined>
}

/** Records that are read at a time, and for one page: a page that finds little ends before it is full. */
const READ_AT_ONCE = 500
const MOST_READ = 5_000

type Place = Pick<HistoryEntry, 'time' | 'partition' | 'offset'>

/** Makes what reads records. Its methods throw NS_SERVICE_UNREACHABLE while the store is away. */
export const createRecords = (deps: {
  readonly store: Pick<HistoryReads, 'listHistory' | 'findHistory'>
  readonly sealer: Sealer
}): Records => {
  const { store, sealer } = deps
  const contextOf = (channel: KeptChannel) => `cursor of ${channel}`

  const cursorAt = (channel: KeptChannel, { time, partition, offset }: Place) =>
    sealer.seal(JSON.stringify({ time, partition, offset }), contextOf(channel))

  const placeOf = (channel: KeptChannel, cursor: string): Place | undefined => {
    const opened = sealer.open(cursor, contextOf(channel))
    return opened === undefined ? undefined : (JSON.parse(opened.toString()) as Place)
  }

  return {
    list: async <C extends KeptChannel>(channel: C, query: RecordQuery<RecordOf[C]>) => {
      const { filter, matches, cursor, limit } = query
      let after = cursor === undefined ? undefined : placeOf(channel, cursor)
      if (cursor !== undefined && after === undefined) return undefined
      const records: RecordOf[C][] = []
      // Most often everything matches; what is rare is looked for in larger steps.
      let step = limit
      for (let read = 0; read < MOST_READ; read += step, step = READ_AT_ONCE) {
        const page = await store.listHistory(channel, {
          ...filter,
          ...(after === undefined ? {} : { after }),
          limit: step,
        })
        for (const entry of page) {
          after = entry
          const record = entry.data as RecordOf[C]
          if (matches(record)) records.push(record)
          if (records.length === limit) return { records, next: cursorAt(channel, entry) }
        }
        if (page.length < step) return { records, next: null }
      }
      return { records, next: after === undefined ? null : cursorAt(channel, after) }
    },
    find: async <C extends KeptChannel>(
      channel: C,
      id: string,
      mayBeSeen: (record: RecordOf[C]) => boolean,
    ) => {
      const record = (await store.findHistory(channel, id))?.data as RecordOf[C] | undefined
      return record !== undefined && mayBeSeen(record) ? record : undefined
    },
  }
}
