import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const BATCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const END_TO_END_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

const RECOVERY_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60]
const FANOUT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1]

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const RESTORE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Reads what is known only when somebody looks: one run serves all gauges that are read at the same time. */
const createScrape = () => {
  const readings = new Set<() => unknown>()
  let running: Promise<unknown> | undefined
  const run = async () => {
    try {
      await Promise.all([...readings].map(reading => reading()))
    } finally {
      running = undefined
    }
  }
  return {
    collect: async () => {
      running ??= run()
      await running
    },
    /** Has `reading`, which never throws, set gauges whenever they are read, until the returned function is called. */
    onScrape: (reading: () => unknown) => {
      readings.add(reading)
      return () => {
        readings.delete(reading)
      }
    },
  }
}

/**
 * Makes every metric of a process on a registry of its own, so that tests and `up`, which runs several stages in one
 * process, never share one by accident. Names follow Prometheus: base units, `_total` on counters.
 */
export const createMetrics = (options: { readonly defaults?: boolean } = {}) => {
  const registry = new Registry()
  if (options.defaults ?? false) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const { collect, onScrape } = createScrape()
  const partitionGauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['stage', 'topic', 'partition'] as const, registers, collect })
  return {
    registry,
    onScrape,
    recordsIn: new Counter({
      name: 'netsentinel_records_in_total',
      help: 'Records that a stage has read and committed.',
      labelNames: ['stage', 'topic'] as const,
      registers,
    }),
    recordsOut: new Counter({
      name: 'netsentinel_records_out_total',
      help: 'Records that a stage has written in committed transactions.',
      labelNames: ['stage', 'topic'] as const,
      registers,
    }),
    deadLetters: new Counter({
      name: 'netsentinel_dead_letters_total',
      help: 'Records sent to dead-letters in committed transactions, by stage and error code.',
      labelNames: ['stage', 'code'] as const,
      registers,
    }),
    transactions: new Counter({
      name: 'netsentinel_transactions_total',
      help:
        'Batches by the outcome of their transaction: committed; fenced, when another owner or the timeout ended it; ' +
        'failed, when anything else did, before or in it. What is not committed is read again.',
      labelNames: ['stage', 'outcome'] as const,
      registers,
    }),
    restores: new Counter({
      name: 'netsentinel_restores_total',
      help: 'Partitions whose state was read back from the changelog.',
      labelNames: ['stage'] as const,
      registers,
    }),
    restoredRecords: new Counter({
      name: 'netsentinel_restored_records_total',
      help: 'Records of changelogs that state was read back from.',
      labelNames: ['stage'] as const,
      registers,
    }),
    restoreSeconds: new Histogram({
      name: 'netsentinel_restore_seconds',
      help: 'Time that reading back the state of one partition took.',
      labelNames: ['stage'] as const,
      buckets: RESTORE_SECONDS,
      registers,
    }),
    lagRecords: partitionGauge(
      'netsentinel_lag_records',
      'Offsets of an input partition that this process owns between the committed one and the end of what may be read; ' +
        'markers count as well. Asked of the broker at each scrape; absent while it does not answer.',
    ),
    lagSeconds: partitionGauge(
      'netsentinel_lag_seconds',
      'How long ago the next record to read was stamped, 0 when there is none. Before it is fetched: how long ago the one ' +
        'before it was stamped, or nothing was left to read, whichever is later; absent when neither is known.',
    ),
    stateEntries: partitionGauge(
      'netsentinel_state_entries',
      'Entries in the state of a partition that this process owns.',
    ),
    stateBytes: partitionGauge(
      'netsentinel_state_bytes',
      'About how many bytes those entries have in the changelog; in memory they take a few times as much.',
    ),
    batchSeconds: new Histogram({
      name: 'netsentinel_batch_seconds',
      help:
        'Time of a committed batch by phase: wait, from fetched to begun; process, the stage itself; commit, the ' +
        'transaction.',
      labelNames: ['stage', 'phase'] as const,
      buckets: BATCH_SECONDS,
      registers,
    }),
    endToEndSeconds: new Histogram({
      name: 'netsentinel_end_to_end_seconds',
      help:
        'Time from the timestamp of a record, which is the arrival of its raw record, to its commit on a topic by a ' +
        'stage, or to its delivery by the gateway. Of a transaction up to 16 records a topic count, evenly spread.',
      labelNames: ['stage', 'topic'] as const,
      buckets: END_TO_END_SECONDS,
      registers,
    }),
    notifications: new Counter({
      name: 'netsentinel_notifications_total',
      help: 'Attempts to send a notification, by notifier and outcome: sent, retried or failed (given up).',
      labelNames: ['notifier', 'outcome'] as const,
      registers,
    }),
    alertsPassed: new Counter({
      name: 'netsentinel_notify_alerts_total',
      help: 'Records of alerts by what was decided: notified, quiet, stale (too old) or undecodable.',
      labelNames: ['decision'] as const,
      registers,
    }),
    notificationsQueued: new Gauge({
      name: 'netsentinel_notifications_queued',
      help: 'Notifications that are not sent yet, by notifier.',
      labelNames: ['notifier'] as const,
      registers,
    }),
    notificationsOldest: new Gauge({
      name: 'netsentinel_notifications_oldest_seconds',
      help: 'Age of the oldest notification that is not sent yet, by notifier; 0 when there is none.',
      labelNames: ['notifier'] as const,
      registers,
    }),
    alerts: new Counter({
      name: 'netsentinel_alerts_total',
      help:
        'Revisions of alerts that were written, by rule, severity and what changed: opened, grew, escalated, triaged, ' +
        'reopened, closed.',
      labelNames: ['rule', 'severity', 'change'] as const,
      registers,
    }),
    alertsUnderWay: partitionGauge(
      'netsentinel_alerts_under_way',
      'Alerts of a partition that this process owns that are open or acknowledged.',
    ),
    alertGroups: partitionGauge(
      'netsentinel_alert_groups',
      'Groups of threats in a partition that this process owns that are followed and have made no alert.',
    ),
    threatsSuppressed: new Counter({
      name: 'netsentinel_threats_suppressed_total',
      help: 'Threats that a suppression kept out of alerts.',
      registers,
    }),
    modelInfo: new Gauge({
      name: 'netsentinel_model_info',
      help: '1 for the version of the model that this process scores with, by role.',
      labelNames: ['version', 'role'] as const,
      registers,
    }),
    championAge: new Gauge({
      name: 'netsentinel_champion_age_seconds',
      help: 'How long ago the model that this process scores with was published; absent for the one that ships.',
      labelNames: ['version'] as const,
      registers,
      collect,
    }),
    modelsRefused: new Counter({
      name: 'netsentinel_models_refused_total',
      help: 'Champions that this process does not serve, by version; the log says why. The one before goes on serving.',
      labelNames: ['version'] as const,
      registers,
    }),
    inferenceSeconds: new Histogram({
      name: 'netsentinel_inference_seconds',
      help: 'Time from handing a lot of events, up to 256, to the model in force until its scores were there.',
      buckets: BATCH_SECONDS,
      registers,
    }),
    rowsScored: new Counter({
      name: 'netsentinel_rows_scored_total',
      help: 'Events that a model in force has scored; of a batch that failed, they count again when it is read again.',
      labelNames: ['version'] as const,
      registers,
    }),
    scoresMissing: new Counter({
      name: 'netsentinel_scores_missing_total',
      help: 'Lots of events for which a model in force gave no score, or one that is not a number from 0 to 1.',
      labelNames: ['version'] as const,
      registers,
    }),
    featureDrift: new Gauge({
      name: 'netsentinel_feature_drift',
      help: 'Population stability index of each feature of live events against the training of the model in force.',
      labelNames: ['feature'] as const,
      registers,
      collect,
    }),
    scoreDrift: new Gauge({
      name: 'netsentinel_score_drift',
      help: 'The same of the scores. By custom, above 0.25 the distribution is another one.',
      labelNames: ['version'] as const,
      registers,
      collect,
    }),
    modelPrecision: new Gauge({
      name: 'netsentinel_model_precision',
      help:
        'Share of the threats with a verdict of an analyst that were real, by the version that made them. Set by each ' +
        'retraining.',
      labelNames: ['version'] as const,
      registers,
    }),
    retrainings: new Counter({
      name: 'netsentinel_retrainings_total',
      help: 'Retrainings that ended, by outcome: promoted, rejected, rolled-back or failed.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    sockets: new Gauge({
      name: 'netsentinel_gateway_sockets',
      help: 'Open WebSockets.',
      registers,
    }),
    delivered: new Counter({
      name: 'netsentinel_gateway_delivered_total',
      help: 'Messages written to WebSockets, by channel.',
      labelNames: ['channel'] as const,
      registers,
    }),
    dropped: new Counter({
      name: 'netsentinel_gateway_dropped_total',
      help: 'Messages that clients who read too slowly were not sent, by channel and severity; they were told so.',
      labelNames: ['channel', 'severity'] as const,
      registers,
    }),
    broadcastFailures: new Counter({
      name: 'netsentinel_gateway_broadcast_failures_total',
      help: 'Threats and alerts that Redis did not take; gateways find them in the history.',
      registers,
    }),
    gaps: new Counter({
      name: 'netsentinel_gateway_gaps_total',
      help: 'Gaps in what came from the other gateways, which are filled from the history, by channel.',
      labelNames: ['channel'] as const,
      registers,
    }),
    recoveries: new Counter({
      name: 'netsentinel_gateway_recoveries_total',
      help:
        'Subscriptions that asked for what they had missed, by channel and outcome: complete, too-old, other-epoch, ' +
        'or left, when the client did not wait for the end.',
      labelNames: ['channel', 'outcome'] as const,
      registers,
    }),
    recovered: new Counter({
      name: 'netsentinel_gateway_recovered_total',
      help: 'Messages that clients were sent because they had missed them, by channel.',
      labelNames: ['channel'] as const,
      registers,
    }),
    recoverySeconds: new Histogram({
      name: 'netsentinel_gateway_recovery_seconds',
      help: 'Time from a subscription that resumes to its first live message, by channel.',
      labelNames: ['channel'] as const,
      buckets: RECOVERY_SECONDS,
      registers,
    }),
    closes: new Counter({
      name: 'netsentinel_gateway_closes_total',
      help: 'WebSockets closed by the gateway, by close code.',
      labelNames: ['code'] as const,
      registers,
    }),
    upgradesRefused: new Counter({
      name: 'netsentinel_gateway_upgrades_refused_total',
      help: 'Requests that were not upgraded to a WebSocket, by HTTP status.',
      labelNames: ['status'] as const,
      registers,
    }),
    queuedBytes: new Gauge({
      name: 'netsentinel_gateway_queued_bytes',
      help: 'Bytes that wait for WebSockets: of all together (sum), and of the one that most wait for (max).',
      labelNames: ['of'] as const,
      registers,
      collect,
    }),
    fanoutSeconds: new Histogram({
      name: 'netsentinel_gateway_fanout_seconds',
      help: 'Time that a round took, in which all that was gathered for WebSockets was handed to them and written.',
      buckets: FANOUT_SECONDS,
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'netsentinel_gateway_request_seconds',
      help:
        'Time from a request over HTTP to its answer, by route (method and pattern; none for what is no route) and class of ' +
        'status: 2xx, 4xx, 5xx.',
      labelNames: ['route', 'status'] as const,
      buckets: REQUEST_SECONDS,
      registers,
    }),
    auditWait: new Gauge({
      name: 'netsentinel_gateway_audit_wait_seconds',
      help: 'How long the oldest entry of the audit log has waited in the store to be published; 0 when none does.',
      registers,
    }),
    limited: new Counter({
      name: 'netsentinel_gateway_limited_total',
      help:
        'What clients were refused for being too many or too fast, by limit: sockets, user-sockets, address-sockets, ' +
        'upgrades, address-upgrades; messages and queue, whose sockets were closed; login-failures of an account or an ' +
        'address, logins of all together, hashing, when too many passwords wait to be checked; pressure, when the event loop ' +
        'was late or the heap full.',
      labelNames: ['limit'] as const,
      registers,
    }),
    malformedBroadcasts: new Counter({
      name: 'netsentinel_gateway_malformed_broadcasts_total',
      help: 'Messages from Redis that did not fit the wire schema and were dropped.',
      registers,
    }),
    undeliverable: new Counter({
      name: 'netsentinel_gateway_undeliverable_total',
      help: 'Records of threats and alerts that do not decode and are not shown, by error code.',
      labelNames: ['code'] as const,
      registers,
    }),
    decisionWait: new Gauge({
      name: 'netsentinel_gateway_decision_wait_seconds',
      help: 'How long the oldest decision has waited in the store to be published; 0 when none does.',
      registers,
    }),
    logins: new Counter({
      name: 'netsentinel_gateway_logins_total',
      help: 'Logins by outcome: accepted or refused.',
      labelNames: ['outcome'] as const,
      registers,
    }),
  }
}

/** A gauge of the partitions that a process owns: `onScrape` readings set it, and remove what has left. */
export type PartitionGauge = Metrics['stateEntries']

/** The metrics of a process. */
export type Metrics = ReturnType<typeof createMetrics>
