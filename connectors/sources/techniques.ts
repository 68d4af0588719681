/**
 * MITRE ATT&CK technique ids that an action of this kind is evidence of. Tactics are not kept: which tactic a technique
 * belongs to changes between versions of ATT&CK, ids stay.
 */
const COMMANDS: readonly (readonly [RegExp, string])[] = [
  [/(?:^|[\s;|&/])(?:whoami|id|w|who|last)(?:$|[\s;|&])/, 'T1033'],
  [
    /\b(?:uname|lscpu|dmidecode|hostnamectl|nproc)\b|\/proc\/(?:cpuinfo|meminfo|version)|\b(?:free|df) -/,
    'T1082',
  ],
  [/\b(?:ifconfig|netstat|route|arp)\b|\bip (?:a|addr|r|route|link)\b/, 'T1016'],
  [/(?:^|[\s;|&/])(?:ps|top)(?:$|[\s;|&])/, 'T1057'],
  [/\b(?:wget|curl|tftp|ftpget|scp)\b/, 'T1105'],
  [/authorized_keys/, 'T1098.004'],
  [/\bcrontab\b|\/etc\/cron|\/var\/spool\/cron/, 'T1053.003'],
  [/\bhistory -c\b|HISTFILE|\.bash_history/, 'T1070.003'],
  [/\b(?:useradd|adduser)\b/, 'T1136.001'],
  [/\bchpasswd\b|(?:^|[\s;|&/])passwd(?:$|[\s;|&])/, 'T1098'],
  [/xmrig|minerd|stratum\+tcp|cpuminer/i, 'T1496'],
]

/** As much of a command as is looked at. */
const LOOKED_AT = 4096

/** Techniques of a command line that was given to a Unix shell, the shell itself (T1059.004) first. */
export const techniquesOfCommand = (command: string): string[] => {
  const text = command.slice(0, LOOKED_AT)
  return ['T1059.004', ...COMMANDS.filter(([pattern]) => pattern.test(text)).map(([, id]) => id)]
}

const TECHNIQUE_ID = /^T\d{4}(?:\.\d{3})?$/

/** Those of some values that are technique ids, each once. */
export const techniqueIds = (values: readonly unknown[]): string[] => [
  ...new Set(values.filter(value => typeof value === 'string' && TECHNIQUE_ID.test(value)) as string[]),
]
