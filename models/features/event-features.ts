import { agentClass } from './agents.ts'
import type { JudgedEvent } from './event-fields.ts'
import { ABSENT, type Feature, flag, size } from './feature.ts'
import { ACTION_KINDS, actionKind, CATEGORIES, placesOf, SERVICE_KINDS, serviceKind } from './kinds.ts'
import { portClass } from './ports.ts'
import { logOfCount, textStats } from './text.ts'

/** Labels of a name, as the dots cut it. */
const labelsOf = (name: string): number => {
  let labels = 1
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1)) labels++
  return labels
}

const listed = (members: readonly string[]): string => members.join(', ')

const SERVICES = { ...SERVICE_KINDS, other: ['any other that has a name'] }

/** What happened: kind and outcome of the event, its sizes, and the texts in it; in the order in which they are written. */
export const EVENT_FEATURES: readonly Feature[] = [
  ...CATEGORIES.map(category => ({
    name: `category_${category}`,
    doc: `1 when the event's category is ${category}.`,
  })),
  ...Object.entries(ACTION_KINDS).map(([kind, members]) => ({
    name: `action_${kind}`,
    doc: `1 when what was done is one of ${listed(members)}.`,
  })),
  { name: 'outcome_success', doc: '1 when it succeeded.' },
  { name: 'outcome_failure', doc: '1 when it failed.' },
  ...Object.entries(SERVICES).map(([kind, members]) => ({
    name: `service_${kind}`,
    doc: `1 when the service is one of ${listed(members)}.`,
  })),
  { name: 'transport_not_tcp', doc: '1 for udp, icmp and others, 0 for tcp.' },
  {
    name: 'port_class',
    doc: 'How rare a target the port is: 0 a common service, 1 another below 1024, 2 another below 49152, 3 above.',
  },
  { name: 'bytes_in', doc: 'ln(1 + bytes from the one who acts).' },
  { name: 'bytes_out', doc: 'ln(1 + bytes back).' },
  { name: 'packets', doc: 'ln(1 + packets).' },
  { name: 'duration', doc: 'ln(1 + ms).' },
  { name: 'source_severity', doc: 'Severity that the sensor gives, 1 to 4.' },
  { name: 'user_length', doc: 'ln(1 + length of the user name).' },
  { name: 'user_entropy', doc: 'Bits a character of the user name.' },
  { name: 'user_digits', doc: 'Share of digits in the user name.' },
  { name: 'command_length', doc: 'ln(1 + length of the command).' },
  { name: 'command_entropy', doc: 'Bits a character of the command.' },
  { name: 'command_symbols', doc: 'Share of special characters in the command.' },
  { name: 'url_length', doc: 'ln(1 + length of the URL).' },
  { name: 'url_entropy', doc: 'Bits a character of the URL.' },
  { name: 'url_digits', doc: 'Share of digits in the URL.' },
  { name: 'url_symbols', doc: 'Share of special characters in the URL.' },
  { name: 'query_length', doc: 'ln(1 + length of the name looked up).' },
  { name: 'query_entropy', doc: 'Bits a character of the name looked up.' },
  { name: 'query_digits', doc: 'Share of digits in the name looked up.' },
  { name: 'query_labels', doc: 'ln(1 + labels of the name looked up, as the dots cut it).' },
  { name: 'agent_length', doc: 'ln(1 + length of the user agent).' },
  {
    name: 'agent_class',
    doc: 'How rare the user agent is: 0 a browser or OpenSSH, 1 a library or tool, 2 something else, 3 a scanner.',
  },
  { name: 'file_length', doc: 'ln(1 + length of the file name).' },
  { name: 'file_entropy', doc: 'Bits a character of the file name.' },
]

const CATEGORY_PLACES = placesOf(CATEGORIES)
const ACTION_PLACES = placesOf(Object.keys(ACTION_KINDS))
const SERVICE_PLACES = placesOf(Object.keys(SERVICES))

/** Writes `value` at `at` and the places behind it, and 1 at one of them; gives the index behind them all. */
const writeOneOf = (
  places: ReadonlyMap<string, number>,
  member: string | null | undefined,
  value: number,
  out: Float32Array,
  at: number,
): number => {
  const end = at + places.size
  for (let i = at; i < end; i++) out[i] = value
  const place = member === null || member === undefined ? undefined : places.get(member)
  if (place !== undefined) out[at + place] = 1
  return end
}

/** Writes {@link EVENT_FEATURES}, in their order, from index `from` on; gives the index behind them. */
export const writeEventFeatures = (event: JudgedEvent, out: Float32Array, from: number): number => {
  const { service, transport, sourceSeverity, query, userAgent } = event
  let at = writeOneOf(CATEGORY_PLACES, event.category, 0, out, from)
  at = writeOneOf(ACTION_PLACES, actionKind(event.action), 0, out, at)
  out[at++] = flag(event.outcome === 'success')
  out[at++] = flag(event.outcome === 'failure')
  at =
    service === null
      ? writeOneOf(SERVICE_PLACES, null, ABSENT, out, at)
      : writeOneOf(SERVICE_PLACES, serviceKind(service), 0, out, at)
  out[at++] = transport === null ? ABSENT : flag(transport !== 'tcp')
  out[at++] = portClass(event.dstPort)
  out[at++] = size(event.bytesIn)
  out[at++] = size(event.bytesOut)
  out[at++] = size(event.packets)
  out[at++] = size(event.durationMs)
  out[at++] = sourceSeverity === null ? ABSENT : Math.min(4, Math.max(0, sourceSeverity))
  const user = textStats(event.user)
  out[at++] = user.length
  out[at++] = user.entropy
  out[at++] = user.digits
  const command = textStats(event.command)
  out[at++] = command.length
  out[at++] = command.entropy
  out[at++] = command.symbols
  const url = textStats(event.url)
  out[at++] = url.length
  out[at++] = url.entropy
  out[at++] = url.digits
  out[at++] = url.symbols
  const name = textStats(query)
  out[at++] = name.length
  out[at++] = name.entropy
  out[at++] = name.digits
  out[at++] = query === null ? ABSENT : logOfCount(labelsOf(query))
  out[at++] = userAgent === null ? ABSENT : logOfCount(userAgent.length)
  out[at++] = agentClass(userAgent)
  const file = textStats(event.fileName)
  out[at++] = file.length
  out[at++] = file.entropy
  return at
}
