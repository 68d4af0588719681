import { isIP } from 'node:net'
import { VERSION } from '../../runtime/version.ts'
import type { Event, Threat } from '../../schemas/generated.ts'
import {
  attacksOf,
  compact,
  cut,
  isEmpty,
  type Json,
  OCSF_VERSION,
  oneLine,
  SEVERITIES,
  TEXT_CHARS,
} from './ocsf-parts.ts'

// A finding has to fit into the broker's 1 MB even when every character is escaped as \uXXXX and stands in three places.
const RAW_DATA_CHARS = 32_768
const IP_CHARS = 40

const HTTP_METHODS = ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT', 'PATCH']

/** Algorithm ids of OCSF by the length of the hash in hex digits; any other length is 99, Other. */
const HASH_ALGORITHMS: Readonly<Record<number, number>> = { 32: 1, 40: 2, 64: 3, 128: 4 }
const HEX = /^[0-9a-f]+$/i

/** Observable types of OCSF. */
const OBSERVABLES = {
  hostname: [1, 'Hostname'],
  ip: [2, 'IP Address'],
  user: [4, 'User Name'],
  url: [6, 'URL String'],
  fileName: [7, 'File Name'],
  hash: [8, 'Hash'],
  port: [11, 'Port'],
  command: [13, 'Command Line'],
  userAgent: [16, 'HTTP User-Agent'],
} as const

/** The event with its texts bounded; `truncated` says whether anything was lost. */
const bounded = (event: Event): { event: Event; truncated: boolean } => {
  let truncated = false
  const copy: Record<string, unknown> = { ...event }
  for (const key of Object.keys(copy)) {
    const value = copy[key]
    if (typeof value !== 'string') continue
    const text = cut(value, key === 'original' ? RAW_DATA_CHARS : TEXT_CHARS)
    if (text !== value) truncated = true
    // A source that writes "" for "absent" must not make OCSF objects that lack what they require.
    copy[key] = text === '' && key !== 'original' ? null : text
  }
  return { event: copy as unknown as Event, truncated }
}

const endpoint = (ip: string | null, port: number | null, rest: Json = {}): Json | undefined => {
  const isAddress = ip !== null && isIP(ip) !== 0 && ip.length <= IP_CHARS
  const fits = port !== null && Number.isInteger(port) && port >= 0 && port <= 65_535
  const named = { ...(isAddress ? { ip } : { name: ip }), ...rest }
  // OCSF refuses an endpoint that nothing identifies; a port alone stays in `unmapped`.
  if (Object.values(named).every(isEmpty)) return undefined
  return { ...named, port: fits ? port : undefined }
}

const urlOf = (url: string | null): Json | undefined => {
  if (url === null) return undefined
  return url.startsWith('/') ? { path: url } : { url_string: url }
}

const hash = (value: string | null): Json | undefined =>
  value !== null && HEX.test(value) ? { algorithm_id: HASH_ALGORITHMS[value.length] ?? 99, value } : undefined

const evidenceOf = (event: Event): Json => {
  const method = event.method?.toUpperCase() ?? ''
  const isHttp = HTTP_METHODS.includes(method) && event.url !== null
  return {
    src_endpoint: endpoint(event.srcIp, event.srcPort),
    dst_endpoint: endpoint(event.dstIp, event.dstPort, { hostname: event.dstHost, svc_name: event.service }),
    connection_info:
      event.transport === null && event.session === null
        ? undefined
        : { direction_id: 0, protocol_name: event.transport, session: { uid: event.session } },
    user: { name: event.user },
    url: urlOf(event.url),
    http_request: isHttp ? { http_method: method, user_agent: event.userAgent } : undefined,
    query:
      event.query === null ? undefined : { hostname: event.query, type: isHttp ? undefined : event.method },
    file:
      event.fileName === null
        ? undefined
        : { name: event.fileName, type_id: 0, hashes: [hash(event.fileHash)] },
  }
}

const observablesOf = (event: Event): Json[] => {
  const found: Json[] = []
  const add = (kind: keyof typeof OBSERVABLES, name: string, value: string | number | null) => {
    if (value !== null) {
      const [type_id, type] = OBSERVABLES[kind]
      found.push({ type_id, type, name, value: String(value) })
    }
  }
  const address = (name: string, value: string | null) => {
    if (value !== null && isIP(value) !== 0) add('ip', name, value)
  }
  address('evidences[].src_endpoint.ip', event.srcIp)
  address('evidences[].dst_endpoint.ip', event.dstIp)
  add('port', 'evidences[].dst_endpoint.port', event.dstPort)
  add('hostname', 'evidences[].dst_endpoint.hostname', event.dstHost)
  add('hostname', 'evidences[].query.hostname', event.query)
  add('user', 'evidences[].user.name', event.user)
  add('url', 'evidences[].url', event.url)
  add('fileName', 'evidences[].file.name', event.fileName)
  add('hash', 'evidences[].file.hashes[].value', event.fileHash)
  add('hash', 'unmapped.event.fingerprint', event.fingerprint)
  add('command', 'unmapped.event.command', event.command)
  add('userAgent', 'unmapped.event.userAgent', event.userAgent)
  return found
}

/** Which features were out of the ordinary, and what is usual of them: OCSF's own places for a model's explanation. */
const anomalyOf = (entity: string, contributions: Threat['contributions']): Json | undefined =>
  contributions.length === 0
    ? undefined
    : {
        analysis_targets: [{ name: entity, type: 'entity' }],
        anomalies: contributions.map(({ feature, value, share }) => ({
          observation_parameter: feature,
          observed_pattern: `${Math.round(share * 100)} % of what was unusual`,
          observations: [{ value: String(value) }],
        })),
        baselines: contributions.flatMap(({ feature, expectedLow: low, expectedHigh: high }) =>
          low === null || high === null
            ? []
            : {
                observation_parameter: feature,
                observed_pattern: `${low} to ${high} in 90 % of the training events`,
                observations: [{ value: String(low) }, { value: String(high) }],
              },
        ),
      }

/**
 * An OCSF Detection Finding (class 2004) for a threat. It is a function of the threat and of the version of
 * NetSentinel: no clock is read, `time` is when the record came in, the finding's uid is the threat's id. So a SIEM that
 * meets a finding twice can tell. Nothing empty is written, and what OCSF has no attribute for is in `unmapped`.
 *
 * Texts are cut at 2,048 characters and the raw record at 32,768, with `metadata.is_truncated`.
 */
export const toOcsf = (threat: Threat): Json => {
  const { event, truncated } = bounded(threat.event)
  const severity = SEVERITIES[threat.severity]
  const entity = cut(threat.entity, TEXT_CHARS)
  const created = event.origin.timestamp
  const { original, origin, techniques, id, ...rest } = event
  return compact({
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    activity_id: 1,
    activity_name: 'Create',
    type_uid: 200_401,
    type_name: 'Detection Finding: Create',
    time: created,
    severity_id: severity.id,
    severity: severity.caption,
    status_id: 1,
    status: 'New',
    is_alert: true,
    risk_score: Math.round(Math.min(1, Math.max(0, threat.score)) * 100),
    risk_level_id: severity.risk,
    risk_level: severity.caption,
    count: 1,
    message: event.title,
    metadata: {
      version: OCSF_VERSION,
      uid: threat.id,
      product: { name: 'NetSentinel', vendor_name: 'NetSentinel', version: VERSION },
      event_code: event.type,
      log_provider: event.source,
      loggers: event.sensor === null ? undefined : [{ name: event.sensor }],
      is_truncated: truncated ? true : undefined,
    },
    finding_info: {
      uid: threat.id,
      title: event.title,
      types: [event.category],
      data_sources: [event.source],
      created_time: created,
      first_seen_time: event.time,
      last_seen_time: event.time,
      analytic: {
        name: 'NetSentinel anomaly model',
        uid: 'netsentinel-anomaly',
        type_id: 4,
        type: 'Learning (ML/DL)',
        version: threat.modelVersion,
      },
      attacks: attacksOf(threat.techniques),
      related_events: [{ uid: id, type: event.type, title: event.title }],
    },
    anomaly_analyses: [anomalyOf(entity, threat.contributions)],
    evidences: [evidenceOf(event)],
    observables: observablesOf(event),
    raw_data: original,
    raw_data_size: truncated ? Buffer.byteLength(threat.event.original) : undefined,
    unmapped: {
      entity,
      score: threat.score,
      model_scores: threat.modelScores,
      contributions: threat.contributions,
      techniques: [...new Set([...threat.techniques, ...techniques])],
      origin: { ...origin, event_offset: threat.eventOffset },
      event: rest,
    },
  }) as Json
}

/** The finding as a record's value. */
export const encodeOcsf = (threat: Threat): Buffer => oneLine(toOcsf(threat))
