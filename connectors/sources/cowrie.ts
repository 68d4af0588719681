import { SentinelError } from '../../runtime/errors.ts'
import { ip } from './addresses.ts'
import { count, firstText, lower, number, port, seconds, text } from './fields.ts'
import type { EventCategory, JsonObject, Source, SourceEvent } from './source.ts'
import { techniquesOfCommand } from './techniques.ts'

interface EventId {
  readonly title: string
  readonly category: EventCategory
  readonly action: string
  readonly outcome?: 'success' | 'failure'
  readonly techniques?: readonly string[]
}

const entry = (
  title: string,
  category: EventCategory,
  action: string,
  rest: Pick<EventId, 'outcome' | 'techniques'> = {},
): EventId => ({ title, category, action, ...rest })

const FORWARD = { techniques: ['T1090'] }
const TRANSFER = { techniques: ['T1105'] }

/** Cowrie's event ids (docs/OUTPUT.rst), without their common prefix. */
const EVENT_IDS: ReadonlyMap<string, EventId> = new Map([
  ['session.connect', entry('Honeypot session opened', 'network', 'connect', { techniques: ['T1133'] })],
  ['session.closed', entry('Honeypot session closed', 'network', 'disconnect')],
  ['session.params', entry('Session parameters', 'system', 'negotiate')],
  ['client.version', entry('Client version', 'network', 'negotiate')],
  ['client.kex', entry('Client key exchange', 'network', 'negotiate')],
  ['client.size', entry('Terminal size', 'system', 'negotiate')],
  ['client.var', entry('Environment variable set', 'system', 'negotiate')],
  ['client.fingerprint', entry('Public key tried', 'authentication', 'login')],
  [
    'login.success',
    entry('Honeypot login succeeded', 'authentication', 'login', {
      outcome: 'success',
      techniques: ['T1078'],
    }),
  ],
  [
    'login.failed',
    entry('Honeypot login failed', 'authentication', 'login', {
      outcome: 'failure',
      techniques: ['T1110.001'],
    }),
  ],
  ['command.input', entry('Command', 'command', 'execute')],
  ['command.success', entry('Command', 'command', 'execute', { outcome: 'success' })],
  ['command.failed', entry('Command not found', 'command', 'execute', { outcome: 'failure' })],
  [
    'session.file_download',
    entry('File downloaded', 'file', 'download', { outcome: 'success', ...TRANSFER }),
  ],
  [
    'session.file_download.failed',
    entry('File download failed', 'file', 'download', { outcome: 'failure', ...TRANSFER }),
  ],
  ['session.file_upload', entry('File uploaded', 'file', 'upload', { outcome: 'success', ...TRANSFER })],
  ['direct-tcpip.request', entry('Forwarding requested', 'network', 'forward', FORWARD)],
  ['direct-tcpip.data', entry('Data to forward', 'network', 'forward', FORWARD)],
  ['direct-tcpip.ja4', entry('TLS client in forwarded data', 'tls', 'forward', FORWARD)],
  ['direct-tcpip.ja4h', entry('HTTP client in forwarded data', 'web', 'forward', FORWARD)],
  ['tunnelproxy-tcpip.request', entry('Forwarding requested', 'network', 'forward', FORWARD)],
  ['log.open', entry('Terminal log opened', 'system', 'record')],
  ['log.closed', entry('Terminal log closed', 'system', 'record')],
])

const PREFIX = 'cowrie.'

/** Cowrie up to 2018 gives `duration` in seconds, since 3.x `duration_ms`. */
const durationOf = (value: JsonObject): number | null => {
  const ms = number(value['duration_ms'])
  return ms !== null && ms >= 0 ? ms : seconds(value['duration'])
}

const commandOf = (value: JsonObject, id: string): Partial<SourceEvent> => {
  if (!id.startsWith('command.')) return {}
  const command = text(value['input']) ?? text(value['command'])
  return command === null ? {} : { command, techniques: techniquesOfCommand(command) }
}

/** Cowrie's JSON log, of 2018 to 3.x; event ids that are not known stay generic. */
export const cowrie: Source = {
  name: 'cowrie',

  recognises: value => {
    const id = value['eventid']
    return typeof id === 'string' ? id.startsWith(PREFIX) : 'eventid' in value && 'session' in value
  },

  read: (value, { time }) => {
    const eventid = text(value['eventid'])
    if (eventid === null) throw new SentinelError('NS_MALFORMED', 'Cowrie: eventid is not a text')
    const id = eventid.slice(PREFIX.length)
    const known = EVENT_IDS.get(id)
    // In a forwarding request dst_ip is what was asked for, and may be a host name.
    const target = text(value['dst_ip'])
    const dstIp = ip(target)
    return {
      time: time(value['timestamp']),
      type: eventid,
      title: known?.title ?? `Cowrie ${id}`,
      category: known?.category ?? 'system',
      action: known?.action ?? 'event',
      outcome: known?.outcome ?? 'unknown',
      techniques: known?.techniques ?? [],
      sensor: text(value['sensor']),
      session: text(value['session']),
      srcIp: ip(value['src_ip']),
      srcPort: port(value['src_port']),
      dstIp,
      dstPort: port(value['dst_port']),
      dstHost: dstIp === null ? target : null,
      transport: 'tcp',
      service:
        lower(value['protocol']) ?? (typeof value['system'] === 'string' ? serviceOf(value['system']) : null),
      user: text(value['username']),
      secret: text(value['password']),
      url: text(value['url']),
      userAgent: text(value['version']),
      fileName: firstText(value['filename'], value['destfile'], value['outfile']),
      fileHash: text(value['shasum']),
      fingerprint: firstText(value['hassh'], value['ja4'], value['fingerprint']),
      durationMs: durationOf(value),
      bytesIn: count(value['size']),
      ...commandOf(value, id),
    }
  },
}

/** Older versions name the service only in `system`, e.g. `SSHService 'ssh-userauth' on HoneyPotSSHTransport,12,…`. */
const serviceOf = (system: string): string | null =>
  /ssh/i.test(system) ? 'ssh' : /telnet/i.test(system) ? 'telnet' : null
