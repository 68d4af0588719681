// Written by `npm run generate` from schemas/*.avsc. Do not edit.

/** Symbols of Outcome. */
export type Outcome = 'unknown' | 'success' | 'failure'

/** Where a record is in Kafka. */
export interface Coordinates {
  /** Topic. */
  readonly topic: string
  /** Partition. */
  readonly partition: number
  /** Offset. */
  readonly offset: number
  /** The record's timestamp, in ms since 1970 (UTC). */
  readonly timestamp: number
}

/** One security event in the normal form that every source is turned into. Absent is null, never an empty string. */
export interface Event {
  /** `<topic>-<partition>-<offset>` of the raw record, `-<n>` added when one record holds several events. */
  readonly id: string
  /** When it happened, by the sensor's clock, in ms since 1970 (UTC). */
  readonly time: number
  /** True when the sensor's clock was over 10 minutes ahead of the record, and `time` is the record's timestamp instead. */
  readonly clockSkew: boolean
  /** The format it came in: opencanary, cowrie, zeek, suricata. */
  readonly source: string
  /** Name of the sensor that saw it. */
  readonly sensor: string | null
  /** The source's own type: OpenCanary logtype, Cowrie eventid, Zeek log path, EVE event_type. */
  readonly type: string
  /** What happened, in a few words, for people. */
  readonly title: string
  /** authentication, network, scan, web, dns, file, command, alert, tls or system. */
  readonly category: string
  /** What was done, e.g. login, connect, request, query, download. */
  readonly action: string
  /** Whether the action succeeded, where the source says so. */
  readonly outcome: Outcome
  /** Whom state is kept for, with its kind as prefix: ip:, user:, host: or sensor:. The key of the record. */
  readonly entity: string
  /** Address of the one who acts. */
  readonly srcIp: string | null
  /** Port of the one who acts. */
  readonly srcPort: number | null
  /** Address that is acted on. */
  readonly dstIp: string | null
  /** Port that is acted on. */
  readonly dstPort: number | null
  /** Host name that is acted on: HTTP host, TLS server name. */
  readonly dstHost: string | null
  /** tcp, udp or icmp, in lower case. */
  readonly transport: string | null
  /** Application protocol in lower case: ssh, http, dns … */
  readonly service: string | null
  /** The source's own id of the session, connection or flow. */
  readonly session: string | null
  /** User name that was used or tried. */
  readonly user: string | null
  /** Keyed hash of the password that was tried, so that equal ones can be counted; null when secrets are dropped. */
  readonly secretHash: string | null
  /** Command line or protocol command that was given. */
  readonly command: string | null
  /** URL or path that was asked for. */
  readonly url: string | null
  /** Request method, or DNS query type. */
  readonly method: string | null
  /** Status the source gives: HTTP status, DNS response code, Zeek conn_state. */
  readonly status: string | null
  /** User agent or client version string. */
  readonly userAgent: string | null
  /** Name that was looked up. */
  readonly query: string | null
  /** File or share that was touched. */
  readonly fileName: string | null
  /** Hash of that file as the source gives it. */
  readonly fileHash: string | null
  /** Client fingerprint: JA3 or HASSH. */
  readonly fingerprint: string | null
  /** Id of the rule or notice that fired in the sensor. */
  readonly signatureId: string | null
  /** Name of that rule or notice. */
  readonly signature: string | null
  /** Severity the sensor gives, on one scale: 1 low, 2 medium, 3 high, 4 critical. */
  readonly sourceSeverity: number | null
  /** How long it took, in ms. */
  readonly durationMs: number | null
  /** Bytes from the one who acts. */
  readonly bytesIn: number | null
  /** Bytes back to the one who acts. */
  readonly bytesOut: number | null
  /** Packets in both directions. */
  readonly packets: number | null
  /** MITRE ATT&CK technique ids that this type of event is evidence of. */
  readonly techniques: readonly string[]
  /** The raw record it came from. */
  readonly origin: Coordinates
  /** The raw record's text with every known secret replaced. */
  readonly original: string
}

/** Symbols of Severity. */
export type Severity = 'low' | 'medium' | 'high' | 'critical'

/** What one feature had to do with a score. */
export interface Contribution {
  /** Name of the feature. */
  readonly feature: string
  /** Its value. */
  readonly value: number
  /** Its share of what was unusual, 0 to 1. */
  readonly share: number
  /** From here on its value is usual: 90 % of the training values lie from expectedLow to expectedHigh. */
  readonly expectedLow: number | null
  /** Up to here its value is usual. */
  readonly expectedHigh: number | null
  /** Whose feature it is: 0 for the event itself, n for the entity's nth event before it. */
  readonly eventsAgo: number
}

/** An event that the model scored at or above the threshold. A function of the event, its entity's past and the model. */
export interface Threat {
  /** The id of the event. */
  readonly id: string
  /** The time of the event, in ms since 1970 (UTC). */
  readonly time: number
  /** The entity of the event. The key of the record. */
  readonly entity: string
  /** How unusual the event is: 0 to 1, higher is more unusual. */
  readonly score: number
  /** The score in words, by the model's cut-offs. */
  readonly severity: Severity
  /** Version of the model that scored it. */
  readonly modelVersion: string
  /** Score of each model of the ensemble. */
  readonly modelScores: Readonly<Record<string, number>>
  /** The features that made it a threat, largest share first. */
  readonly contributions: readonly Contribution[]
  /** MITRE ATT&CK technique ids. */
  readonly techniques: readonly string[]
  /** Offset of the event in its partition of `events`; the threat lies in the same partition number. */
  readonly eventOffset: number
  /** The event itself. */
  readonly event: Event
}

/** Symbols of AlertStatus. */
export type AlertStatus = 'open' | 'acknowledged' | 'resolved' | 'closed'

/** Symbols of AlertSeverity. */
export type AlertSeverity = 'low' | 'medium' | 'high' | 'critical'

/** Symbols of AlertChange. */
export type AlertChange = 'opened' | 'grew' | 'escalated' | 'triaged' | 'reopened' | 'closed'

/** Symbols of Verdict. */
export type Verdict = 'true_positive' | 'false_positive'

/** What a person should look at: threats of one entity, correlated by a rule. Updates are new records under the same key. */
export interface Alert {
  /** Deterministic id of the alert. The key of the record. */
  readonly id: string
  /** 1 for the record that opens it, one more for each update. */
  readonly revision: number
  /** Where it stands. */
  readonly status: AlertStatus
  /** By score and evidence. */
  readonly severity: AlertSeverity
  /** Id of the correlation rule. */
  readonly rule: string
  /** The rule's title. */
  readonly title: string
  /** The entity it is about. */
  readonly entity: string
  /** Highest score of its threats. */
  readonly score: number
  /** MITRE ATT&CK technique ids of its threats and its rule. */
  readonly techniques: readonly string[]
  /** Event time of its first threat, in ms since 1970 (UTC). */
  readonly firstSeen: number
  /** Event time of its latest threat, in ms since 1970 (UTC). */
  readonly lastSeen: number
  /** Threats in it. */
  readonly count: number
  /** Ids of some of its threats, first and latest. */
  readonly threatIds: readonly string[]
  /** Sensors that saw it. */
  readonly sensors: readonly string[]
  /** Why this revision was written. */
  readonly change: AlertChange
  /** Why it is an alert, in words for people. */
  readonly reason: string
  /** What its threats have in common: the values of the rule's group-by fields. */
  readonly group: Readonly<Record<string, string>>
  /** The field whose distinct values the rule counts; null for a rule that counts none. */
  readonly field: string | null
  /** Some of those values. */
  readonly values: readonly string[]
  /** How many of those values were told apart; at most as many as the alerter keeps. */
  readonly distinct: number
  /** Timestamp of the record that opened it, in ms since 1970 (UTC). */
  readonly openedAt: number
  /** Timestamp of the record that this revision comes from, in ms since 1970 (UTC). */
  readonly updatedAt: number
  /** What a person found it to be. */
  readonly verdict: Verdict | null
  /** Who looks after it. */
  readonly assignee: string | null
  /** The latest comment. */
  readonly comment: string | null
  /** Who made the latest decision on it. */
  readonly decidedBy: string | null
}

/** Its latest events, as a model sees them that looks at windows of them. */
export interface RecentEvents {
  /** Which features, scaled how: rows of another form are not used. */
  readonly form: string
  /** Rows of features, a byte each, the oldest event first. */
  readonly rows: Buffer
}

/** A service that the entity calls, and in what rhythm. */
export interface Contact {
  /** Hash of target and port. */
  readonly target: number
  /** Event time of the latest contact. */
  readonly time: number
  /** The interval that its contacts keep, in ms; 0 before the second. */
  readonly gapMs: number
  /** Gaps in a row that kept it. */
  readonly beats: number
}

/** How an entity behaves, in counters that decay with its own event time. */
export interface Behaviour {
  /** Event time of its first event. */
  readonly firstTime: number
  /** The entity's clock: its latest event time, unless that proved wrong; the counters stand at this time. */
  readonly lastTime: number
  /** Events, half-life 60 s. */
  readonly events: number
  /** Failed actions, half-life 60 s. */
  readonly failures: number
  /** Events, half-life 1 h. */
  readonly eventsSlow: number
  /** Failed actions, half-life 1 h. */
  readonly failuresSlow: number
  /** Up to 64 distinct target ports, latest last. */
  readonly ports: readonly number[]
  /** Up to 64 distinct targets, latest last. */
  readonly hosts: readonly string[]
  /** Up to 64 distinct user names, latest last. */
  readonly users: readonly string[]
  /** Up to 64 distinct event types, latest last. */
  readonly types: readonly string[]
  /** Its latest events that were, one after another, over a day older than lastTime. */
  readonly behind: number
  /** Kept while the model in force looks at windows. */
  readonly recent: RecentEvents | null
  /** Events, half-life 1 day. */
  readonly eventsDay: number
  /** Failed actions, half-life 1 day. */
  readonly failuresDay: number
  /** Failed logins, half-life 60 s. */
  readonly failedLogins: number
  /** Failed logins, half-life 1 h. */
  readonly failedLoginsSlow: number
  /** Target ports that were not among `ports`, half-life 60 s. */
  readonly newPorts: number
  /** Target ports that were not among `ports`, half-life 1 h. */
  readonly newPortsSlow: number
  /** Targets that were not among `hosts`, half-life 60 s. */
  readonly newHosts: number
  /** Targets that were not among `hosts`, half-life 1 h. */
  readonly newHostsSlow: number
  /** User names that were not among `users`, half-life 60 s. */
  readonly newUsers: number
  /** User names that were not among `users`, half-life 1 h. */
  readonly newUsersSlow: number
  /** Bytes in both directions, half-life 60 s. */
  readonly bytes: number
  /** Bytes in both directions, half-life 1 h. */
  readonly bytesSlow: number
  /** Moving mean of ln(1 + seconds between its events); -1 before its second event. */
  readonly gapMean: number
  /** Moving mean of how far a gap is from that mean, in the same unit. */
  readonly gapSpread: number
  /** Up to 12 services called, latest last. */
  readonly contacts: readonly Contact[]
}

/** The model that a partition is scored with. */
export interface ModelInForce {
  /** Version of the model. */
  readonly version: string
  /** Its place in the order of models that came into force: a scorer never goes back to a lower one. */
  readonly sequence: number
  /** Offset of the first event that it judged; null in records from before this was noted, which the first model wrote. */
  readonly since: number | null
}

/** The changelog of scoring. A record holds either the state of one entity, or what is in force for the partition. */
export interface EntityState {
  /** The entity, or `partition:model/<sequence>`. The key of the record. */
  readonly id: string
  /** State of the entity. */
  readonly behaviour: Behaviour | null
  /** A model that came into force, in a record `partition:model/<sequence>`; `partition:model` in older ones. */
  readonly model: ModelInForce | null
}

/** Symbols of DecisionKind. */
export type DecisionKind =
  | 'suppress'
  | 'acknowledge'
  | 'resolve'
  | 'reopen'
  | 'assign'
  | 'comment'
  | 'verdict'
  | 'escalate'

/** What a person decided: to suppress threats, or what to do with an alert. It is written once to every partition of `decisions`. */
export interface Decision {
  /** Id of the decision. The key of the record; a record without a value lifts the suppression of this id. */
  readonly id: string
  /** What was decided; `escalate` is what a gateway decides when nobody has acknowledged the alert in time. */
  readonly kind: DecisionKind
  /** Who decided. */
  readonly by: string
  /** When, in ms since 1970 (UTC). */
  readonly at: number
  /** Why, in words. */
  readonly comment: string | null
  /** The alert it is about; null for a suppression. */
  readonly alertId: string | null
  /** Who is to look after the alert; null in `assign` takes it from everybody. */
  readonly assignee: string | null
  /** What the alert was found to be; with `verdict` and `resolve`. */
  readonly verdict: Verdict | null
  /** Suppresses threats of this entity. */
  readonly entity: string | null
  /** Suppresses threats whose source address lies in this network. */
  readonly cidr: string | null
  /** Suppresses threats that this sensor saw. */
  readonly sensor: string | null
  /** Suppresses threats that are evidence of this ATT&CK technique, sub-techniques included. */
  readonly technique: string | null
  /** Suppresses for this rule only; alone, it suppresses the rule. */
  readonly rule: string | null
  /** Until when it suppresses, in ms since 1970 (UTC); for good when null. */
  readonly expiresAt: number | null
}

/** What some threats come to together. */
export interface Evidence {
  /** Threats. */
  readonly count: number
  /** Earliest event time. */
  readonly firstSeen: number
  /** Latest event time. */
  readonly lastSeen: number
  /** Highest score. */
  readonly score: number
  /** Highest severity. */
  readonly severity: Severity
  /** Ids of the first and the latest of them. */
  readonly threatIds: readonly string[]
  /** Distinct techniques, in order of appearance. */
  readonly techniques: readonly string[]
  /** Distinct sensors, in order of appearance. */
  readonly sensors: readonly string[]
  /** What happened in the one that scored highest, the first of equals. */
  readonly title: string
}

/** Threats that count as one. */
export interface Mark {
  /** What makes them one: the id of the threat, the value counted, or the rule matched. */
  readonly key: string
  /** The rule that the latest of them matched. */
  readonly rule: string
  /** What they come to. */
  readonly evidence: Evidence
}

/** What counts towards a rule in one group, before it makes an alert. */
export interface Window {
  /** Latest event time of the group: the end of the window. */
  readonly time: number
  /** What is in the window, by latest event time. */
  readonly marks: readonly Mark[]
}

/** An alert, and what is needed to go on with it. */
export interface AlertRecord {
  /** The alert as its next revision would have it; `revision` is that of the latest one written. */
  readonly alert: Alert
  /** What its threats come to. */
  readonly evidence: Evidence
  /** Distinct values of the field that the rule counts. */
  readonly values: readonly string[]
  /** Ids of its latest threats, to know one that comes again. */
  readonly recent: readonly string[]
  /** Time of the partition at its latest threat; at its end once it is resolved or closed. */
  readonly quietSince: number
  /** Ids of the latest decisions on it. */
  readonly decisions: readonly string[]
}

/** The changelog of alerting. A record holds one of: the window of a group, an alert, a suppression, the time of the partition. */
export interface AlertState {
  /** The key of the record: `window:`, `alert:` or `suppression:` and what it is of, or `partition:time`. */
  readonly id: string
  /** The window of a rule in one group. */
  readonly window: Window | null
  /** An alert. */
  readonly alert: AlertRecord | null
  /** A suppression. */
  readonly suppression: Decision | null
  /** The time of the partition: how far the timestamps of its threats have come. */
  readonly time: number | null
}
