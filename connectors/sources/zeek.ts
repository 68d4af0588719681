import { SentinelError } from '../../runtime/errors.ts'
import { ip } from './addresses.ts'
import { firstText, isObject, object, port, text, transport } from './fields.ts'
import type { JsonObject, Source } from './source.ts'
import { ZEEK_PATHS } from './zeek-paths.ts'

/** A record of one log: the log's path, its fields, and the fields beside it in a tagged record. */
interface Entry {
  readonly path: string
  readonly fields: JsonObject
  readonly beside: JsonObject
}

/**
 * Fields that tell a log where the record does not name it, in the order they are looked for: the first line all of
 * whose fields are there. Common fields alone (`uid`, `proto`, `name`) tell nothing.
 */
const TELLTALES: readonly (readonly [path: string, ...fields: string[]])[] = [
  ['conn', 'conn_state'],
  ['dns', 'query', 'qtype_name'],
  ['dns', 'trans_id', 'rcode'],
  ['dns', 'trans_id', 'rejected'],
  ['smtp', 'trans_depth', 'is_webmail'],
  ['smtp', 'trans_depth', 'helo'],
  ['sip', 'trans_depth', 'call_id'],
  ['http', 'trans_depth'],
  ['ssl', 'resumed'],
  ['ssl', 'cipher', 'established'],
  ['files', 'fuid', 'seen_bytes'],
  ['kerberos', 'request_type', 'client'],
  ['kerberos', 'request_type', 'till'],
  ['x509', 'certificate.subject'],
  ['notice', 'note', 'actions'],
  ['notice', 'note', 'msg'],
  ['weird', 'name', 'notice'],
  ['ssh', 'auth_attempts'],
  ['ssh', 'auth_success'],
  ['ssh', 'client', 'kex_alg'],
  ['rdp', 'security_protocol'],
  ['rdp', 'cookie', 'result'],
  ['ftp', 'command', 'reply_code'],
  ['ftp', 'user', 'command'],
  ['smb_mapping', 'share_type'],
  ['smb_files', 'action', 'name'],
  ['dce_rpc', 'endpoint', 'operation'],
  ['ntlm', 'server_nb_computer_name'],
  ['ntlm', 'username', 'domainname'],
  ['snmp', 'get_requests'],
  ['ntp', 'stratum'],
  ['dhcp', 'lease_time'],
  ['dhcp', 'msg_types'],
  ['rfb', 'authentication_method'],
  ['mysql', 'cmd', 'arg'],
  ['radius', 'username', 'result'],
  ['analyzer', 'analyzer_kind'],
  ['dpd', 'analyzer', 'failure_reason'],
  ['syslog', 'facility', 'severity', 'message'],
  ['known_services', 'port_num', 'port_proto'],
  ['known_certs', 'port_num', 'issuer_subject'],
  ['software', 'software_type'],
  ['capture_loss', 'ts_delta', 'percent_lost'],
  ['stats', 'pkts_proc', 'bytes_recv'],
]

const telltale = (fields: JsonObject): string | undefined =>
  TELLTALES.find(([, ...needed]) => needed.every(field => field in fields))?.[0]

const isConnection = (fields: JsonObject) =>
  'id.orig_h' in fields || 'id_orig_h' in fields || (isObject(fields['id']) && 'orig_h' in fields['id'])

/** The one object in `{"conn":{…}}`; static fields that the writer adds beside it are scalars. */
const tagged = (value: JsonObject): Entry | undefined => {
  let entry: Entry | undefined
  for (const [path, fields] of Object.entries(value)) {
    if (!isObject(fields)) continue
    if (entry !== undefined) return undefined
    entry = { path, fields, beside: value }
  }
  return entry !== undefined &&
    'ts' in entry.fields &&
    (ZEEK_PATHS.has(entry.path) ||
      isConnection(entry.fields) ||
      'uid' in entry.fields ||
      telltale(entry.fields) !== undefined)
    ? entry
    : undefined
}

const entryOf = (value: JsonObject): Entry | undefined => {
  if ('_path' in value) return { path: text(value['_path']) ?? '', fields: value, beside: value }
  if (!('ts' in value)) return tagged(value)
  const path = telltale(value)
  if (path !== undefined) return { path, fields: value, beside: value }
  return 'uid' in value && isConnection(value) ? { path: 'unknown', fields: value, beside: value } : undefined
}

/** Logs of a protocol that have no reader of their own. */
const SERVICE_LOGS: ReadonlySet<string> = new Set([
  'irc',
  'modbus',
  'dnp3',
  'socks',
  'ldap',
  'ldap_search',
  'postgresql',
  'quic',
  'websocket',
  'redis',
])

/** One of the four fields of the connection's 4-tuple, in each spelling that shippers give it. */
const endpoint = (fields: JsonObject, name: string): unknown =>
  fields[`id.${name}`] ?? fields[`id_${name}`] ?? object(fields['id'])[name]

/**
 * Zeek's logs as JSON, in three shapes: tagged by the Kafka writer (`{"conn":{…}}`), named by `_path` (JSON streaming
 * logs), and plain, where the log is told by its fields. Times are seconds or ms since 1970, or ISO 8601.
 */
export const zeek: Source = {
  name: 'zeek',

  recognises: value => entryOf(value) !== undefined,

  read: (value, { time }) => {
    const entry = entryOf(value)
    if (entry === undefined || entry.path === '')
      throw new SentinelError('NS_MALFORMED', 'Zeek: the name of the log (_path) is not a text')
    const { path, fields, beside } = entry
    const proto = transport(fields['proto'])
    // For ICMP Zeek puts type and code where ports are.
    const ported = proto !== 'icmp'
    return {
      time: time(fields['ts']) ?? time(fields['_write_ts']),
      type: path,
      sensor: firstText(
        beside['_system_name'],
        beside['sensor'],
        beside['sensor_name'],
        fields['peer_descr'],
        fields['peer'],
      ),
      session: text(fields['uid']),
      srcIp: ip(endpoint(fields, 'orig_h')),
      srcPort: ported ? port(endpoint(fields, 'orig_p')) : null,
      dstIp: ip(endpoint(fields, 'resp_h')),
      dstPort: ported ? port(endpoint(fields, 'resp_p')) : null,
      transport: proto,
      ...(ZEEK_PATHS.get(path)?.(fields) ?? {
        title: `Zeek ${path}`,
        category: 'network',
        action: 'event',
        ...(SERVICE_LOGS.has(path) ? { service: path } : {}),
      }),
    }
  },
}
