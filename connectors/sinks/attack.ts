/** The release of MITRE ATT&CK (Enterprise) that the table below is taken from; tactics move between releases. */
export const ATTACK_VERSION = '18.0'

/** A tactic, technique or sub-technique of ATT&CK. */
export interface AttackEntry {
  /** e.g. `TA0006`, `T1110` or `T1110.001`. */
  readonly id: string
  /** Unknown for an id that the table does not hold. */
  readonly name?: string
  /** Its page on attack.mitre.org. */
  readonly url: string
}

/** A technique id, resolved. A technique that serves several tactics has all of them: evidence does not say which. */
export interface AttackTechnique {
  readonly technique: AttackEntry
  readonly subTechnique?: AttackEntry
  /** Empty for an id that the table does not hold. */
  readonly tactics: readonly AttackEntry[]
}

const TACTICS = {
  initialAccess: ['TA0001', 'Initial Access'],
  execution: ['TA0002', 'Execution'],
  persistence: ['TA0003', 'Persistence'],
  privilegeEscalation: ['TA0004', 'Privilege Escalation'],
  defenseEvasion: ['TA0005', 'Defense Evasion'],
  credentialAccess: ['TA0006', 'Credential Access'],
  discovery: ['TA0007', 'Discovery'],
  lateralMovement: ['TA0008', 'Lateral Movement'],
  collection: ['TA0009', 'Collection'],
  exfiltration: ['TA0010', 'Exfiltration'],
  commandAndControl: ['TA0011', 'Command and Control'],
  impact: ['TA0040', 'Impact'],
  reconnaissance: ['TA0043', 'Reconnaissance'],
} as const satisfies Record<string, readonly [string, string]>

type Tactic = keyof typeof TACTICS

/** Technique id → name and tactics. A sub-technique has its parent's row too. */
const TECHNIQUES: Readonly<Record<string, readonly [string, ...Tactic[]]>> = {
  T1003: ['OS Credential Dumping', 'credentialAccess'],
  'T1003.008': ['/etc/passwd and /etc/shadow', 'credentialAccess'],
  T1005: ['Data from Local System', 'collection'],
  T1016: ['System Network Configuration Discovery', 'discovery'],
  T1018: ['Remote System Discovery', 'discovery'],
  T1021: ['Remote Services', 'lateralMovement'],
  'T1021.001': ['Remote Desktop Protocol', 'lateralMovement'],
  'T1021.002': ['SMB/Windows Admin Shares', 'lateralMovement'],
  'T1021.004': ['SSH', 'lateralMovement'],
  'T1021.005': ['VNC', 'lateralMovement'],
  T1033: ['System Owner/User Discovery', 'discovery'],
  T1039: ['Data from Network Shared Drive', 'collection'],
  T1041: ['Exfiltration Over C2 Channel', 'exfiltration'],
  T1046: ['Network Service Discovery', 'discovery'],
  T1048: ['Exfiltration Over Alternative Protocol', 'exfiltration'],
  T1049: ['System Network Connections Discovery', 'discovery'],
  T1053: ['Scheduled Task/Job', 'execution', 'persistence', 'privilegeEscalation'],
  'T1053.003': ['Cron', 'execution', 'persistence', 'privilegeEscalation'],
  T1057: ['Process Discovery', 'discovery'],
  T1059: ['Command and Scripting Interpreter', 'execution'],
  'T1059.004': ['Unix Shell', 'execution'],
  'T1059.006': ['Python', 'execution'],
  T1070: ['Indicator Removal', 'defenseEvasion'],
  'T1070.002': ['Clear Linux or Mac System Logs', 'defenseEvasion'],
  'T1070.003': ['Clear Command History', 'defenseEvasion'],
  'T1070.004': ['File Deletion', 'defenseEvasion'],
  T1071: ['Application Layer Protocol', 'commandAndControl'],
  'T1071.001': ['Web Protocols', 'commandAndControl'],
  'T1071.004': ['DNS', 'commandAndControl'],
  T1078: ['Valid Accounts', 'initialAccess', 'persistence', 'privilegeEscalation', 'defenseEvasion'],
  'T1078.001': ['Default Accounts', 'initialAccess', 'persistence', 'privilegeEscalation', 'defenseEvasion'],
  T1082: ['System Information Discovery', 'discovery'],
  T1083: ['File and Directory Discovery', 'discovery'],
  T1087: ['Account Discovery', 'discovery'],
  'T1087.001': ['Local Account', 'discovery'],
  T1090: ['Proxy', 'commandAndControl'],
  'T1090.001': ['Internal Proxy', 'commandAndControl'],
  'T1090.002': ['External Proxy', 'commandAndControl'],
  T1095: ['Non-Application Layer Protocol', 'commandAndControl'],
  T1098: ['Account Manipulation', 'persistence', 'privilegeEscalation'],
  'T1098.004': ['SSH Authorized Keys', 'persistence', 'privilegeEscalation'],
  T1105: ['Ingress Tool Transfer', 'commandAndControl'],
  T1110: ['Brute Force', 'credentialAccess'],
  'T1110.001': ['Password Guessing', 'credentialAccess'],
  'T1110.003': ['Password Spraying', 'credentialAccess'],
  'T1110.004': ['Credential Stuffing', 'credentialAccess'],
  T1123: ['Audio Capture', 'collection'],
  T1133: ['External Remote Services', 'initialAccess', 'persistence'],
  T1135: ['Network Share Discovery', 'discovery'],
  T1136: ['Create Account', 'persistence'],
  'T1136.001': ['Local Account', 'persistence'],
  T1190: ['Exploit Public-Facing Application', 'initialAccess'],
  T1210: ['Exploitation of Remote Services', 'lateralMovement'],
  T1213: ['Data from Information Repositories', 'collection'],
  'T1213.003': ['Code Repositories', 'collection'],
  'T1213.006': ['Databases', 'collection'],
  T1222: ['File and Directory Permissions Modification', 'defenseEvasion'],
  'T1222.002': ['Linux and Mac File and Directory Permissions Modification', 'defenseEvasion'],
  T1485: ['Data Destruction', 'impact'],
  T1496: ['Resource Hijacking', 'impact'],
  T1498: ['Network Denial of Service', 'impact'],
  'T1498.002': ['Reflection Amplification', 'impact'],
  T1505: ['Server Software Component', 'persistence'],
  'T1505.003': ['Web Shell', 'persistence'],
  T1557: ['Adversary-in-the-Middle', 'credentialAccess', 'collection'],
  'T1557.001': ['LLMNR/NBT-NS Poisoning and SMB Relay', 'credentialAccess', 'collection'],
  T1595: ['Active Scanning', 'reconnaissance'],
  'T1595.001': ['Scanning IP Blocks', 'reconnaissance'],
  'T1595.002': ['Vulnerability Scanning', 'reconnaissance'],
  'T1595.003': ['Wordlist Scanning', 'reconnaissance'],
}

const TECHNIQUE_ID = /^(T\d{4})(?:\.(\d{3}))?$/

/** Whether the table knows this technique id. */
export const isKnownTechnique = (id: string): boolean => Object.hasOwn(TECHNIQUES, id)

const entry = (id: string): AttackEntry => {
  const name = isKnownTechnique(id) ? TECHNIQUES[id]?.[0] : undefined
  const url = `https://attack.mitre.org/techniques/${id.replace('.', '/')}/`
  return { id, ...(name === undefined ? {} : { name }), url }
}

const tacticEntry = (tactic: Tactic): AttackEntry => {
  const [id, name] = TACTICS[tactic]
  return { id, name, url: `https://attack.mitre.org/tactics/${id}/` }
}

/**
 * Resolves a technique id by the table. An id that has the right form but is not in the table (a newer release, a
 * sensor's rule) is kept without name and tactics; undefined for anything that is not a technique id.
 */
export const techniqueOf = (id: string): AttackTechnique | undefined => {
  const [, parent, sub] = TECHNIQUE_ID.exec(id) ?? []
  if (parent === undefined) return undefined
  const [, ...tactics] = (isKnownTechnique(id) ? TECHNIQUES[id] : undefined) ?? ['']
  return {
    technique: entry(parent),
    ...(sub === undefined ? {} : { subTechnique: entry(id) }),
    tactics: tactics.map(tacticEntry),
  }
}
