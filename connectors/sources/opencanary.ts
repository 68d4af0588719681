import { SentinelError } from '../../runtime/errors.ts'
import { ip } from './addresses.ts'
import { firstText, integer, list, object, port, text, transport } from './fields.ts'
import { LOG_TYPES, type LogType } from './opencanary-types.ts'
import type { JsonObject, Source, SourceEvent } from './source.ts'

type Detail = Partial<SourceEvent>

const UNKNOWN: LogType = { title: 'OpenCanary event', category: 'system', action: 'event' }

/** What is inside Python's repr of a byte string, `b'…'`; escapes stay as they are written. */
const insideBytes = (value: unknown): string | null => {
  const written = text(value)
  if (written === null) return null
  return text(/^b(['"])([\s\S]*)\1$/.exec(written)?.[2] ?? (written === 'b' ? null : written))
}

const redisTechniques = (command: string): string[] => {
  const found: string[] = []
  if (/^AUTH\b/i.test(command)) found.push('T1110')
  if (/^(?:CONFIG SET|SLAVEOF|REPLICAOF|MODULE LOAD)\b/i.test(command)) found.push('T1190')
  if (/\.ssh|authorized_keys/.test(command)) found.push('T1098.004')
  if (/cron/.test(command)) found.push('T1053.003')
  return found
}

const redis = (data: JsonObject): Detail => {
  const name = text(data['CMD'])
  const args = text(data['ARGS'])
  if (name === null) return {}
  const command = args === null ? name : `${name} ${args}`
  const tried = /^auth$/i.test(name.trim()) ? args : null
  return {
    command,
    techniques: redisTechniques(command),
    ...(tried === null
      ? {}
      : {
          secret: tried.split(/\s+/).at(-1) ?? tried,
          secrets: [tried],
          action: 'login',
          outcome: 'failure',
        }),
  }
}

const sip = (data: JsonObject): Detail => {
  const headers = object(data['HEADERS'])
  return {
    method: text(list(headers['cseq'])[0])?.split(' ').at(-1) ?? null,
    userAgent: text(list(headers['user-agent'])[0]),
    url: text(list(headers['to'])[0]),
  }
}

const mongo = (data: JsonObject): Detail => {
  const tried = insideBytes(data['auth_data'])
  return {
    action: text(data['action'])?.replace(/^mongodb\./, '') ?? 'request',
    command: text(data['command']) ?? text(data['query']),
    ...(tried === null && text(data['username']) === null
      ? {}
      : {
          secret: tried,
          category: 'authentication',
          outcome: 'failure',
          techniques: ['T1213', 'T1110.001'],
        }),
  }
}

const banner = (data: JsonObject): Detail => {
  const secret = insideBytes(data['SECRET_STRING'])
  return {
    command: insideBytes(data['DATA']),
    session: text(data['BANNER_ID']),
    ...(secret ? { secret } : {}),
  }
}

/** What single logtypes add to the common fields. */
const DETAILS: ReadonlyMap<number, (data: JsonObject) => Detail> = new Map<
  number,
  (data: JsonObject) => Detail
>([
  [3000, () => ({ method: 'GET' })],
  [3001, () => ({ method: 'POST' })],
  [3002, data => ({ method: text(data['REQUEST_TYPE']) })],
  [4000, data => ({ session: text(data['SESSION']) })],
  [
    5000,
    data => ({
      fileName: firstText(data['FILENAME'], data['SHARENAME']),
      method: text(data['AUDITACTION']),
      status: text(data['STATUS']),
      outcome: data['STATUS'] === 'ok' ? 'success' : text(data['STATUS']) === null ? 'unknown' : 'failure',
    }),
  ],
  // HOSTNAME is the client's own name here.
  [9002, () => ({ dstHost: null })],
  [10001, data => ({ method: text(data['OPCODE']) })],
  [11001, data => ({ command: text(data['NTP CMD']) })],
  [
    13001,
    data => ({
      secret: text(data['COMMUNITY_STRING']),
      query: text(
        list(data['REQUESTS'])
          .filter(each => typeof each === 'string')
          .join(' '),
      ),
    }),
  ],
  [16001, data => ({ fileName: text(data['REPO']), dstHost: text(data['HOST']) })],
  [17001, redis],
  [15001, sip],
  [18001, banner],
  [18002, banner],
  [18003, banner],
  [18004, banner],
  [18005, banner],
  [19001, data => ({ query: text(data['query_hostname']), status: text(data['response']) })],
  [20001, mongo],
])

const message = (data: JsonObject): string | null => {
  const msg = data['msg']
  return text(msg) ?? text(object(msg)['logdata'])
}

/** OpenCanary writes UTC without saying so. */
const inUtc = (value: unknown): unknown =>
  typeof value === 'string' && value !== '' && !/(?:z|[+-]\d\d:?\d\d)$/i.test(value) ? `${value}Z` : value

/** OpenCanary's log lines, of every logtype; those that are not known (user modules, 99000 and up) stay generic. */
export const opencanary: Source = {
  name: 'opencanary',

  recognises: value => 'logtype' in value && ('logdata' in value || 'node_id' in value),

  read: (value, { time }) => {
    const code = integer(value['logtype'])
    if (code === null) throw new SentinelError('NS_MALFORMED', 'OpenCanary: logtype is not a whole number')
    const type = LOG_TYPES.get(code) ?? UNKNOWN
    const data = object(value['logdata'])
    const said = type.category === 'system' ? message(data) : null
    // Spelled out, since every event comes here and a spread costs more than all the rest.
    const read: SourceEvent = {
      // local_time is in UTC too, whatever its name says; lines of 2019 have nothing else.
      time:
        time(inUtc(value['utc_time'])) ??
        time(inUtc(value['local_time'])) ??
        time(value['local_time_adjusted']),
      type: String(code),
      title: said ?? (type === UNKNOWN ? `OpenCanary event ${code}` : type.title),
      category: type.category,
      action: type.action,
      outcome: type.outcome ?? 'unknown',
      techniques: type.techniques ?? [],
      service: type.service ?? null,
      transport: type.transport ?? transport(data['PROTO']),
      sensor: text(value['node_id']),
      srcIp: ip(value['src_host']),
      srcPort: port(value['src_port']),
      dstIp: ip(value['dst_host']),
      dstPort: port(value['dst_port']),
      // Of HTTP, FTP, SSH, telnet, proxy, MySQL, MSSQL, RDP and the like: the names mean the same everywhere.
      user: text(data['USERNAME']) ?? text(data['UserName']) ?? text(data['USER']) ?? text(data['username']),
      secret: text(data['PASSWORD']) ?? text(data['Password']) ?? text(data['VNC Password']),
      url: text(data['PATH']),
      dstHost: text(data['HOSTNAME']),
      userAgent: text(data['USERAGENT']) ?? text(data['REMOTEVERSION']) ?? text(data['AppName']),
      fileName: text(data['FILENAME']),
    }
    const detail = DETAILS.get(code)?.(data)
    return detail === undefined ? read : { ...read, ...detail }
  },
}
