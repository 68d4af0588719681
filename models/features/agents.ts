import { remembering } from '../../runtime/remembering.ts'
import { ABSENT } from './feature.ts'

/** What a client calls itself, the rarest first: a text belongs to the first class that it fits. */
const SCANNERS =
  /nmap|masscan|zgrab|zmap|nikto|sqlmap|nuclei|dirb|gobuster|wpscan|hydra|medusa|ncrack|friendly-scanner|sipvicious|censys|shodan/i
const LIBRARIES =
  /^(?:curl|wget|python|go-http|java|libwww|okhttp|axios|ruby|perl|php|aiohttp|httpx|scrapy)|requests|urllib|powershell|ssh-2\.0-(?:go|libssh|paramiko|putty|jsch|asyncssh|phpseclib)/i
const USUAL =
  /^mozilla\/\d.*\(|^opera\/|^microsoft-|^ssh-2\.0-openssh|^apt|^windows-update|^mozilla\/5\.0 \(/i

const LONGEST = 256

const classify = remembering((agent: string): number => {
  const start = agent.slice(0, LONGEST)
  if (SCANNERS.test(start)) return 3
  if (LIBRARIES.test(start)) return 1
  return USUAL.test(start) ? 0 : 2
})

/**
 * How rare a client is by what it calls itself (user agent, version string): 0 a browser, an updater of the system or
 * OpenSSH, 1 a library or a tool for the command line, 2 something else, 3 a known scanner; -1 when it says nothing.
 */
export const agentClass = (agent: string | null): number => (agent === null ? ABSENT : classify(agent))
