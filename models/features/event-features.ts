import { agentClass } from './agents.ts'
import { ABSENT, type Feature, flag, lengthOf, size, type View } from './feature.ts'
import { ACTION_KINDS, CATEGORIES, SERVICE_KINDS } from './kinds.ts'
import { portClass } from './ports.ts'
import { logOfCount } from './text.ts'

/** Labels of a name, as the dots cut it. */
const labelsOf = (name: string): number => {
  let labels = 1
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1)) labels++
  return labels
}

const listed = (members: readonly string[]): string => members.join(', ')

/** What happened: kind and outcome of the event, its sizes, and the texts in it. */
export const EVENT_FEATURES: readonly Feature[] = [
  ...CATEGORIES.map(category => ({
    name: `category_${category}`,
    doc: `1 when the event's category is ${category}.`,
    of: ({ event }: View) => flag(event.category === category),
  })),
  ...Object.entries(ACTION_KINDS).map(([kind, members]) => ({
    name: `action_${kind}`,
    doc: `1 when what was done is one of ${listed(members)}.`,
    of: ({ action }: View) => flag(action === kind),
  })),
  { name: 'outcome_success', doc: '1 when it succeeded.', of: v => flag(v.event.outcome === 'success') },
  { name: 'outcome_failure', doc: '1 when it failed.', of: v => flag(v.event.outcome === 'failure') },
  ...Object.entries({ ...SERVICE_KINDS, other: ['any other that has a name'] }).map(([kind, members]) => ({
    name: `service_${kind}`,
    doc: `1 when the service is one of ${listed(members)}.`,
    of: ({ service }: View) => (service === null ? ABSENT : flag(service === kind)),
  })),
  {
    name: 'transport_not_tcp',
    doc: '1 for udp, icmp and others, 0 for tcp.',
    of: v => (v.event.transport === null ? ABSENT : flag(v.event.transport !== 'tcp')),
  },
  {
    name: 'port_class',
    doc: 'How rare a target the port is: 0 a common service, 1 another below 1024, 2 another below 49152, 3 above.',
    of: v => portClass(v.event.dstPort),
  },
  { name: 'bytes_in', doc: 'ln(1 + bytes from the one who acts).', of: v => size(v.event.bytesIn) },
  { name: 'bytes_out', doc: 'ln(1 + bytes back).', of: v => size(v.event.bytesOut) },
  { name: 'packets', doc: 'ln(1 + packets).', of: v => size(v.event.packets) },
  { name: 'duration', doc: 'ln(1 + ms).', of: v => size(v.event.durationMs) },
  {
    name: 'source_severity',
    doc: 'Severity that the sensor gives, 1 to 4.',
    of: v => (v.event.sourceSeverity === null ? ABSENT : Math.min(4, Math.max(0, v.event.sourceSeverity))),
  },
  { name: 'user_length', doc: 'ln(1 + length of the user name).', of: v => v.user.length },
  { name: 'user_entropy', doc: 'Bits a character of the user name.', of: v => v.user.entropy },
  { name: 'user_digits', doc: 'Share of digits in the user name.', of: v => v.user.digits },
  { name: 'command_length', doc: 'ln(1 + length of the command).', of: v => v.command.length },
  { name: 'command_entropy', doc: 'Bits a character of the command.', of: v => v.command.entropy },
  { name: 'command_symbols', doc: 'Share of special characters in the command.', of: v => v.command.symbols },
  { name: 'url_length', doc: 'ln(1 + length of the URL).', of: v => v.url.length },
  { name: 'url_entropy', doc: 'Bits a character of the URL.', of: v => v.url.entropy },
  { name: 'url_digits', doc: 'Share of digits in the URL.', of: v => v.url.digits },
  { name: 'url_symbols', doc: 'Share of special characters in the URL.', of: v => v.url.symbols },
  { name: 'query_length', doc: 'ln(1 + length of the name looked up).', of: v => v.query.length },
  { name: 'query_entropy', doc: 'Bits a character of the name looked up.', of: v => v.query.entropy },
  { name: 'query_digits', doc: 'Share of digits in the name looked up.', of: v => v.query.digits },
  {
    name: 'query_labels',
    doc: 'ln(1 + labels of the name looked up, as the dots cut it).',
    of: v => (v.event.query === null ? ABSENT : logOfCount(labelsOf(v.event.query))),
  },
  { name: 'agent_length', doc: 'ln(1 + length of the user agent).', of: v => lengthOf(v.event.userAgent) },
  {
    name: 'agent_class',
    doc: 'How rare the user agent is: 0 a browser or OpenSSH, 1 a library or tool, 2 something else, 3 a scanner.',
    of: v => agentClass(v.event.userAgent),
  },
  { name: 'file_length', doc: 'ln(1 + length of the file name).', of: v => v.file.length },
  { name: 'file_entropy', doc: 'Bits a character of the file name.', of: v => v.file.entropy },
]
