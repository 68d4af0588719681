import { count, firstText, outcomeOf, seconds, text } from './fields.ts'
import { named, type ZeekReader } from './zeek-detail.ts'

const rdp: ZeekReader = value => ({
  title: 'RDP connection',
  category: 'authentication',
  action: 'login',
  outcome: value['result'] === 'Success' ? 'success' : 'unknown',
  service: 'rdp',
  transport: 'tcp',
  user: text(value['cookie']),
  status: text(value['result']),
  userAgent: text(value['client_build']),
})

const kerberos: ZeekReader = value => ({
  title: named('Kerberos', text(value['request_type'])),
  category: 'authentication',
  action: 'login',
  outcome: outcomeOf(value['success']),
  service: 'kerberos',
  user: text(value['client']),
  query: text(value['service']),
  method: text(value['request_type']),
  status: text(value['error_msg']),
})

const ntlm: ZeekReader = value => ({
  title: 'NTLM login',
  category: 'authentication',
  action: 'login',
  outcome: outcomeOf(value['success']),
  service: 'ntlm',
  transport: 'tcp',
  user: text(value['username']),
  dstHost: firstText(value['server_dns_computer_name'], value['server_nb_computer_name']),
  status: text(value['status']),
})

const smbFiles: ZeekReader = value => ({
  title: 'SMB file',
  category: 'file',
  action:
    text(value['action'])
      ?.replace(/^SMB::(?:FILE|PIPE|PRINT)_/, '')
      .toLowerCase() ?? 'access',
  service: 'smb',
  transport: 'tcp',
  fileName: `${text(value['path']) ?? ''}${text(value['name']) ?? ''}` || null,
  bytesOut: count(value['size']),
})

const smbMapping: ZeekReader = value => ({
  title: 'SMB share mapped',
  category: 'file',
  action: 'map',
  service: 'smb',
  transport: 'tcp',
  fileName: text(value['path']),
  techniques: /\\(?:ADMIN|[A-Z])\$$/i.test(text(value['path']) ?? '') ? ['T1021.002'] : [],
})

const dceRpc: ZeekReader = value => ({
  title: named('RPC', text(value['operation'])),
  category: 'command',
  action: 'call',
  service: 'dce_rpc',
  transport: 'tcp',
  command: [text(value['endpoint']), text(value['operation'])].filter(Boolean).join('::') || null,
  fileName: text(value['named_pipe']),
  durationMs: seconds(value['rtt']),
})

/** How the logs of the protocols of Windows networks are read, by their path. */
export const WINDOWS_PATHS: ReadonlyMap<string, ZeekReader> = new Map([
  ['rdp', rdp],
  ['kerberos', kerberos],
  ['ntlm', ntlm],
  ['smb_files', smbFiles],
  ['smb_mapping', smbMapping],
  ['dce_rpc', dceRpc],
])
