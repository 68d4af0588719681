import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { type Command, numberOption } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { fieldNames } from '../../schemas/avro.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { type DiffSummary, isEqual, type Side, type ThreatSummary } from './diff.ts'
import { diffTopics, type Finding } from './diff-topics.ts'
import { windowOf, windowOptions } from './window.ts'

/** The settings that diff reads. */
interface DiffConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
}

const scored = ({ score, severity }: ThreatSummary) => `${score} ${severity}`

const VERBS = { appear: 'appears', vanish: 'vanishes', duplicate: 'is there again', order: 'is out of order' }

/** A finding as a line for people. */
const lineOf = (finding: Finding, names: Readonly<Record<Side, string>>): string => {
  if (finding.kind === 'unreadable') {
    const { side, partition, offset, reason } = finding
    return `${names[side]}-${partition}, offset ${offset}: no threat: ${reason}`
  }
  const threat = finding.kind === 'change' ? finding.after : finding.threat
  const where = `partition ${finding.partition}, event ${threat.eventOffset} (${threat.id}) of ${threat.entity}`
  if (finding.kind === 'change') {
    const { before, after, fields } = finding
    return `${where} changes: ${fields.join(', ')}; ${scored(before)} → ${scored(after)}`
  }
  const there = 'side' in finding ? ` in ${names[finding.side]}` : ''
  return `${where} ${VERBS[finding.kind]}${there}: ${scored(threat)}`
}

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ')

const linesOf = (summary: DiffSummary, names: Readonly<Record<Side, string>>): string[] => {
  const { a, b, same, appear, vanish, change, duplicate, order, unreadable, fields, severities } = summary
  return [
    `${names.a} has ${a} threats, ${names.b} has ${b}; ${same} are the same`,
    `${appear} appear, ${vanish} vanish, ${change} change, ${duplicate} are there again, ${order} are out of order, ${unreadable} are no threats`,
    ...(change > 0 ? [`changed: ${counted(fields)}`] : []),
    ...(Object.keys(severities).length > 0 ? [`severity: ${counted(severities)}`] : []),
  ]
}

const ignored = (text: string | boolean | undefined): ReadonlySet<string> => {
  const names = typeof text === 'string' ? text.split(',').map(name => name.trim()) : []
  const known = new Set([
    ...fieldNames('Threat'),
    ...fieldNames('Event').map(name => `event.${name}`),
    'record.key',
    'record.timestamp',
  ])
  const unknown = names.find(name => !known.has(name))
  if (unknown !== undefined) {
    throw new SentinelError(
      'NS_USAGE',
      `diff: a threat has no field '${unknown}': --ignore takes ${[...known].join(', ')}`,
    )
  }
  return new Set(names)
}

const DEFAULT_LIMIT = 20

/** `netsentinel diff A B`. */
export const diff: Command<DiffConfig> = {
  summary: 'Tell which threats appear, vanish or change from one topic to another.',
  operands: 'A B',
  details: [
    'A and B are topics of threats with as many partitions, without TOPIC_PREFIX: `threats`, and what `score --into` wrote.',
    'A threat is known by the offset of its event. Every field is compared, and key and timestamp of the record; what is',
    'there twice or out of order is a difference as well. Exits with 0 when there is none, with 1 when there is one. To',
    'compare the outcome of two models: --ignore modelVersion,modelScores,contributions.',
  ].join('\n'),
  options: {
    ...windowOptions,
    ignore: {
      type: 'string',
      value: 'FIELDS',
      doc: 'Fields that may differ, with commas between: score, event.title, record.timestamp …',
    },
    limit: {
      type: 'string',
      value: 'N',
      doc: `Differences that are listed, at most; all are counted. ${DEFAULT_LIMIT}, or all with --json.`,
    },
    json: { type: 'boolean', doc: 'One JSON line a difference, and the summary as the last.' },
  },
  run: async ({ config, log, options, operands, print }) => {
    const [a, b] = operands
    if (a === undefined || b === undefined || operands.length > 2) {
      throw new SentinelError('NS_USAGE', 'diff: name two topics')
    }
    const window = windowOf(options)
    const ignore = ignored(options['ignore'])
    const json = options['json'] === true
    const limit = numberOption(options, 'limit', json ? Number.MAX_SAFE_INTEGER : DEFAULT_LIMIT)
    const { prefix } = config.topics
    const topics = { a: `${prefix}${a}`, b: `${prefix}${b}` }
    const codec = await createRegistry(config.registry).codec(
      'Threat',
      topicCatalogue(config.topics).threats.name,
    )
    let listed = 0
    const onFinding = (finding: Finding) => {
      if (listed++ < limit) print(json ? JSON.stringify(finding) : lineOf(finding, topics))
    }
    const kafka = createKafka({ config: config.kafka, log })
    const summary = await diffTopics({ kafka, codec, topics, window, ignore, onFinding })
    if (json) print(JSON.stringify({ kind: 'summary', ...summary }))
    else {
      if (listed > limit) print(`… and ${listed - limit} more`)
      for (const line of linesOf(summary, topics)) print(line)
    }
    return isEqual(summary) ? EXIT.ok : EXIT.failure
  },
}
