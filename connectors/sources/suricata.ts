import { SentinelError } from '../../runtime/errors.ts'
import { ip } from './addresses.ts'
import {
  count,
  firstText,
  integer,
  isObject,
  list,
  lower,
  object,
  port,
  seconds,
  sum,
  text,
  transport,
} from './fields.ts'
import type { EventCategory, JsonObject, ReadContext, Source, SourceEvent } from './source.ts'
import { PROTOCOL_KINDS, protocolDetail } from './suricata-protocols.ts'
import { techniqueIds } from './techniques.ts'

type Detail = Partial<SourceEvent> & Pick<SourceEvent, 'title' | 'category' | 'action'>
type Reader = (value: JsonObject, context: ReadContext) => Detail

const SEVERITY_WORDS: ReadonlyMap<string, number> = new Map([
  ['critical', 4],
  ['major', 3],
  ['minor', 2],
  ['informational', 1],
])

/** Suricata counts from 1, the worst; rules say `critical` only in words (signature_severity). */
const severityOf = (alert: JsonObject): number | null => {
  const word = lower(list(object(alert['metadata'])['signature_severity'])[0])
  const said = word === null ? undefined : SEVERITY_WORDS.get(word)
  if (said !== undefined) return said
  const severity = integer(alert['severity'])
  return severity === null || severity < 1 ? null : Math.max(1, 4 - severity)
}

const alert: Reader = value => {
  const fields = value['alert']
  if (!isObject(fields))
    throw new SentinelError('NS_MALFORMED', 'Suricata: an alert without its alert object')
  const metadata = object(fields['metadata'])
  const signature = text(fields['signature'])
  const told = techniqueIds(list(metadata['mitre_technique_id']))
  return {
    title: signature ?? 'Alert',
    category: 'alert',
    action: 'alert',
    outcome: fields['action'] === 'blocked' ? 'failure' : 'unknown',
    signatureId: text(fields['signature_id']),
    signature,
    sourceSeverity: severityOf(fields),
    techniques: told.length > 0 ? told : /^(?:ET|GPL|ETPRO) SCAN\b/.test(signature ?? '') ? ['T1046'] : [],
  }
}

const anomaly: Reader = value => {
  const fields = object(value['anomaly'])
  const event = firstText(fields['event'], fields['type'])
  return {
    title: event === null ? 'Anomaly' : `Anomaly ${event}`,
    category: 'network',
    action: 'anomaly',
    signatureId: event,
    signature: event,
    service: lower(value['app_proto']),
  }
}

const flow: Reader = value => ({
  title: 'Flow',
  category: 'network',
  action: 'connect',
  status: text(object(value['flow'])['state']),
})

/** One direction of a flow only: `netflow.pkts` and `netflow.bytes`. */
const netflow: Reader = value => {
  const fields = object(value['netflow'])
  return {
    title: 'Flow, one direction',
    category: 'network',
    action: 'connect',
    packets: count(fields['pkts']),
    bytesIn: count(fields['bytes']),
    durationMs: seconds(fields['age']),
  }
}

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['alert', alert],
  ['anomaly', anomaly],
  ['flow', flow],
  ['netflow', netflow],
  ['drop', () => ({ title: 'Packet dropped', category: 'network', action: 'drop' })],
  ['stats', () => ({ title: 'Suricata statistics', category: 'system', action: 'report' })],
])

const protocol = (type: string): Detail => {
  const [category, action]: readonly [EventCategory, string] = PROTOCOL_KINDS.get(type) ?? [
    'network',
    'event',
  ]
  return { title: `Suricata ${type}`, category, action }
}

/** Counters of the flow so far; in flow records they are final. */
const flowDetail = (value: JsonObject, { time }: ReadContext): Partial<SourceEvent> => {
  const fields = value['flow']
  if (!isObject(fields)) return {}
  const start = time(fields['start'])
  const end = time(fields['end'])
  return {
    packets: sum(fields['pkts_toserver'], fields['pkts_toclient']),
    bytesIn: count(fields['bytes_toserver']),
    bytesOut: count(fields['bytes_toclient']),
    durationMs: start !== null && end !== null && end >= start ? end - start : seconds(fields['age']),
  }
}

/** Suricata's EVE JSON, of every event type; those that are not known stay generic. */
export const suricata: Source = {
  name: 'suricata',

  recognises: value => 'event_type' in value && ('timestamp' in value || 'flow_id' in value),

  read: (value, context) => {
    const type = text(value['event_type'])
    if (type === null) throw new SentinelError('NS_MALFORMED', 'Suricata: event_type is not a text')
    const proto = transport(value['proto'])
    const ported = proto !== 'icmp'
    return {
      time: context.time(value['timestamp']),
      type,
      sensor: firstText(value['host'], value['sensor_name']),
      session: text(value['flow_id']),
      srcIp: ip(value['src_ip']),
      srcPort: ported ? port(value['src_port']) : null,
      dstIp: ip(value['dest_ip']),
      dstPort: ported ? port(value['dest_port']) : null,
      transport: proto,
      service: appProtocol(value['app_proto']),
      ...flowDetail(value, context),
      ...protocolDetail(value),
      ...(READERS.get(type)?.(value, context) ?? protocol(type)),
    }
  },
}

const appProtocol = (value: unknown): string | null => {
  const name = lower(value)
  return name === 'failed' || name === 'unknown' ? null : name
}
