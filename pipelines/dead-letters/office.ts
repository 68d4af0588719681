import type { Kafka } from '../../connectors/kafka/client.ts'
import { createTurns } from '../../runtime/turns.ts'
import { orRefusal } from '../refusal.ts'
import { type FoundLetter, findDeadLetters } from './read.ts'
import { replayDeadLetters } from './replay.ts'
import type { Selection } from './selection.ts'
import { letterView } from './show.ts'

/** Which dead letters are looked for. */
interface LettersQuery extends Pick<Selection, 'code' | 'stage' | 'from' | 'to'> {
  /** Topic that the record came from, with the prefix or without. */
  readonly source?: string
  /** Only those that have not been replayed. */
  readonly pending: boolean
  readonly limit: number
}

interface OfficeDeps {
  readonly kafka: Kafka
  /** Full name of the topic of dead letters. */
  readonly topic: string
  /** Full names of the topics that dead letters come from. */
  readonly origins: readonly string[]
  /** Put before the name of every topic. */
  readonly prefix: string
}

const MASKED = { clear: false } as const

const later = (a: FoundLetter, b: FoundLetter): number =>
  b.letter.record.timestamp - a.letter.record.timestamp

const selectionOf = (query: LettersQuery, prefix: string): Selection => {
  const { source, pending, limit, ...rest } = query
  return { ...rest, ...(source === undefined ? {} : { sources: [source, `${prefix}${source}`] }) }
}

/** What people do to dead letters from elsewhere than the command line. Secrets are masked, always. */
export const openLettersOffice = ({ kafka, topic, origins, prefix }: OfficeDeps) => {
  /** One after the other: each look reads the topic, and many at once would read it many times. */
  const looks = createTurns(1)
  const placesOf = (ids: readonly string[]): Selection => ({
    places: new Set(ids.flatMap(id => (id.startsWith(`${topic}-`) ? [id.slice(topic.length + 1)] : []))),
  })
  return {
    /** The latest of those that are asked for, the latest first. */
    list: (query: LettersQuery) =>
      looks.take(async () => {
        let kept: FoundLetter[] = []
        const trim = () => {
          kept = kept.sort(later).slice(0, query.limit)
        }
        await findDeadLetters({
          kafka,
          topic,
          selection: selectionOf(query, prefix),
          onLetters: found => {
            kept.push(...found.filter(({ replay }) => !query.pending || replay === undefined))
            trim()
          },
        })
        return kept.map(found => letterView(found, MASKED))
      }),
    find: (id: string) =>
      looks.take(async () => {
        const all: FoundLetter[] = []
        const selection = placesOf([id])
        if (selection.places?.size === 0) return undefined
        await findDeadLetters({ kafka, topic, selection, onLetters: found => void all.push(...found) })
        const [found] = all
        return found === undefined ? undefined : letterView(found, MASKED)
      }),
    /** Writes them back to where they came from, once, or `again`; or says why not. */
    replay: (ids: readonly string[], { again }: { readonly again: boolean }) =>
      looks.take(() =>
        orRefusal(async () => {
          const selection = placesOf(ids)
          const { replayed, before, withheld } = await replayDeadLetters({
            kafka,
            topic,
            origins,
            transactionalId: `${prefix}dead-letters-replay`,
            selection,
            limit: ids.length,
            again,
            dryRun: false,
            signal: new AbortController().signal,
          })
          const done = [...replayed.values()].flat()
          return {
            replayed: done,
            replayedBefore: before,
            withheld,
            missing: ids.length - done.length - before - withheld,
          }
        }),
      ),
  }
}
