/** Categories that an event may be of, as `schemas/event.avsc` lists them. */
export const CATEGORIES = [
  'authentication',
  'network',
  'scan',
  'web',
  'dns',
  'file',
  'command',
  'alert',
  'tls',
  'system',
] as const

/** Kinds of actions, of which an event has one or none; what its category says already is not among them. */
export const ACTION_KINDS = {
  connect: ['connect', 'negotiate'],
  request: ['request', 'query'],
  transfer: ['download', 'upload', 'send'],
  execute: ['execute', 'command', 'call'],
} as const satisfies Record<string, readonly string[]>

/** Kinds of services, of which a named service has one; `other` is what is none of these. */
export const SERVICE_KINDS = {
  remote: ['ssh', 'telnet', 'rdp', 'vnc', 'rfb', 'rlogin'],
  web: ['http', 'https', 'ssl', 'tls', 'http-proxy', 'socks', 'quic'],
  files: ['ftp', 'ftp-data', 'tftp', 'smb', 'nfs', 'git', 'dce_rpc'],
  database: ['mysql', 'mssql', 'postgresql', 'postgres', 'redis', 'mongodb', 'oracle', 'elasticsearch'],
  mail: ['smtp', 'imap', 'pop3', 'submission'],
  accounts: ['kerberos', 'krb', 'krb_tcp', 'ldap', 'ntlm', 'radius', 'gssapi'],
  infrastructure: ['dns', 'dhcp', 'ntp', 'snmp', 'syslog'],
} as const satisfies Record<string, readonly string[]>

const byMember = <K extends string>(kinds: Readonly<Record<K, readonly string[]>>): ReadonlyMap<string, K> =>
  new Map(
    (Object.entries(kinds) as [K, readonly string[]][]).flatMap(([kind, members]) =>
      members.map((member): [string, K] => [member, kind]),
    ),
  )

const actions = byMember(ACTION_KINDS)
const services = byMember(SERVICE_KINDS)

/** The kind of an action; undefined when it has none. */
export const actionKind = (action: string): keyof typeof ACTION_KINDS | undefined => actions.get(action)

/** The kind of a service; of several, as a sensor names those that lie in one another, that of the first. */
export const serviceKind = (service: string): keyof typeof SERVICE_KINDS | 'other' =>
  services.get(service) ?? services.get(service.split(',', 1)[0] ?? '') ?? 'other'

/** The place of each name in a list of them. */
export const placesOf = (names: readonly string[]): ReadonlyMap<string, number> =>
  new Map(names.map((name, place) => [name, place]))
