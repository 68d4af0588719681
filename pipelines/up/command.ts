import { join } from 'node:path'
import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { prepareTopics } from '../../connectors/kafka/topics-command.ts'
import type { redisConfig } from '../../connectors/redis.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { Command, CommandContext } from '../../runtime/command.ts'
import { numberOption } from '../../runtime/command.ts'
import { areSet, type SectionValues } from '../../runtime/config.ts'
import type { dataConfig } from '../../runtime/data.ts'
import type { embeddedConfig } from '../../runtime/embedded/config.ts'
import { startEmbedded } from '../../runtime/embedded/embedded.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { readOrCreateKeyFile } from '../../runtime/key-file.ts'
import { createCloser, EXIT, type Service } from '../../runtime/lifecycle.ts'
import type { Alert, Threat } from '../../schemas/generated.ts'
import { type AlertingConfig, startAlerting } from '../alerting/command.ts'
import { bundledCapture } from '../ingest/capture.ts'
import { type IngestConfig, startIngest } from '../ingest/command.ts'
import { replayFiles } from '../ingest/replay.ts'
import { registryOf } from '../models/open.ts'
import { replaceOutdated } from '../models/upgrade.ts'
import { type NotifyConfig, startConfiguredNotifying } from '../notifying/command.ts'
import { type RetrainConfig, startRetraining } from '../retraining/retraining.ts'
import { type ScoreConfig, startScoring } from '../scoring/command.ts'
import { revisionOf, without } from './accounting.ts'
import { findCompose, runHere, startContainers } from './containers.ts'
import { type Arrivals, accountForReplay, rawEnds } from './once.ts'

/** The settings that `netsentinel up` reads itself; the gateway's are the gateway's own. */
export interface UpConfig extends IngestConfig, ScoreConfig, RetrainConfig, AlertingConfig, NotifyConfig {
  readonly redis: SectionValues<typeof redisConfig>
  readonly embedded: SectionValues<typeof embeddedConfig>
  readonly data: SectionValues<typeof dataConfig>
}

/** Who is told of threats and alerts. */
interface Viewer {
  add(threat: Threat): void
  addAlert(alert: Alert): void
}

/** What `up` needs of the gateway, which no pipeline may import: it is handed in. */
export interface Dashboard<C> {
  /** Starts the gateway, and a client of it that tells `viewer` what arrives over the WebSocket. */
  start(context: CommandContext<C>, viewer: Viewer): Promise<readonly [gateway: GatewayInUp, client: Service]>
  /** Makes the live table. */
  table(print: (line: string) => void): Viewer
}

/** A gateway that `up` has started. */
export interface GatewayInUp extends Service {
  readonly url: string
  /** The account that this start has made, when its password was made up. */
  readonly firstLogin?: { readonly username: string; readonly password: string }
}

/** Where the addresses of running services come from; given together, nothing is started. */
const ADDRESSES = ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL', 'REDIS_URL'] as const

const DEMO_RATE = 200
const PROGRESS_MS = 2_000

/** Brings up services, unless all addresses are given, and returns the configuration that leads to them. */
const withServices = async <C extends UpConfig>(
  context: CommandContext<C>,
): Promise<{ config: C; services: Service[] }> => {
  const { config, log, options, tell, interrupted } = context
  if (areSet(ADDRESSES)) return { config, services: [] }
  if ((await findCompose(runHere(interrupted))) !== undefined) {
    tell('a container engine answers: --docker runs all of this in containers (npm start -- --docker)')
  }
  tell('bringing up Kafka, the schema registry and Redis (the first start fetches them) …')
  const embedded = await startEmbedded({
    config: config.embedded,
    dataDir: config.data.dir,
    log,
    ephemeral: options['ephemeral'] === true,
    signal: interrupted,
  })
  const kafka: KafkaSettings = { ...config.kafka, brokers: embedded.kafkaBrokers }
  const registry = { ...config.registry, url: embedded.schemaRegistryUrl }
  const redis = { ...config.redis, url: embedded.redisUrl }
  return { config: { ...config, kafka, registry, redis }, services: [embedded] }
}

/** A key of this installation, so that passwords in events are hashed and not dropped; the configured one goes first. */
const withSecretsKey = <C extends UpConfig>(config: C): C => {
  const { sources, data } = config
  if (sources.secretsKey !== undefined || sources.secretsMode === 'drop') return config
  return {
    ...config,
    sources: { ...sources, secretsKey: readOrCreateKeyFile(join(data.dir, 'secrets.key')) },
  }
}

const logPath = (config: UpConfig) => join(config.data.dir, 'logs', 'netsentinel.log')

/** `netsentinel up`, given the gateway. */
export const createUp = <C extends UpConfig>(dashboard: Dashboard<C>): Command<C> => ({
  summary:
    'Run everything here: services, ingest, scoring, alerting and gateway, on the bundled capture of real events.',
  details: [
    `Uses the services that ${ADDRESSES.join(', ')} name when all of them are set; else it runs its own,`,
    'with their data in DATA_DIR. Goes on until Ctrl-C.',
  ].join('\n'),
  options: {
    once: {
      type: 'boolean',
      doc: 'Run the capture through, print what became of it as one JSON line, and end.',
    },
    ephemeral: { type: 'boolean', doc: 'Keep no data of the embedded services.' },
    rate: {
      type: 'string',
      value: 'N',
      doc: `Records of the capture a second; ${DEMO_RATE}, or all at once with --once.`,
    },
    docker: {
      type: 'boolean',
      doc: 'Run it in containers instead, in the background (docker-compose.yml), and end.',
    },
    'no-replay': { type: 'boolean', doc: 'Replay nothing: wait for what producers send.' },
  },
  logsToFile: true,
  run: async given => {
    const started = Date.now()
    const once = given.options['once'] === true
    if (once && given.options['no-replay'] === true) {
      throw new SentinelError('NS_USAGE', 'up: --once and --no-replay exclude each other')
    }
    if (given.options['docker'] === true) {
      await startContainers({
        run: runHere(given.interrupted),
        replay: given.options['no-replay'] !== true,
        tell: given.tell,
      })
      return EXIT.ok
    }
    const rate = numberOption(given.options, 'rate', once ? 0 : DEMO_RATE, { min: 1, max: 1_000_000 })
    const closer = createCloser()
    const services: Service[] = []
    const own = (more: readonly Service[]) => {
      for (const service of more) {
        services.push(service)
        closer.add(() => service.close())
      }
    }
    const arrivals: Arrivals = { threats: new Set(), revisions: new Set() }
    const table = dashboard.table(given.print)
    try {
      const { config, services: embedded } = await withServices(given)
      own(embedded)
      const context = { ...given, config: withSecretsKey(config) }
      await prepareTopics({ config, log: given.log, apply: false })
      await replaceOutdated({
        registry: registryOf(context.config, given.log),
        shipped: loadBaseline(),
        log: given.log,
      })
      // Scoring loads its model while ingest joins its group.
      own(await Promise.all([startIngest(context), startScoring(context), startAlerting(context)]))
      own(await startConfiguredNotifying(context))
      // One capture, run through once, teaches nothing.
      if (!once) own([await startRetraining(context)])
      const [gateway, client] = await dashboard.start(context, {
        add: threat => {
          arrivals.threats.add(threat.id)
          if (!once) table.add(threat)
        },
        addAlert: alert => {
          arrivals.revisions.add(revisionOf(alert))
          if (!once) table.addAlert(alert)
        },
      })
      own([gateway, client])
      given.tell(`gateway: ${gateway.url} (WebSocket at /ws)`)
      if (gateway.firstLogin !== undefined) {
        given.tell(
          `first login: ${gateway.firstLogin.username} / ${gateway.firstLogin.password} (shown this once, to be changed: netsentinel password)`,
        )
      }
      const replay = () =>
        replayFiles({
          config,
          log: given.log,
          files: bundledCapture(),
          rate,
          signal: given.interrupted,
          onProgress: progress(given.tell, () => arrivals.threats.size),
        })
      if (once) {
        const failed = Promise.race(services.map(service => service.failed))
        const ran = runOnce({ context, arrivals, replay, started, stopped: given.interrupted })
        const code = await Promise.race([failed, ran])
        await closer.close()
        return code
      }
      if (given.options['no-replay'] !== true && !given.interrupted.aborted) {
        void replay().then(
          sent => given.tell(`replayed ${sent} records; send more with: netsentinel replay FILE`),
          (error: unknown) => given.log.error({ err: error }, 'the replay failed'),
        )
      }
      if (!given.interrupted.aborted) {
        // Drained in this order: what comes in first, the services that all of it stands on last.
        const standing = services.filter(service => !embedded.includes(service))
        const code = await given.supervise([...standing, ...embedded])
        if (code !== EXIT.ok) given.tell(`ended with an error: see ${logPath(config)}`)
        return code
      }
      await closer.close()
      return EXIT.ok
    } catch (error) {
      await closer.close()
      if (given.interrupted.aborted) return EXIT.ok
      throw error
    }
  },
})

const progress = (tell: (line: string) => void, delivered: () => number) => {
  let last = Date.now()
  return (sent: number) => {
    if (Date.now() - last < PROGRESS_MS) return
    last = Date.now()
    tell(`… ${sent} records replayed, ${delivered()} threats delivered`)
  }
}

const runOnce = async (deps: {
  readonly context: CommandContext<UpConfig>
  readonly arrivals: Arrivals
  readonly replay: () => Promise<number>
  readonly started: number
  readonly stopped: AbortSignal
}): Promise<number> => {
  const { context, arrivals, replay, started, stopped } = deps
  const { config, log } = context
  const kafka = createKafka({ config: config.kafka, log })
  const from = await rawEnds(kafka, config)
  await replay()
  const to = await rawEnds(kafka, config)
  const account = await accountForReplay({ kafka, config, range: { from, to }, arrivals, stopped })
  const { raw, events, deadLetters, threats, alerts, revisions, problems } = account
  const delivered = threats.size - without(threats, arrivals.threats).length
  const seconds = Math.round((Date.now() - started) / 100) / 10
  context.print(
    JSON.stringify({
      raw,
      events,
      deadLetters,
      threats: threats.size,
      delivered,
      alerts: alerts.size,
      seconds,
    }),
  )
  const undelivered = without(revisions, arrivals.revisions).length
  if (delivered < threats.size) problems.push(`${threats.size - delivered} threats were not delivered`)
  if (undelivered > 0) problems.push(`${undelivered} revisions of alerts were not delivered`)
  for (const problem of problems) context.tell(problem)
  return problems.length === 0 ? EXIT.ok : EXIT.failure
}
