import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import type { Command, CommandContext } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { type FoundLetter, findDeadLetters } from './read.ts'
import { originsOf, replayDeadLetters } from './replay.ts'
import { isNarrowed, limitOf, SELECTION_OPTIONS, type Selection, selectionOf } from './selection.ts'
import { letterJson, letterLines, listHead, listLine } from './show.ts'

/** The settings that `netsentinel dlq` reads. */
interface DeadLettersConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
}

type Context = CommandContext<DeadLettersConfig>

/** What each action works on. */
interface Work {
  readonly context: Context
  readonly topic: string
  readonly selection: Selection
  readonly limit: number
}

const DETAILS = `list    one line for each dead letter, oldest first
show    all of it, secrets masked
replay  write it back to the topic that it came from, with its key, headers and timestamp (raw-events, whose
        records the broker stamps on arrival, gives it a new one), and mark it as replayed: it is not replayed
        again unless --again says so. One that fails once more comes back with its count of attempts raised.

ID is like dead-letters-0-17, or 0-17. show and replay want ids, options that narrow the selection, or --all.
Masked is what a field's name, the text around it or the sensor's format tells to be a secret, and all that is
no text. That is no promise that nothing else is one: treat the output as you would the topic.`

const onlyWith = (context: Context, action: string, names: readonly string[]) => {
  const given = names.find(name => context.options[name] !== undefined)
  if (given !== undefined)
    throw new SentinelError('NS_USAGE', `dlq ${action}: --${given} is for another action`)
}

const requireNarrowed = ({ context, selection }: Work, action: string) => {
  if (isNarrowed(selection) || context.options['all'] === true) return
  throw new SentinelError('NS_USAGE', `dlq ${action}: name ids, narrow the selection, or say --all`)
}

/** Shows what is found, at most `limit`; resolves with the exit code. */
const each = async (work: Work, print: (found: FoundLetter) => void): Promise<number> => {
  const { context, topic, selection } = work
  let [left, found] = [work.limit, 0]
  await findDeadLetters({
    kafka: createKafka({ config: context.config.kafka, log: context.log }),
    topic,
    selection,
    onLetters: letters => {
      const chosen = letters
        .filter(({ replay }) => context.options['pending'] !== true || replay === undefined)
        .slice(0, left)
      left -= chosen.length
      found += chosen.length
      if (!context.interrupted.aborted) for (const letter of chosen) print(letter)
    },
  })
  return finish(work, found)
}

/** Says when ids were given that are not there, which is not what was asked for. */
const finish = ({ context, selection }: Work, found: number): number => {
  const missing = (selection.places?.size ?? 0) - found
  if (selection.places === undefined || missing <= 0) return EXIT.ok
  context.tell(`${missing} of the ids are not among the dead letters that are selected`)
  return EXIT.failure
}

const list = (work: Work): Promise<number> => {
  const { options, print } = work.context
  onlyWith(work.context, 'list', ['into', 'again', 'dry-run'])
  const show = { clear: options['show-secrets'] === true }
  if (options['json'] === true) return each(work, found => print(letterJson(found, show)))
  const columns = process.stdout.columns
  print(listHead(columns))
  return each(work, found => print(listLine(found, columns, show)))
}

const show = (work: Work): Promise<number> => {
  const { options, print } = work.context
  onlyWith(work.context, 'show', ['into', 'again', 'dry-run'])
  requireNarrowed(work, 'show')
  const shown = { clear: options['show-secrets'] === true }
  if (options['json'] === true) return each(work, found => print(letterJson(found, shown)))
  return each(work, found => {
    for (const line of letterLines(found, shown)) print(line)
  })
}

const replay = async (work: Work): Promise<number> => {
  const { context, topic, selection, limit } = work
  const { config, log, options, print, interrupted } = context
  onlyWith(context, 'replay', ['show-secrets', 'pending'])
  requireNarrowed(work, 'replay')
  const dryRun = options['dry-run'] === true
  const into = options['into']
  const { replayed, before, withheld } = await replayDeadLetters({
    kafka: createKafka({ config: config.kafka, log }),
    topic,
    origins: originsOf(topicCatalogue(config.topics)),
    transactionalId: `${config.topics.prefix}dead-letters-replay`,
    selection,
    limit,
    ...(typeof into === 'string' ? { into } : {}),
    again: options['again'] === true,
    dryRun,
    signal: interrupted,
  })
  if (options['json'] === true) {
    print(
      JSON.stringify({ dryRun, replayed: Object.fromEntries(replayed), replayedBefore: before, withheld }),
    )
  } else {
    const verb = dryRun ? 'would be replayed' : 'replayed'
    if (replayed.size === 0) print(`0 dead letters ${verb}`)
    for (const [name, ids] of replayed) {
      print(`${ids.length} ${ids.length === 1 ? 'dead letter' : 'dead letters'} ${verb} into ${name}`)
    }
    if (withheld > 0) print(`${withheld} passed over: they do not hold the bytes of their record`)
    if (before > 0) print(`${before} passed over: replayed before (--again replays them once more)`)
  }
  const count = [...replayed.values()].reduce((sum, ids) => sum + ids.length, before + withheld)
  return interrupted.aborted ? EXIT.failure : finish(work, count)
}

const ACTIONS: Readonly<Record<string, (work: Work) => Promise<number>>> = { list, show, replay }

/** `netsentinel dlq list|show|replay`. */
export const dlq: Command<DeadLettersConfig> = {
  summary: 'List, show and replay dead letters.',
  operands: 'list|show|replay [ID…]',
  details: DETAILS,
  options: {
    ...SELECTION_OPTIONS,
    all: { type: 'boolean', doc: 'Show or replay without narrowing the selection.' },
    pending: { type: 'boolean', doc: 'List or show only those that have not been replayed.' },
    'show-secrets': { type: 'boolean', doc: 'List or show secrets, and bytes that are no text, too.' },
    json: { type: 'boolean', doc: 'One line of JSON for each, or for what a replay came to.' },
    'dry-run': { type: 'boolean', doc: 'Say what would be replayed, and write nothing.' },
    again: { type: 'boolean', doc: 'Replay those that were replayed before as well.' },
    into: {
      type: 'string',
      value: 'TOPIC',
      doc: 'Replay into this topic (its full name), where keys decide.',
    },
  },
  run: async context => {
    const [action = '', ...ids] = context.operands
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined
    if (run === undefined) throw new SentinelError('NS_USAGE', 'dlq: say list, show or replay')
    const topic = topicCatalogue(context.config.topics).deadLetters.name
    const selection = selectionOf(context.options, ids, { topic, prefix: context.config.topics.prefix })
    return run({ context, topic, selection, limit: limitOf(context.options) })
  },
}
