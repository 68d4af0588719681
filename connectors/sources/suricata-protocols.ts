import { count, firstText, integer, isObject, list, object, outcomeOf, text } from './fields.ts'
import type { EventCategory, JsonObject, SourceEvent } from './source.ts'

/** What an application-layer object of an EVE record tells; alerts carry them too. */
export type ProtocolDetail = Partial<SourceEvent>
type Reader = (fields: JsonObject) => ProtocolDetail

/** Request headers whose values let their bearer in. */
const SECRET_HEADERS = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|x-auth-token)$/i

const headerSecrets = (fields: JsonObject): string[] =>
  [...list(fields['request_headers']), ...list(fields['response_headers'])].flatMap(header => {
    const { name, value } = object(header)
    return typeof name === 'string' && SECRET_HEADERS.test(name) && typeof value === 'string' ? [value] : []
  })

const http: Reader = fields => {
  const status = integer(fields['status'])
  return {
    service: 'http',
    method: text(fields['http_method']),
    url: text(fields['url']),
    dstHost: text(fields['hostname']),
    userAgent: text(fields['http_user_agent']),
    status: text(fields['status']),
    outcome: status === null ? 'unknown' : status < 400 ? 'success' : 'failure',
    secrets: headerSecrets(fields),
  }
}

/** DNS in its three versions: flat query or answer, lists of queries in alerts, and lists everywhere (version 3). */
const dns: Reader = fields => {
  const first = object(list(fields['queries'])[0] ?? list(fields['query'])[0])
  const query = firstText(fields['rrname'], first['rrname'])
  const code = firstText(fields['rcode'], object(fields['answer'])['rcode'])
  return {
    service: 'dns',
    query,
    method: firstText(fields['rrtype'], first['rrtype']),
    status: code,
    outcome: code === null ? 'unknown' : code === 'NOERROR' ? 'success' : 'failure',
  }
}

const tls: Reader = fields => ({
  service: 'tls',
  dstHost: text(fields['sni']),
  fingerprint: firstText(object(fields['ja3'])['hash'], fields['ja4']),
  fileHash: text(fields['fingerprint']),
  status: text(fields['version']),
})

const ssh: Reader = fields => {
  const client = object(fields['client'])
  return {
    service: 'ssh',
    userAgent: text(client['software_version']),
    fingerprint: text(object(client['hassh'])['hash']),
  }
}

const fileinfo: Reader = fields => ({
  fileName: text(fields['filename']),
  fileHash: firstText(fields['sha256'], fields['sha1'], fields['md5']),
  bytesOut: count(fields['size']),
  status: text(fields['state']),
})

const smtp: Reader = fields => ({ service: 'smtp', query: text(fields['helo']) })

const ftp: Reader = fields => {
  const command = text(fields['command'])
  const data = text(fields['command_data'])
  const isSecret = command?.toUpperCase() === 'PASS' && data !== null
  const code = integer(list(fields['completion_code'])[0])
  return {
    service: 'ftp',
    command: command !== null && data !== null ? `${command} ${data}` : command,
    status: text(list(fields['completion_code'])[0]),
    outcome: code === null ? 'unknown' : code < 400 ? 'success' : 'failure',
    ...(command?.toUpperCase() === 'USER' ? { user: data } : {}),
    ...(isSecret ? { secret: data, secrets: [data] } : {}),
  }
}

const ftpData: Reader = fields => ({
  service: 'ftp',
  command: text(fields['command']),
  fileName: text(fields['filename']),
})

const tftp: Reader = fields => ({
  service: 'tftp',
  method: text(fields['packet']),
  fileName: text(fields['file']),
})

const smb: Reader = fields => ({
  service: 'smb',
  command: text(fields['command']),
  fileName: firstText(fields['filename'], fields['share']),
  user: text(object(fields['ntlmssp'])['user']),
  status: text(fields['status']),
  outcome:
    text(fields['status_code']) === null
      ? 'unknown'
      : fields['status_code'] === '0x0'
        ? 'success'
        : 'failure',
})

const krb5: Reader = fields => ({
  service: 'kerberos',
  user: text(fields['cname']),
  query: text(fields['sname']),
  method: text(fields['msg_type']),
  status: text(fields['error_code']),
  outcome: text(fields['error_code']) !== null || fields['msg_type'] === 'KRB_ERROR' ? 'failure' : 'unknown',
})

const rdp: Reader = fields => ({
  service: 'rdp',
  method: text(fields['event_type']),
  user: text(fields['cookie']),
})

const snmp: Reader = fields => ({
  service: 'snmp',
  secret: text(fields['community']),
  user: text(fields['usm']),
  method: text(fields['pdu_type']),
})

const sip: Reader = fields => ({
  service: 'sip',
  method: text(fields['method']),
  url: text(fields['uri']),
  status: text(fields['code']),
})

const rfb: Reader = fields => {
  const authentication = object(fields['authentication'])
  const vnc = object(authentication['vnc'])
  const response = text(vnc['response'])
  return {
    service: 'vnc',
    method: text(authentication['security_type']),
    outcome: outcomeOf(
      authentication['security_result'] === 'OK'
        ? true
        : text(authentication['security_result']) === null
          ? undefined
          : false,
    ),
    secrets: response === null ? [] : [response],
  }
}

const mqtt: Reader = fields => {
  const connect = object(fields['connect'])
  return { service: 'mqtt', user: text(connect['username']), secret: text(connect['password']) }
}

const pgsql: Reader = fields => {
  const request = object(fields['request'])
  return {
    service: 'postgresql',
    command: text(request['simple_query']),
    user: text(object(request['startup_parameters'])['user']),
    secret: text(request['password']),
  }
}

const dhcp: Reader = fields => ({
  service: 'dhcp',
  method: firstText(fields['dhcp_type'], fields['type']),
  query: text(fields['hostname']),
})

/** Readers of the objects that EVE names after protocols, by name. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['fileinfo', fileinfo],
  ['http', http],
  ['dns', dns],
  ['tls', tls],
  ['ssh', ssh],
  ['smtp', smtp],
  ['ftp', ftp],
  ['ftp_data', ftpData],
  ['tftp', tftp],
  ['smb', smb],
  ['krb5', krb5],
  ['rdp', rdp],
  ['snmp', snmp],
  ['sip', sip],
  ['rfb', rfb],
  ['mqtt', mqtt],
  ['pgsql', pgsql],
  ['dhcp', dhcp],
])

/** Category and action of the event types that are named after protocols. */
export const PROTOCOL_KINDS: ReadonlyMap<string, readonly [EventCategory, string]> = new Map([
  ['http', ['web', 'request']],
  ['http2', ['web', 'request']],
  ['dns', ['dns', 'query']],
  ['tls', ['tls', 'connect']],
  ['ssh', ['network', 'connect']],
  ['fileinfo', ['file', 'transfer']],
  ['smtp', ['network', 'send']],
  ['ftp', ['file', 'command']],
  ['ftp_data', ['file', 'transfer']],
  ['tftp', ['file', 'request']],
  ['smb', ['file', 'access']],
  ['krb5', ['authentication', 'login']],
  ['rdp', ['network', 'connect']],
  ['snmp', ['network', 'query']],
  ['sip', ['network', 'request']],
  ['rfb', ['authentication', 'login']],
  ['mqtt', ['network', 'request']],
  ['pgsql', ['command', 'query']],
  ['dhcp', ['network', 'lease']],
])

const isKnown = (value: unknown) => value !== null && value !== 'unknown'

/** What all the protocol objects of a record tell together; of two that tell the same field, the more specific one. */
export const protocolDetail = (record: JsonObject): ProtocolDetail => {
  const merged: Record<string, unknown> = {}
  for (const [name, read] of READERS) {
    const fields = record[name]
    if (!isObject(fields)) continue
    for (const [field, value] of Object.entries(read(fields)))
      if (isKnown(value) && (field === 'service' || merged[field] === undefined)) merged[field] = value
  }
  return merged as ProtocolDetail
}
