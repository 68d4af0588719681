import { z } from 'zod'
import { flag, int, list, port, type SectionValues, section, setting } from '../runtime/config.ts'
import { SEVERITIES } from '../schemas/filter.ts'
import { ISSUER_ALGORITHMS } from './auth/issuer-token.ts'

const DAY_S = 86_400

const MIN_DISTINCT_CHARS = 12
const PLACEHOLDER = /change.?me|placeholder|example|password|secret/i

/** Keeps out what people write in place of a key. */
const isUnguessable = (key: string): boolean =>
  new Set(key).size >= MIN_DISTINCT_CHARS && !PLACEHOLDER.test(key)

/** Settings of the gateway. */
export const gatewayConfig = section('gateway', {
  host: setting('GATEWAY_HOST', z.string().default('127.0.0.1'), 'Address that the gateway listens on.'),
  port: setting(
    'GATEWAY_PORT',
    port().default(8080),
    'Port that the gateway listens on; 0 takes a free one.',
  ),
  origins: setting(
    'GATEWAY_ORIGINS',
    list().default([]),
    "Origins whose pages may open a socket, e.g. https://soc.example; the gateway's own when empty.",
  ),
  trustedProxies: setting(
    'GATEWAY_TRUSTED_PROXIES',
    list().default([]),
    'Addresses or networks of the proxies in front, whose X-Forwarded-For is believed, e.g. 10.0.0.0/8; none when empty.',
  ),
  store: setting(
    'GATEWAY_STORE',
    z.string().min(1).optional(),
    'Where users, sessions, keys, the audit log and what was delivered are: an SQLite file, or postgres://user:password@host:port/database ' +
      'for gateways on several hosts (?sslmode=verify-full for TLS, with &sslrootcert=FILE for an authority of your own); gateway.db in DATA_DIR when unset.',
    { secret: true },
  ),
  accessPollMs: setting(
    'GATEWAY_ACCESS_POLL_MS',
    int(100, 60_000).default(1_000),
    'How often a gateway looks for changes of what users may do, in ms; Redis makes it look at once.',
  ),
  signingKeyS: setting(
    'GATEWAY_SIGNING_KEY_S',
    int(3_600, 3_650 * DAY_S).default(30 * DAY_S),
    'Age at which the key that signs access tokens is replaced, in s.',
  ),
  auditDays: setting(
    'GATEWAY_AUDIT_DAYS',
    int(1, 36_500).default(365),
    'How long the store keeps entries of the audit log that are on the topic audit, in days.',
  ),
  historyDays: setting(
    'GATEWAY_HISTORY_DAYS',
    int(1, 36_500).default(30),
    'How long the store keeps the threats and alerts that were delivered, for lists and for clients that come back, in days.',
  ),
  escalateAfterS: setting(
    'GATEWAY_ESCALATE_AFTER_S',
    int(0, 365 * DAY_S).default(3_600),
    'How long an alert may be open before it is escalated because nobody has acknowledged it, in s; 0 never escalates.',
  ),
  escalateSeverity: setting(
    'GATEWAY_ESCALATE_SEVERITY',
    z.enum(SEVERITIES).default('high'),
    'The mildest severity of alerts that are escalated.',
  ),
  passwordDenyFile: setting(
    'GATEWAY_PASSWORD_DENY_FILE',
    z.string().min(1).optional(),
    'File of passwords that nobody may choose, one a line, beside the common ones: breached ones, say.',
  ),
  key: setting(
    'GATEWAY_KEY',
    z.string().min(32).refine(isUnguessable).optional(),
    'Seals the signing keys in the store; at least 32 random characters, the same for every gateway of a store. ' +
      'When unset, gateway.key in DATA_DIR, which the first gateway makes.',
    { secret: true },
  ),
  bootstrapPassword: setting(
    'BOOTSTRAP_ADMIN_PASSWORD',
    z.string().min(8).max(1_024).optional(),
    'Password of the account admin, which the first start makes; when unset a random one, which is shown once, works ' +
      'for a day, and only to be changed.',
    { secret: true },
  ),
  accessTokenS: setting(
    'ACCESS_TOKEN_TTL_S',
    int(1, DAY_S).default(900),
    'Lifetime of an access token, in s; a socket ends with it.',
  ),
  refreshTokenS: setting(
    'REFRESH_TOKEN_TTL_S',
    int(1, 365 * DAY_S).default(7 * DAY_S),
    'A login that is not refreshed for so long is over, in s.',
  ),
  sessionS: setting(
    'SESSION_TTL_S',
    int(1, 365 * DAY_S).default(30 * DAY_S),
    'A login is over after so long, however often it is refreshed, in s.',
  ),
  loginFailuresPerMinute: setting(
    'GATEWAY_LOGIN_FAILURES_PER_MINUTE',
    int(10, 1_000_000).default(300),
    'Failed logins of all accounts together after which further ones wait, until the minute is over.',
  ),
  hashConcurrency: setting(
    'PASSWORD_HASH_CONCURRENCY',
    int(1, 64).default(2),
    'Passwords that are checked at the same time; each takes 19 MiB.',
  ),
  tlsCert: setting(
    'GATEWAY_TLS_CERT',
    z.string().min(1).optional(),
    'File of the certificate chain, PEM: the gateway then speaks TLS 1.2 or later itself. Unset behind a proxy that does.',
  ),
  tlsKey: setting(
    'GATEWAY_TLS_KEY',
    z.string().min(1).optional(),
    'File of the private key of that certificate, PEM.',
  ),
  accessLog: setting(
    'GATEWAY_ACCESS_LOG',
    flag().default(true),
    'Whether each request and each socket is a line in the log: who, from where, which route, what came of it; else at LOG_LEVEL=debug only.',
  ),
  maxLagMs: setting(
    'GATEWAY_MAX_LAG_MS',
    int(0, 60_000).default(1_000),
    'Delay of the event loop above which requests get 503 until it is below, in ms; no limit at 0.',
  ),
  maxHeapBytes: setting(
    'GATEWAY_MAX_HEAP_BYTES',
    int(0).default(0),
    'Heap in use above which requests get 503 until it is below, in bytes; no limit at 0.',
  ),
  maxSockets: setting(
    'GATEWAY_MAX_SOCKETS',
    int(1, 1_000_000).default(20_000),
    'Open WebSockets of one gateway; one more is refused with 503.',
  ),
  maxSocketsPerUser: setting(
    'GATEWAY_MAX_SOCKETS_PER_USER',
    int(1, 1_000_000).default(2_000),
    'Open WebSockets of one user, or API key, on one gateway; one more is refused with 429.',
  ),
  maxSocketsPerAddress: setting(
    'GATEWAY_MAX_SOCKETS_PER_ADDRESS',
    int(1, 1_000_000).default(5_000),
    'Open WebSockets from one address, or IPv6 network of 64 bits, on one gateway; one more is refused with 429.',
  ),
  upgradesPerSecond: setting(
    'GATEWAY_UPGRADES_PER_SECOND',
    int(1, 1_000_000).default(2_000),
    'WebSockets that may be asked for in a second, all clients together; beyond it they get 503.',
  ),
  upgradesPerSecondPerAddress: setting(
    'GATEWAY_UPGRADES_PER_SECOND_PER_ADDRESS',
    int(1, 1_000_000).default(500),
    'The same from one address; beyond it they get 429.',
  ),
  queueBytes: setting(
    'GATEWAY_QUEUE_BYTES',
    int(65_536, 1_073_741_824).default(4_194_304),
    'Bytes that may wait for one WebSocket; beyond it the client is closed as too slow.',
  ),
  deflate: setting(
    'GATEWAY_DEFLATE',
    flag().default(false),
    'Whether WebSockets that offer permessage-deflate get it: a third of the bytes, for more CPU and memory.',
  ),
  messagesPerSecond: setting(
    'GATEWAY_MESSAGES_PER_SECOND',
    int(1, 100_000).default(20),
    'Messages that one WebSocket may send per second; twice as many in a burst.',
  ),
  pingMs: setting(
    'GATEWAY_PING_MS',
    int(100, 3_600_000).default(25_000),
    'How often a WebSocket is pinged, in ms; one that answers nothing until the next ping is closed.',
  ),
  expiryGraceMs: setting(
    'GATEWAY_EXPIRY_GRACE_MS',
    int(0, 60_000).default(5_000),
    'How long a WebSocket outlives its access token, in ms.',
  ),
  issuer: setting(
    'OIDC_ISSUER',
    z.url().optional(),
    'Issuer of access tokens (OpenID Connect) in place of accounts of our own, exactly as its tokens spell it.',
  ),
  issuerAudience: setting(
    'OIDC_AUDIENCE',
    z.string().min(1).default('netsentinel'),
    'Audience that its tokens must name.',
  ),
  issuerJwksUrl: setting(
    'OIDC_JWKS_URL',
    z.url().optional(),
    'Address of its keys; what it publishes itself when unset.',
  ),
  issuerAlgorithm: setting(
    'OIDC_ALGORITHM',
    z.enum(ISSUER_ALGORITHMS).default('RS256'),
    'The one algorithm that its tokens are signed with.',
  ),
  issuerTokenType: setting(
    'OIDC_TOKEN_TYPE',
    z.string().min(1).default('at+jwt'),
    'Header typ of its access tokens: at+jwt by RFC 9068; some write JWT.',
  ),
  issuerTokenS: setting(
    'OIDC_TOKEN_TTL_S',
    int(1, DAY_S).default(3_600),
    'Longest life of its access tokens, in s; one that claims a longer one is refused.',
  ),
  issuerRoleClaim: setting(
    'OIDC_ROLE_CLAIM',
    z.string().min(1).default('roles'),
    'Claim that lists the roles of a user; dots lead into objects: realm_access.roles.',
  ),
  issuerRolePrefix: setting(
    'OIDC_ROLE_PREFIX',
    z.string().default('netsentinel-'),
    'What stands before viewer, analyst, auditor or admin in that claim.',
  ),
})

/** Values of the gateway's settings. */
export type GatewaySettings = SectionValues<typeof gatewayConfig>
