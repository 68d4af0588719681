import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import { createKafka } from '../../connectors/kafka/client.ts'
import { sendToEveryPartition } from '../../connectors/kafka/every-partition.ts'
import { createRegistry } from '../../connectors/registry.ts'
import type { Command } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import type { AlertingConfig } from './command.ts'
import { type DecisionRecord, makeDecision } from './make-decision.ts'

const text = (doc: string, value: string) => ({ type: 'string' as const, value, doc })

/** `netsentinel decide`. */
export const decide: Command<Omit<AlertingConfig, 'alerting'>> = {
  summary: 'Suppress threats, or triage an alert: writes to decisions.',
  operands: 'suppress | lift ID | acknowledge | resolve | reopen | assign | comment | verdict ALERT',
  details: [
    'suppress keeps threats out of alerts: those of which all that is named holds, from now on, until it is lifted or',
    '--for is over. lift ends a suppression. The others are about an alert, and show in it at once.',
    'It prints the id of the decision; a decision that is written again with its --id changes nothing.',
  ].join('\n'),
  options: {
    entity: text('Suppress: threats of this entity, e.g. ip:203.0.113.9.', 'ENTITY'),
    cidr: text('Suppress: threats from this network.', 'CIDR'),
    sensor: text('Suppress: threats that this sensor saw.', 'NAME'),
    technique: text('Suppress: threats that are evidence of this ATT&CK technique, e.g. T1110.', 'ID'),
    rule: text('Suppress: for this rule only; alone, it suppresses the rule.', 'ID'),
    for: text('Suppress: for so long, e.g. 90m, 12h, 7d; for good when not given.', 'TIMESPAN'),
    verdict: text('Resolve, verdict: true_positive or false_positive.', 'VERDICT'),
    to: text('Assign: who looks after the alert; nobody when not given.', 'NAME'),
    comment: text('Why, in words.', 'TEXT'),
    by: text('Who decides; the name of this account by default.', 'NAME'),
    id: text('Id of the decision; a random one by default.', 'ID'),
  },
  run: async ({ config, log, options, operands, print }) => {
    const [kind, about, ...rest] = operands
    if (kind === undefined || rest.length > 0) {
      throw new SentinelError('NS_USAGE', 'decide: name what is decided, and the alert')
    }
    const given = Object.fromEntries(
      Object.entries(options).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    )
    const now = Date.now()
    const made: DecisionRecord = makeDecision(
      { kind, about, options: given },
      randomUUID(),
      userInfo().username,
      now,
    )
    const topic = topicCatalogue(config.topics).decisions.name
    const codec = await createRegistry(config.registry).codec('Decision', topic)
    await sendToEveryPartition(createKafka({ config: config.kafka, log }), topic, {
      key: made.id,
      value: made.decision && codec.encode(made.decision),
      timestamp: now,
    })
    print(made.id)
    return EXIT.ok
  },
}
