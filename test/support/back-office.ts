import type {
  BackOffice,
  BackOfficeNews,
  Letter,
  ModelDetail,
  OpenBackOffice,
  RetrainingJob,
} from '../../gateway/back-office.ts'
import { createFailure } from '../../runtime/lifecycle.ts'

const modelOf = (version: string, state: string): ModelDetail => ({
  version,
  state,
  problem: null,
  published: 1_700_000_000_000,
  size: 100,
  rows: 10,
  parent: null,
  pointers: [],
  window: { from: 1, to: 2 },
  metrics: { auroc: 0.9 },
  report: '# good',
  threshold: 0.5,
  models: ['forest'],
  sha256: 'ab',
})

/** A dead letter of a memory back office. */
export const makeLetter = (fields: Partial<Letter> = {}): Letter => ({
  id: 'dead-letters-0-1',
  time: '2026-11-25T10:00:00.000Z',
  code: 'NS_NOT_JSON',
  reason: 'it is not JSON',
  stage: 'ingest',
  source: { topic: 'raw-events', partition: 0, offset: 7 },
  attempt: 1,
  replayed: null,
  key: null,
  headers: [{ name: 'trace', value: { text: 't' } }],
  value: { bytes: 3 },
  ...fields,
})

/** A dead letter that is refused when it is written back. */
export const UNTAKEN = 'dead-letters-0-13'

/**
 * A back office in memory, with the models `a` (in force), `b`, and `odd`, which no scorer could serve, and one dead
 * letter.
 */
export const createMemoryBackOffice = (): BackOffice => {
  const versions = ['a', 'b', 'odd']
  const history = ['a']
  const jobs: RetrainingJob[] = []
  const letters = [makeLetter()]
  const find = async (version: string) =>
    versions.includes(version)
      ? modelOf(version, version === history.at(-1) ? 'champion' : 'held')
      : undefined
  const moved = () => ({ version: history.at(-1) ?? '', sequence: history.length })
  return {
    models: {
      find,
      list: async () => versions.map(version => modelOf(version, 'held')),
      promote: async version => {
        if (version === 'odd') return { refused: 'model odd is refused: its features are others' }
        history.push(version)
        return moved()
      },
      rollback: async () => {
        if (history.length === 1) return { refused: 'there is no champion before a to go back to' }
        history.pop()
        return moved()
      },
    },
    retraining: {
      start: async trigger => {
        const id = String(jobs.length + 1)
        const times = { added: 1, started: null, ended: null }
        jobs.unshift({ id, state: 'waiting', trigger, ...times, progress: null, result: null })
        return jobs[0]
      },
      list: async () => jobs,
      find: async id => jobs.find(job => job.id === id),
      cancel: async id => {
        const at = jobs.findIndex(job => job.id === id)
        return at >= 0 && jobs.splice(at, 1).length > 0
      },
    },
    deadLetters: {
      list: async ({ code, limit }) =>
        letters.filter(letter => code === undefined || letter.code === code).slice(0, limit),
      find: async id => letters.find(letter => letter.id === id),
      replay: async ids => {
        if (ids.includes(UNTAKEN)) return { refused: 'Kafka takes no such record from this user' }
        const replayed = ids.filter(id => letters.some(letter => letter.id === id))
        return { replayed, replayedBefore: 0, withheld: 0, missing: ids.length - replayed.length }
      },
    },
  }
}

/** The same for a whole gateway; `onFollow` is given who is told of news. */
export const openMemoryBackOffice = (
  onFollow: (news: BackOfficeNews) => void = () => undefined,
): OpenBackOffice => ({
  ...createMemoryBackOffice(),
  follow: async news => onFollow(news),
  check: async () => [],
  failed: createFailure().failed,
  close: async () => undefined,
})
