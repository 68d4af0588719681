import { randomUUID } from 'node:crypto'
import { createRedis, type Redis, type redisConfig } from '../connectors/redis.ts'
import type { SectionValues } from '../runtime/config.ts'
import { type Check, createCloser, type Service } from '../runtime/lifecycle.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { AuditEntry } from '../schemas/audit.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import type { Tokens } from '../schemas/wire.ts'
import { buildApp } from './app.ts'
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
import { startDelivery } from './delivery.ts'
import { readTls } from './http-server.ts'
import { openIdentity } from './identity.ts'
import { listen } from './listen.ts'
import { createModelNews } from './model-news.ts'
import { watchParts } from './parts.ts'
import { createRecords } from './records.ts'
import { createRelay, type Relay } from './relay.ts'
import { visibleTo } from './sockets/filter.ts'
import { createHub } from './sockets/hub.ts'
import { createNotices, type Notices } from './sockets/notices.ts'
import { createFlusher } from './sockets/outbox.ts'
import { NOBODY, type PresenceWatch, startPresence } from './sockets/presence.ts'
import { createRecovery } from './sockets/recovery.ts'
import { createRedisBroadcaster } from './sockets/redis-broadcaster.ts'
import { createSockets, type Sockets } from './sockets/sockets.ts'
import type { DecisionWriter } from './triage/decision-publisher.ts'
import { createTriage } from './triage/triage.ts'
import { startUpkeep } from './upkeep.ts'

/** How often it is counted who is connected, and how long those count that nothing is heard of, in ms. */
const PRESENCE_INTERVAL_MS = 1_000
const PRESENCE_FORGET_MS = 15_000

/** How often it is looked at what the gateway stands on, in ms. */
const PARTS_INTERVAL_MS = 2_000

/** How long a client has to answer a close, in ms. */
const CLOSE_TIMEOUT_MS = 2_000

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

type Closer = ReturnType<typeof createCloser>

/** What the parts of a gateway are made of: its dependencies, the clock among them, and what has been opened already. */
type Parts = Required<GatewayDeps> & { readonly closer: Closer }

const asCheck = (name: string, problem: string | undefined): Check =>
  problem === undefined ? { name } : { name, problem }

/** Who may do what, what is kept, and what is decided. Changes are announced to whoever `watch` is by then. */
const openStoreParts = async (parts: Parts, watch: () => AccessWatch | undefined) => {
  const { config, closer, log, now } = parts
  const settings = config.gateway
  const identity = await openIdentity({
    settings,
    dataDir: config.dataDir,
    announce: () => watch()?.announce(),
    log,
    now,
  })
  const { store, audit } = identity
  closer.add(() => store.close())
  const upkeep = startUpkeep({ ...parts, settings, store, audit })
  closer.add(() => upkeep.close())
  const records = createRecords(identity)
  const triage = createTriage({
    store,
    findAlert: (id, principal) => records.find('alerts', id, visibleTo(principal).matches),
    wake: upkeep.wake,
    audit,
    now,
  })
  return { identity, records, triage }
}

type StoreParts = Awaited<ReturnType<typeof openStoreParts>>

/** What is shared with the other gateways: messages, failed logins, tickets. */
const openRedisParts = async ({ config, closer, log, metrics, now }: Parts, { identity }: StoreParts) => {
  const redis = await createRedis({ config: config.redis, log })
  closer.add(() => redis.close())
  const prefix = `${config.prefix}gateway:`
  const limits = { ...SHARED_LIMITS, overall: config.gateway.loginFailuresPerMinute }
  return {
    redis,
    prefix,
    broadcaster: createRedisBroadcaster({ redis, prefix: config.prefix, log, metrics }),
    tickets: createTickets({ store: redis, sealer: identity.sealer, prefix, now }),
    throttle: createFailClosedThrottle({
      shared: createRedisThrottle({ redis, prefix, limits, now }),
      local: createMemoryThrottle({ limits: LOCAL_LIMITS, now }),
      log,
    }),
  }
}

/** Looks at all that the gateway stands on; what is started later is added. */
const createChecks = ({ identity }: StoreParts, redis: Redis) => {
  const looks: Array<() => Promise<readonly Check[]>> = [
    async () => [
      asCheck('redis', await redis.problem()),
      asCheck('store', await identity.store.problem()),
      asCheck('issuer', await identity.problem()),
    ],
  ]
  return {
    add: (...services: readonly Pick<Service, 'check'>[]) => {
      looks.push(...services.map(service => () => service.check()))
    },
    check: async () => (await Promise.all(looks.map(look => look()))).flat(),
  }
}

type RedisParts = Awaited<ReturnType<typeof openRedisParts>>

/** Counts who is connected, over all gateways, and tells the channel `system`. */
const countPresence = (
  { redis, prefix }: RedisParts,
  parts: Pick<Parts, 'log' | 'now'> & { readonly sockets: Sockets; readonly notices: Notices },
): PresenceWatch =>
  startPresence({
    ...parts,
    redis,
    prefix,
    gatewayId: randomUUID(),
    present: parts.sockets.users,
    intervalMs: PRESENCE_INTERVAL_MS,
    forgetMs: PRESENCE_FORGET_MS,
    onChange: counted => parts.notices.post('system', 'presence', { type: 'presence', ...counted }),
  })

/** Puts the parts together, each after those that it stands on, and closes them the other way round. */
const start = async (parts: Parts): Promise<Gateway> => {
  const { config, closer, backOffice, log, metrics, now } = parts
  const settings = config.gateway
  const tls = readTls(settings)
  let watch: AccessWatch | undefined
  let presence: PresenceWatch | undefined
  const kept = await openStoreParts(parts, () => watch)
  const { identity, triage } = kept
  const { store } = identity
  const shared = await openRedisParts(parts, kept)
  const { redis, tickets, broadcaster } = shared
  const flusher = createFlusher({
    onDropped: ({ channel, severity }) => metrics.dropped.inc({ channel, severity }),
    onRound: ms => metrics.fanoutSeconds.observe(ms / 1000),
  })
  const hub = createHub(flusher.gather)
  const notices = createNotices(hub)
  const feed = await startDelivery({ store, hub, log, metrics, now })
  closer.add(() => feed.close())
  const checks = createChecks(kept, redis)

  const app = await buildApp({
    ...settings,
    ...identity,
    ...kept,
    ...shared,
    backOffice,
    presence: () => presence?.current() ?? NOBODY,
    tls,
    check: checks.check,
    log,
    metrics,
    now,
  })
  closer.add(() => app.close())
  const sockets = createSockets({
    server: app.server,
    auth: identity.auth,
    tickets,
    hub,
    triage,
    notices,
    flusher,
    feed,
    recovery: createRecovery({ feed, history: store, log, metrics }),
    settings: { ...settings, closeTimeoutMs: CLOSE_TIMEOUT_MS },
    log,
    metrics,
    now,
  })
  closer.add(() => sockets.close())
  presence = countPresence(shared, { sockets, notices, log, now })
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
  await backOffice.follow(createModelNews(notices))
  await broadcaster.subscribe(feed.receive)
  closer.add(() => broadcaster.close())

  const { port, url } = await listen(app, { ...settings, isTls: tls !== undefined })
  const consumer = await parts.consume(createRelay({ ...parts, history: store, broadcaster }))
  closer.add(() => consumer.close())
  checks.add(consumer, backOffice)
  const watched = watchParts({ check: checks.check, notices, intervalMs: PARTS_INTERVAL_MS, log })
  closer.add(() => watched.close())
  const failed = Promise.race([consumer.failed, backOffice.failed])
  // Whoever supervises the gateway awaits it later; until then a rejection must not count as unhandled.
  failed.catch(() => undefined)
  log.info({ url }, 'gateway listens')
  return {
    name: 'gateway',
    port,
    url,
    ...(identity.bootstrap === undefined ? {} : { bootstrap: identity.bootstrap }),
    openSession: identity.accounts.openSession,
    check: checks.check,
    failed,
    close: closer.close,
  }
}

/**
 * Starts a gateway. It shares its store, its Redis and its consumer group with the other gateways: one of them relays
 * each partition, all of them deliver to their own sockets.
 *
 * Throws NS_CONFIG_INVALID, NS_STORE_UNUSABLE, NS_PORT_TAKEN, NS_SERVICE_UNREACHABLE, and what `consume` throws.
 */
export const startGateway = async (deps: GatewayDeps): Promise<Gateway> => {
  const closer = createCloser()
  try {
    return await start({ ...deps, now: deps.now ?? Date.now, closer })
  } catch (error) {
    await closer.close()
    throw error
  }
}
