import type { EventCategory } from './source.ts'

/** What an OpenCanary logtype stands for. */
export interface LogType {
  readonly title: string
  readonly category: EventCategory
  readonly action: string
  /** Outcome where the logtype implies one: a honeypot lets nobody in. */
  readonly outcome?: 'failure'
  readonly service?: string
  readonly transport?: string
  readonly techniques?: readonly string[]
}

const login = (name: string, service: string, techniques: readonly string[]): LogType => ({
  title: `${name} login attempt`,
  category: 'authentication',
  action: 'login',
  outcome: 'failure',
  service,
  transport: 'tcp',
  techniques,
})

const connection = (title: string, service: string, techniques: readonly string[] = []): LogType => ({
  title,
  category: 'network',
  action: 'connect',
  service,
  transport: 'tcp',
  techniques,
})

const web = (title: string, action: string, techniques: readonly string[] = []): LogType => ({
  title,
  category: 'web',
  action,
  service: 'http',
  transport: 'tcp',
  techniques,
})

const scan = (title: string): LogType => ({ title, category: 'scan', action: 'scan', techniques: ['T1046'] })

const system = (title: string, action: string): LogType => ({ title, category: 'system', action })

const banner = (title: string, action: string): LogType => ({
  title,
  category: 'network',
  action,
  service: 'tcp-banner',
  transport: 'tcp',
})

const request = (
  title: string,
  category: EventCategory,
  action: string,
  service: string,
  transport: string,
  techniques: readonly string[],
): LogType => ({ title, category, action, service, transport, techniques })

const SSH = ['T1133', 'T1021.004', 'T1078']
const GUESSING = 'T1110.001'

/** Every logtype of OpenCanary 0.9 (opencanary/logger.py). */
export const LOG_TYPES: ReadonlyMap<number, LogType> = new Map<number, LogType>([
  [1000, system('Sensor boot', 'boot')],
  [1001, system('Sensor message', 'message')],
  [1002, system('Sensor debug message', 'message')],
  [1003, system('Sensor error', 'error')],
  [1004, system('Sensor ping', 'ping')],
  [1005, system('Sensor configuration saved', 'configure')],
  [1006, system('Sensor example message', 'message')],
  [2000, login('FTP', 'ftp', ['T1190', GUESSING])],
  [2001, connection('FTP login started', 'ftp', ['T1190'])],
  [3000, web('HTTP page requested', 'request', ['T1190'])],
  [3001, { ...login('HTTP', 'http', ['T1190', GUESSING]) }],
  [3002, web('HTTP request with an unimplemented method', 'request', ['T1190'])],
  [3003, web('HTTP request redirected', 'request')],
  [4000, connection('SSH connection', 'ssh', SSH)],
  [4001, connection('SSH version exchanged', 'ssh', SSH)],
  [4002, login('SSH', 'ssh', [...SSH, GUESSING])],
  [5000, request('SMB file opened', 'file', 'open', 'smb', 'tcp', ['T1021.002', 'T1039'])],
  [5001, scan('Port scan (SYN)')],
  [5002, scan('Port scan (nmap OS detection)')],
  [5003, scan('Port scan (NULL)')],
  [5004, scan('Port scan (XMAS)')],
  [5005, scan('Port scan (FIN)')],
  [6001, login('Telnet', 'telnet', ['T1133', 'T1078', GUESSING])],
  [6002, connection('Telnet connection', 'telnet', ['T1133'])],
  [7001, login('HTTP proxy', 'http-proxy', ['T1090', GUESSING])],
  [8001, login('MySQL', 'mysql', ['T1213', GUESSING])],
  [9001, login('MSSQL', 'mssql', ['T1213', GUESSING])],
  [9002, login('MSSQL Windows', 'mssql', ['T1213', GUESSING])],
  [9003, connection('MySQL connection', 'mysql')],
  [10001, request('TFTP request', 'file', 'request', 'tftp', 'udp', ['T1105'])],
  [11001, request('NTP monlist request', 'network', 'request', 'ntp', 'udp', ['T1498.002'])],
  [12001, login('VNC', 'vnc', ['T1133', 'T1021.005', GUESSING])],
  [13001, request('SNMP request', 'network', 'query', 'snmp', 'udp', ['T1016', 'T1046'])],
  [14001, login('RDP', 'rdp', ['T1133', 'T1021.001', GUESSING])],
  [15001, request('SIP request', 'network', 'request', 'sip', 'udp', ['T1123'])],
  [16001, request('Git clone request', 'file', 'clone', 'git', 'tcp', ['T1213'])],
  [17001, request('Redis command', 'command', 'command', 'redis', 'tcp', [])],
  [18001, banner('TCP banner connection', 'connect')],
  [18002, banner('TCP banner connection kept alive', 'connect')],
  [18003, banner('TCP banner secret received', 'data')],
  [18004, banner('TCP banner data received while kept alive', 'data')],
  [18005, banner('TCP banner data received', 'data')],
  [19001, request('LLMNR query answered', 'dns', 'query', 'llmnr', 'udp', ['T1557.001'])],
  [20001, request('MongoDB request', 'network', 'request', 'mongodb', 'tcp', ['T1213'])],
])
