import { randomUUID } from 'node:crypto'
import { createRedis, type redisConfig } from '../connectors/redis.ts'
import type { SectionValues } from '../runtime/config.ts'
import { codeOf, SentinelError } from '../runtime/errors.ts'
import { type Check, createCloser, type Service } from '../runtime/lifecycle.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { AuditEntry } from '../schemas/audit.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import type { ServerMessage, Tokens } from '../schemas/wire.ts'
import { buildApp } from './app.ts'
import { startAuditPublisher } from './audit-publisher.ts'
import { type AccessWatch, startAccessWatch } from './auth/access-watch.ts'
import type { Credentials, Refusal } from './auth/provider.ts'
import { createRedisThrottle } from './auth/redis-throttle.ts'
import {
  createFailClosedThrottle,
  createMemoryThrottle,
  LOCAL_LIMITS,
  SHARED_LIMITS,
} from './auth/throttle.ts'
import { createTickets } from './auth/tickets.ts'
import type { OpenBackOffice } from './back-office.ts'
import type { GatewaySettings } from './config.ts'
import { startHistoryRetention } from './history-retention.ts'
import { readTls } from './http-server.ts'
import { openIdentity } from './identity.ts'
import { watchParts } from './parts.ts'
import { createRecords } from './records.ts'
import { createRelay, type Relay } from './relay.ts'
import { startFeed } from './sockets/feed.ts'
import { visibleTo } from './sockets/filter.ts'
import { textFrame } from './sockets/frame.ts'
import { createHub } from './sockets/hub.ts'
import { createNotices, type Notices } from './sockets/notices.ts'
import { createFlusher } from './sockets/outbox.ts'
import { NOBODY, type PresenceWatch, startPresence } from './sockets/presence.ts'
import { createRecovery } from './sockets/recovery.ts'
import { createRedisBroadcaster } from './sockets/redis-broadcaster.ts'
import { createSockets } from './sockets/sockets.ts'
import { type DecisionWriter, startDecisionPublisher } from './triage/decision-publisher.ts'
import { startEscalation } from './triage/escalation.ts'
import { createTriage } from './triage/triage.ts'

/** How often it is counted who is connected, and how long those count that nothing is heard of, in ms. */
const PRESENCE_INTERVAL_MS = 1_000
const PRESENCE_FORGET_MS = 15_000

/** How often it is looked at what the gateway stands on, in ms. */
const PARTS_INTERVAL_MS = 2_000

/** How long a client has to answer a close, in ms. */
const CLOSE_TIMEOUT_MS = 2_000

/** How often the audit log is looked at for what is not published yet, in ms. */
const AUDIT_INTERVAL_MS = 1_000

/** How often the store is looked at for decisions that nobody has published, in ms. */
const DECISION_INTERVAL_MS = 1_000

/** How often alerts are looked at that nobody has acknowledged, in ms. */
const ESCALATION_INTERVAL_MS = 5_000

/** How often the history is asked for what did not arrive by Redis, in ms. */
const HISTORY_INTERVAL_MS = 500

/** What a gateway is started with. */
export interface GatewayDeps {
  readonly config: {
    readonly gateway: GatewaySettings
    readonly redis: SectionValues<typeof redisConfig>
    /** Where the store and the key are, unless they are configured. */
    readonly dataDir: string
    /** Put before names in Redis. */
    readonly prefix: string
  }
  /** Full names of the topics. */
  readonly topics: { readonly threats: string; readonly alerts: string }
  readonly decodeThreat: (value: Buffer) => Promise<Threat>
  readonly decodeAlert: (value: Buffer) => Promise<Alert>
  /** Publishes entries of the audit log; resolves when they are durable. */
  readonly publishAudit: (entries: readonly AuditEntry[]) => Promise<void>
  /** Opens a writer of `decisions`, which no earlier one outlives. */
  readonly openDecisions: () => Promise<DecisionWriter>
  /** What people do to the pipeline. */
  readonly backOffice: OpenBackOffice
  /** Follows the topic of models, and tells of what happens to them. */
  readonly followModels: (notices: Notices) => Promise<Service>
  /** Starts the consumer of both topics; it commits what the relay has taken. */
  readonly consume: (relay: Relay) => Promise<Service>
  readonly log: Log
  readonly metrics: Metrics
  /** In ms since 1970 (UTC); the system's clock when not given. */
  readonly now?: () => number
}

/** A gateway that listens. */
export interface Gateway extends Service {
  readonly port: number
  /** Address for clients: `http://host:port`. */
  readonly url: string
  /** The credentials of the account that this start has made, to be shown once. */
  readonly bootstrap?: Credentials
  /** Opens a session without a password, for a program in this very process; see `StoreProvider`. */
  openSession(username: string): Promise<Tokens | Refusal>
}

/**
 * Starts a gateway. It shares its store, its Redis and its consumer group with the other gateways: one of them relays
 * each partition, all of them deliver to their own sockets.
 *
 * Throws NS_CONFIG_INVALID, NS_STORE_UNUSABLE, NS_PORT_TAKEN, NS_SERVICE_UNREACHABLE, and what `consume` throws.
 */
export const startGateway = async (deps: GatewayDeps): Promise<Gateway> => {
  const { config, log, metrics, now = Date.now } = deps
  const settings = config.gateway
  const tls = readTls(settings)
  const closer = createCloser()
  try {
    let watch: AccessWatch | undefined
    const identity = await openIdentity({
      settings,
      dataDir: config.dataDir,
      announce: () => watch?.announce(),
      log,
      now,
    })
    const { store, sealer, auth, bootstrap } = identity
    closer.add(() => store.close())
    const publisher = startAuditPublisher({
      store,
      publish: deps.publishAudit,
      intervalMs: AUDIT_INTERVAL_MS,
      keptDays: settings.auditDays,
      log,
      now,
    })
    closer.add(() => publisher.close())
    const retention = startHistoryRetention({ store, keptDays: settings.historyDays, log, now })
    closer.add(() => retention.close())
    const decisions = startDecisionPublisher({
      store,
      open: deps.openDecisions,
      intervalMs: DECISION_INTERVAL_MS,
      log,
      metrics,
      now,
    })
    closer.add(() => decisions.close())
    const records = createRecords({ store, sealer })
    const triage = createTriage({
      store,
      findAlert: (id, principal) => records.find('alerts', id, visibleTo(principal).matches),
      wake: decisions.wake,
      audit: identity.audit,
      now,
    })
    if (settings.escalateAfterS > 0) {
      const escalation = startEscalation({
        store,
        minSeverity: settings.escalateSeverity,
        afterMs: settings.escalateAfterS * 1000,
        intervalMs: ESCALATION_INTERVAL_MS,
        wake: decisions.wake,
        audit: identity.audit,
        log,
        now,
      })
      closer.add(() => escalation.close())
    }
    const redis = await createRedis({ config: config.redis, log })
    closer.add(() => redis.close())
    const broadcaster = createRedisBroadcaster({ redis, prefix: config.prefix, log, metrics })
    const tickets = createTickets({ store: redis, sealer, prefix: `${config.prefix}gateway:`, now })
    const hub = createHub()
    const notices = createNotices(hub)
    let presence: PresenceWatch | undefined
    const feed = await startFeed({
      history: store,
      intervalMs: HISTORY_INTERVAL_MS,
      deliver: (channel, { delivery, frame }) => {
        const { data, position } = delivery
        const origin = { channel, severity: data.severity, ...position }
        const began = performance.now()
        const count = hub.deliver(channel, { frame, data, origin })
        if (count === 0) return
        metrics.fanoutSeconds.observe({ channel }, (performance.now() - began) / 1000)
        metrics.delivered.inc({ channel }, count)
        if (delivery.type === 'threat') {
          const seconds = (now() - delivery.data.event.origin.timestamp) / 1000
          metrics.endToEndSeconds.observe({ stage: 'gateway', topic: channel }, Math.max(0, seconds))
        }
      },
      onLost: (channel, place, reason) => {
        const notice: ServerMessage = { type: 'subscribed', channel, ...place, recovered: false, reason }
        hub.deliver(channel, { frame: () => textFrame(JSON.stringify(notice)) })
      },
      log,
      metrics,
    })
    closer.add(() => feed.close())

    const problems: Array<() => Promise<readonly Check[]>> = [
      async () => [
        asCheck('redis', await redis.problem()),
        asCheck('store', await store.problem()),
        asCheck('issuer', await identity.problem()),
      ],
    ]
    const check = async () => (await Promise.all(problems.map(look => look()))).flat()

    const app = await buildApp({
      ...settings,
      ...identity,
      throttle: createFailClosedThrottle({
        shared: createRedisThrottle({
          redis,
          prefix: `${config.prefix}gateway:`,
          limits: { ...SHARED_LIMITS, overall: settings.loginFailuresPerMinute },
          now,
        }),
        local: createMemoryThrottle({ limits: LOCAL_LIMITS, now }),
        log,
      }),
      tickets,
      records,
      triage,
      backOffice: deps.backOffice,
      presence: () => presence?.current() ?? NOBODY,
      tls,
      check,
      log,
      metrics,
      now,
    })
    closer.add(() => app.close())
    const sockets = createSockets({
      server: app.server,
      auth,
      tickets,
      hub,
      triage,
      notices,
      flusher: createFlusher({
        onDropped: ({ channel, severity }) => metrics.dropped.inc({ channel, severity }),
      }),
      feed,
      recovery: createRecovery({ feed, history: store, log, metrics }),
      settings: { ...settings, closeTimeoutMs: CLOSE_TIMEOUT_MS },
      log,
      metrics,
      now,
    })
    closer.add(() => sockets.close())
    presence = startPresence({
      redis,
      prefix: `${config.prefix}gateway:`,
      gatewayId: randomUUID(),
      present: sockets.users,
      intervalMs: PRESENCE_INTERVAL_MS,
      forgetMs: PRESENCE_FORGET_MS,
      onChange: counted => notices.post('system', 'presence', { type: 'presence', ...counted }),
      log,
      now,
    })
    closer.add(() => presence?.close())
    watch = await startAccessWatch({
      store,
      redis,
      prefix: config.prefix,
      intervalMs: settings.accessPollMs,
      onChange: sockets.recheck,
      onLook: identity.keys.refresh,
      log,
      now,
    })
    closer.add(() => watch?.close())

    await broadcaster.subscribe(feed.receive)
    closer.add(() => broadcaster.close())

    await listen(app, settings)
    const address = app.server.address()
    const port = typeof address === 'object' && address !== null ? address.port : settings.port
    const url = `${tls === undefined ? 'http' : 'https'}://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`

    // While the consumer starts: each of them waits for its group.
    const following = deps.followModels(notices)
    // The start itself awaits it, and ends with its error.
    const followed = following.catch(() => undefined)
    closer.add(async () => (await followed)?.close())
    const consumer = await deps.consume(createRelay({ ...deps, history: store, broadcaster, now }))
    closer.add(() => consumer.close())
    const models = await following
    problems.push(
      () => consumer.check(),
      () => models.check(),
      () => deps.backOffice.check(),
    )
    const parts = watchParts({ check, notices, intervalMs: PARTS_INTERVAL_MS, log })
    closer.add(() => parts.close())
    const failed = Promise.race([consumer.failed, models.failed, deps.backOffice.failed])
    // Whoever supervises the gateway awaits it later; until then a rejection must not count as unhandled.
    failed.catch(() => undefined)
    log.info({ url }, 'gateway listens')
    return {
      name: 'gateway',
      port,
      url,
      ...(bootstrap === undefined ? {} : { bootstrap }),
      openSession: identity.accounts.openSession,
      check,
      failed,
      close: closer.close,
    }
  } catch (error) {
    await closer.close()
    throw error
  }
}

const asCheck = (name: string, problem: string | undefined): Check =>
  problem === undefined ? { name } : { name, problem }

const listen = async (app: Awaited<ReturnType<typeof buildApp>>, { host, port }: GatewaySettings) => {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    if (codeOf(cause) !== 'EADDRINUSE') throw cause
    throw new SentinelError('NS_PORT_TAKEN', `GATEWAY_PORT: port ${port} on ${host} is taken`, { cause })
  }
}
