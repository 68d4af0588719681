import { remembering } from '../../runtime/remembering.ts'

const SECRET_KEYS: ReadonlySet<string> = new Set([
  'password',
  'passwd',
  'pass',
  'pwd',
  'passphrase',
  'secret',
  'secretstring',
  'communitystring',
  'community',
  'vncpassword',
  'vncclientresponse',
  'authdata',
  'authorization',
  'proxyauthorization',
  'apikey',
  'xapikey',
  'apitoken',
  'accesstoken',
  'refreshtoken',
  'authtoken',
  'clientsecret',
  'privatekey',
])

/** Whether the value of this field is a secret, in whatever case and punctuation: `VNC Password`, `api_key`. */
export const isSecretKey = (key: string | undefined): boolean =>
  key !== undefined && SECRET_KEYS.has(key.toLowerCase().replace(/[^a-z]/g, ''))

/**
 * Fields that hold what the sensor knows for sure, or the user name, which events show anyway. They stay as they are
 * when a password happens to be part of them: `2026`, `root` and `127.0.0.1` are passwords that people try.
 */
const IDENTIFIERS: ReadonlySet<string> = new Set([
  ...[
    'timestamp',
    'ts',
    '_write_ts',
    '_path',
    'local_time',
    'local_time_adjusted',
    'utc_time',
    'start',
    'end',
  ],
  ...['logtype', 'node_id', 'eventid', 'event_type', 'session', 'sensor', 'uuid', 'uid', 'fuid', 'flow_id'],
  ...['src_host', 'dst_host', 'src_ip', 'dst_ip', 'dest_ip', 'src_port', 'dst_port', 'dest_port'],
  ...['id.orig_h', 'id.orig_p', 'id.resp_h', 'id.resp_p', 'proto', 'protocol', 'app_proto', 'service'],
  ...['username', 'USERNAME', 'UserName', 'user', 'USER'],
])

/** Whether the value of this field stays even where a secret is part of it. */
export const isIdentifier = (key: string | undefined): boolean => key !== undefined && IDENTIFIERS.has(key)

/** Values that sensors write in place of a password that they do not have. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  '<hidden>',
  '<not supplied>',
  '<Password was not in the common list>',
])

/** Whether a value tells nothing: empty, or a sensor's own word for "none". */
export const isPlaceholder = (value: string): boolean => value === '' || PLACEHOLDERS.has(value)

/** Fields in which Suricata puts bytes in base64. */
const ENCODED: ReadonlySet<string> = new Set(['payload', 'packet', 'http_request_body', 'http_response_body'])

/** Whether this field holds bytes in base64. */
export const isEncoded = (key: string | undefined): boolean => key !== undefined && ENCODED.has(key)

/**
 * A quick look that nearly every record passes without a match: unless it matches the JSON text of a record, the record
 * holds no secret that a field's name or the text around it tells.
 */
export const MAY_HOLD_SECRETS =
  /pass|pwd|secret|token|auth|communit|api.?key|private.?key|client.?response| -[apu]|payload|packet|_body|login attempt|:\\?\/\\?\/[^"\s]{0,300}@|\\u00[2-7]/i

// Repetitions are bounded, or cannot overlap, so that no text takes more than linear time.
const PATTERNS: readonly RegExp[] = [
  /\b(?:proxy-)?authorization["']?[ \t]*[:=][ \t]*["']?(?:(?:basic|bearer|digest|negotiate|ntlm|token)[ \t]+)?([^\r\n"']+)/dgi,
  /(?:^|[\r\n])(?:PASS|pass|(?:AUTH|auth)(?: (?:LOGIN|PLAIN|login|plain))?)[ \t]+([^\r\n]+)/dg,
  /(?:passw(?:or)?d|\bpwd|\bpass|secret|api[_-]?key|token)["']?\s{0,4}[=:]\s{0,4}["']?([^\s"'&;,<>\]}]+)/dgi,
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/]{0,200}:([^\s/]{1,300})@/dgi,
  /login attempt \[[^/\]]{0,300}\/([\s\S]{0,2000})\] (?:failed|succeeded)/dg,
  /(?:^|\s)\d AUTH \S{1,300} (\S+)/dg,
  /\b(?:echo|printf)\b[^|;\n:]{0,200}:([^\s"'|]{1,300})["']?\s{0,4}\|\s{0,4}(?:sudo\s+)?chpasswd/dg,
  /\b(?:echo|printf)\s{1,4}(?:-\w{1,4}\s{1,4})?["']?([^"'|;\n]{1,300})["']?\s{0,4}\|\s{0,4}(?:sudo\s+)?passwd\b/dg,
  /\bsshpass\s{1,4}-p\s{0,4}["']?([^\s"']+)/dg,
  /\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;\n]{0,200}?\s-p["']?([^\s"']+)/dg,
  /\b(?:redis-cli)\b[^|;\n]{0,200}?\s-a\s{1,4}["']?([^\s"']+)/dg,
  /\b(?:curl|wget)\b[^|;\n]{0,200}?\s(?:-u|--user)[ =]{0,2}["']?[^\s:"']{0,200}:([^\s"']+)/dg,
  /--(?:[a-z]{1,8}-)?password[= ]["']?([^\s"']+)/dg,
  /\b(?:requirepass|masterauth)\s{1,4}["']?([^\s"']+)/dgi,
]

/** Part of a text: from `start` up to, not including, `end`. */
export type Span = readonly [start: number, end: number]

const NONE: readonly Span[] = []

/**
 * Where the text around it tells that something is a secret: `PASS …`, `Authorization: …`, `password=…`, the user part of
 * URLs, command lines that set or use a password, Cowrie's messages.
 */
export const secretSpans: (text: string) => readonly Span[] = remembering(text => {
  if (!MAY_HOLD_SECRETS.test(text)) return NONE
  const spans: Span[] = []
  for (const pattern of PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const span = match.indices?.[1]
      if (span !== undefined && !isPlaceholder(text.slice(...span))) spans.push(span)
    }
  }
  return spans
})
