import { ip } from './addresses.ts'
import { count, firstText, integer, list, lower, outcomeOf, port, seconds, sum, text } from './fields.ts'
import type { JsonObject } from './source.ts'
import { named, type ZeekReader } from './zeek-detail.ts'
import { WINDOWS_PATHS } from './zeek-windows.ts'

/** Connection states in which the other side answered, and those in which it did not (Zeek's conn.log manual). */
const ESTABLISHED = new Set(['SF', 'S1', 'S2', 'S3', 'RSTO', 'RSTR'])
const REFUSED = new Set(['S0', 'REJ', 'RSTOS0', 'RSTRH', 'SH', 'SHR'])

const byStatus = (status: number | null, firstBad: number): 'success' | 'failure' | 'unknown' =>
  status === null ? 'unknown' : status < firstBad ? 'success' : 'failure'

const conn: ZeekReader = value => {
  const state = text(value['conn_state'])
  return {
    title: named('Connection', state),
    category: 'network',
    action: 'connect',
    outcome:
      state !== null && ESTABLISHED.has(state)
        ? 'success'
        : state !== null && REFUSED.has(state)
          ? 'failure'
          : 'unknown',
    service: lower(value['service']),
    status: state,
    durationMs: seconds(value['duration']),
    bytesIn: count(value['orig_bytes']),
    bytesOut: count(value['resp_bytes']),
    packets: sum(value['orig_pkts'], value['resp_pkts']),
  }
}

const dns: ZeekReader = value => {
  const code = text(value['rcode_name'])
  return {
    title: named('DNS query', text(value['query'])),
    category: 'dns',
    action: 'query',
    outcome: code === null ? 'unknown' : code === 'NOERROR' ? 'success' : 'failure',
    service: 'dns',
    query: text(value['query']),
    method: firstText(value['qtype_name'], value['qtype']),
    status: code,
    durationMs: seconds(value['rtt']),
  }
}

const http: ZeekReader = value => {
  const status = integer(value['status_code'])
  return {
    title: named('HTTP', text(value['method'])),
    category: 'web',
    action: 'request',
    outcome: byStatus(status, 400),
    service: 'http',
    transport: 'tcp',
    method: text(value['method']),
    url: text(value['uri']),
    dstHost: text(value['host']),
    userAgent: text(value['user_agent']),
    status: text(value['status_code']),
    user: text(value['username']),
    secret: text(value['password']),
    bytesIn: count(value['request_body_len']),
    bytesOut: count(value['response_body_len']),
  }
}

const ssl: ZeekReader = value => ({
  title: named('TLS', text(value['server_name'])),
  category: 'tls',
  action: 'connect',
  outcome: outcomeOf(value['established']),
  service: 'tls',
  transport: 'tcp',
  dstHost: text(value['server_name']),
  status: firstText(value['validation_status'], value['last_alert']),
  fingerprint: text(value['ja3']),
})

const noticeTechniques = (note: string): string[] =>
  note.startsWith('Scan::')
    ? ['T1046']
    : note === 'SSH::Password_Guessing' || note === 'FTP::Bruteforcing'
      ? ['T1110.001']
      : note.startsWith('HTTP::SQL_Injection')
        ? ['T1190']
        : []

const notice: ZeekReader = value => {
  const note = text(value['note'])
  return {
    title: text(value['msg']) ?? named('Notice', note),
    category: 'alert',
    action: 'alert',
    signatureId: note,
    signature: note,
    techniques: noticeTechniques(note ?? ''),
    ...(ip(value['src']) === null ? {} : { srcIp: ip(value['src']) }),
    ...(ip(value['dst']) === null ? {} : { dstIp: ip(value['dst']) }),
  }
}

const weird: ZeekReader = value => ({
  title: named('Unusual traffic:', text(value['name'])),
  category: 'network',
  action: 'anomaly',
  signatureId: text(value['name']),
  signature: text(value['name']),
  service: lower(value['source']),
})

const ssh: ZeekReader = value => ({
  title: 'SSH session',
  category: 'authentication',
  action: 'login',
  outcome: outcomeOf(value['auth_success']),
  service: 'ssh',
  transport: 'tcp',
  userAgent: text(value['client']),
  fingerprint: text(value['hassh']),
  techniques: outcomeOf(value['auth_success']) === 'failure' ? ['T1110'] : [],
})

const ftp: ZeekReader = value => {
  const command = text(value['command'])
  const arg = text(value['arg'])
  const isLogin = command === 'USER' || command === 'PASS'
  return {
    title: named('FTP', command),
    category: isLogin ? 'authentication' : 'file',
    action: isLogin ? 'login' : 'command',
    outcome: byStatus(integer(value['reply_code']), 400),
    service: 'ftp',
    transport: 'tcp',
    user: text(value['user']),
    secret: firstText(value['password'], command === 'PASS' ? arg : null),
    command: command !== null && arg !== null ? `${command} ${arg}` : command,
    fileName: arg !== null && /^(?:RETR|STOR|APPE|DELE)$/.test(command ?? '') ? arg : null,
    status: text(value['reply_code']),
    bytesOut: count(value['file_size']),
  }
}

const smtp: ZeekReader = value => {
  const status = /^\d{3}/.exec(text(value['last_reply']) ?? '')?.[0] ?? null
  return {
    title: 'SMTP message',
    category: 'network',
    action: 'send',
    outcome: byStatus(integer(status), 400),
    service: 'smtp',
    transport: 'tcp',
    status,
    userAgent: text(value['user_agent']),
    query: text(value['helo']),
  }
}

/** In a file's record the address that asked is the receiver, unless the originator sent the file. */
const files: ZeekReader = value => {
  const fromOriginator = value['is_orig'] === true
  const sender = ip(list(value['tx_hosts'])[0])
  const receiver = ip(list(value['rx_hosts'])[0])
  const size = count(value['total_bytes']) ?? count(value['seen_bytes'])
  return {
    title: named('File', firstText(value['filename'], value['mime_type'])),
    category: 'file',
    action: fromOriginator ? 'upload' : 'download',
    session: firstText(value['uid'], list(value['conn_uids'])[0], value['fuid']),
    service: lower(value['source']),
    fileName: text(value['filename']),
    fileHash: firstText(value['sha256'], value['sha1'], value['md5']),
    durationMs: seconds(value['duration']),
    ...(fromOriginator ? { bytesIn: size } : { bytesOut: size }),
    ...('tx_hosts' in value
      ? { srcIp: fromOriginator ? sender : receiver, dstIp: fromOriginator ? receiver : sender }
      : {}),
  }
}

const commonName = (value: JsonObject): string | null =>
  text(/(?:^|,)CN=([^,]+)/.exec(text(value['certificate.subject']) ?? '')?.[1])

const x509: ZeekReader = value => ({
  title: named('Certificate', commonName(value)),
  category: 'tls',
  action: 'certificate',
  service: 'tls',
  session: firstText(value['id'], value['fuid']),
  dstHost: firstText(list(value['san.dns'])[0], commonName(value)),
  fileHash: text(value['fingerprint']),
})

const snmp: ZeekReader = value => ({
  title: 'SNMP',
  category: 'network',
  action: 'query',
  service: 'snmp',
  transport: 'udp',
  secret: text(value['community']),
  durationMs: seconds(value['duration']),
  packets: sum(
    value['get_requests'],
    value['get_bulk_requests'],
    value['get_responses'],
    value['set_requests'],
  ),
})

const dhcp: ZeekReader = value => ({
  title: 'DHCP',
  category: 'network',
  action: 'lease',
  service: 'dhcp',
  transport: 'udp',
  srcIp: ip(value['id.orig_h']) ?? ip(value['client_addr']) ?? ip(value['assigned_addr']),
  dstIp: ip(value['id.resp_h']) ?? ip(value['server_addr']),
  query: text(value['host_name']),
})

const radius: ZeekReader = value => ({
  title: 'RADIUS login',
  category: 'authentication',
  action: 'login',
  outcome: value['result'] === 'success' ? 'success' : value['result'] === 'failed' ? 'failure' : 'unknown',
  service: 'radius',
  transport: 'udp',
  user: text(value['username']),
  status: text(value['result']),
})

const sip: ZeekReader = value => ({
  title: named('SIP', text(value['method'])),
  category: 'network',
  action: 'request',
  outcome: byStatus(integer(value['status_code']), 400),
  service: 'sip',
  method: text(value['method']),
  url: text(value['uri']),
  userAgent: text(value['user_agent']),
  status: text(value['status_code']),
})

const mysql: ZeekReader = value => ({
  title: named('MySQL', text(value['cmd'])),
  category: value['cmd'] === 'login' ? 'authentication' : 'command',
  action: value['cmd'] === 'login' ? 'login' : 'query',
  outcome: outcomeOf(value['success']),
  service: 'mysql',
  transport: 'tcp',
  ...(value['cmd'] === 'login' ? { user: text(value['arg']) } : { command: text(value['arg']) }),
})

const rfb: ZeekReader = value => ({
  title: 'VNC connection',
  category: 'authentication',
  action: 'login',
  outcome: outcomeOf(value['auth']),
  service: 'vnc',
  transport: 'tcp',
  method: text(value['authentication_method']),
  dstHost: text(value['desktop_name']),
})

/** Logs of what a host was seen to be: the host is the one that is told of. */
const known =
  (title: string): ZeekReader =>
  value => ({
    title,
    category: 'system',
    action: 'seen',
    dstIp: ip(value['host']),
    dstPort: port(value['port_num']) ?? port(value['host_p']),
    dstHost: text(value['dhcp_host_name']),
    userAgent: text(value['unparsed_version']),
    service: lower(list(value['service'])[0]),
  })

const analyzer: ZeekReader = value => ({
  title: named('Protocol not as expected:', firstText(value['analyzer_name'], value['analyzer'])),
  category: 'network',
  action: 'anomaly',
  service: lower(value['analyzer_name'] ?? value['analyzer']),
  status: text(value['failure_reason']),
})

const syslog: ZeekReader = value => ({
  title: 'Syslog message',
  category: 'system',
  action: 'message',
  service: 'syslog',
  status: text(value['severity']),
  command: text(value['message']),
})

const health =
  (title: string): ZeekReader =>
  () => ({ title, category: 'system', action: 'report' })

/** How each log of Zeek is read, by its path. */
export const ZEEK_PATHS: ReadonlyMap<string, ZeekReader> = new Map<string, ZeekReader>([
  ...WINDOWS_PATHS,
  ['conn', conn],
  ['dns', dns],
  ['http', http],
  ['ssl', ssl],
  ['notice', notice],
  ['weird', weird],
  ['ssh', ssh],
  ['ftp', ftp],
  ['smtp', smtp],
  ['files', files],
  ['x509', x509],
  ['snmp', snmp],
  ['dhcp', dhcp],
  ['radius', radius],
  ['sip', sip],
  ['mysql', mysql],
  ['rfb', rfb],
  ['ntp', () => ({ title: 'NTP', category: 'network', action: 'query', service: 'ntp', transport: 'udp' })],
  ['known_services', known('Service seen')],
  ['known_hosts', known('Host seen')],
  ['known_devices', known('Device seen')],
  ['known_certs', known('Certificate seen')],
  ['software', known('Software seen')],
  ['dpd', analyzer],
  ['analyzer', analyzer],
  ['syslog', syslog],
  ['stats', health('Zeek statistics')],
  ['capture_loss', health('Zeek capture loss')],
  ['reporter', health('Zeek report')],
])
