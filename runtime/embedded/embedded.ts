import { join, resolve } from 'node:path'
import type { SectionValues } from '../config.ts'
import { messageOf } from '../errors.ts'
import { type Check, createCloser, createFailure, type Service } from '../lifecycle.ts'
import type { Log } from '../log.ts'
import { ensureArtifacts } from './artifacts.ts'
import { type Child, startChild } from './child.ts'
import type { embeddedConfig } from './config.ts'
import { assertSpace, makeDirectory, newRun, removeRun } from './directories.ts'
import { crashError } from './failures.ts'
import { brokerServes, startKafka } from './kafka.ts'
import { type Addresses, acquireLock } from './lock.ts'
import { onPort } from './ports.ts'
import type { Probe } from './ready.ts'
import { redisServes, startRedis } from './redis.ts'
import { registryServes, registryUrl, startRegistry } from './registry.ts'
import type { Site } from './site.ts'
import { checkJava, systemTools, type Tools } from './tools.ts'

const GRACE_MS = 10_000

/** What {@link startEmbedded} needs. */
export interface EmbeddedDeps {
  readonly config: SectionValues<typeof embeddedConfig>
  /** DATA_DIR. */
  readonly dataDir: string
  readonly log: Log
  /** Keeps nothing: the data is in a temporary directory that close() removes. */
  readonly ephemeral?: boolean
  /** Has the broker be fast once it is warm, in place of up within two seconds. */
  readonly longRun?: boolean
  /** Gives the start up when it is aborted; a start that has finished is ended by close(). */
  readonly signal?: AbortSignal
  /** The machine's programs; fakes in tests. */
  readonly tools?: Tools
}

/** Kafka, the schema registry and Redis, running on loopback. */
export interface EmbeddedServices extends Service, Addresses {}

interface Part {
  readonly name: string
  readonly child: Child
  readonly probe: Probe
}

const checkOf = async ({ name, probe }: Part): Promise<Check> => {
  try {
    await probe()
    return { name }
  } catch (error) {
    return { name, problem: messageOf(error) }
  }
}

/** Starts the three at once: the slowest, Kafka, sets the time. */
const startAll = (site: Site, { config, log }: EmbeddedDeps) => {
  const part = async (
    name: string,
    configured: number | undefined,
    env: string,
    start: (port: number) => Promise<Child>,
    probe: (port: number) => Probe,
  ) => {
    const begun = performance.now()
    return onPort(configured, env, async port => {
      const child = await start(port)
      log.debug({ port, ms: Math.round(performance.now() - begun) }, `${name} serves`)
      return { name, port, child, probe: probe(port) }
    })
  }
  return [
    part(
      'kafka',
      config.kafkaPort,
      'EMBEDDED_KAFKA_PORT',
      kafkaPort => onPort(undefined, '', controllerPort => startKafka(site, kafkaPort, controllerPort)),
      brokerServes,
    ),
    part(
      'registry',
      config.registryPort,
      'EMBEDDED_REGISTRY_PORT',
      registryPort => startRegistry(site, registryPort),
      registryServes,
    ),
    part(
      'redis',
      config.redisPort,
      'EMBEDDED_REDIS_PORT',
      redisPort => startRedis(site, redisPort),
      redisServes,
    ),
  ] as const
}

/**
 * Brings up Apache Kafka, Apicurio Registry and Redis as child processes on loopback, on the data that an earlier start
 * left under DATA_DIR. They end when close() is called, and also when this process ends in any other way.
 *
 * Throws NS_EMBEDDED_UNAVAILABLE (no Java, no Maven, nothing to fetch from, a directory that cannot be written),
 * NS_EMBEDDED_LOCKED, NS_PORT_TAKEN, NS_DISK_FULL or NS_EMBEDDED_CRASHED, each with a sentence that says what to do.
 */
export const startEmbedded = async (deps: EmbeddedDeps): Promise<EmbeddedServices> => {
  const { config, log, ephemeral = false, longRun = false, tools = systemTools(config.javaHome) } = deps
  const begun = performance.now()
  const abort = new AbortController()
  const signal = deps.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, deps.signal])
  const closer = createCloser()
  const { failed, fail } = createFailure()
  const children: Child[] = []
  let sound = true
  let starts: ReturnType<typeof startAll> | undefined
  try {
    await checkJava(tools)
    const root = resolve(deps.dataDir)
    const dataDir = ephemeral ? await newRun(root, log) : root
    const logDir = join(dataDir, 'logs')
    const lock = await acquireLock(dataDir)
    closer.add(() => lock.release())
    if (ephemeral) closer.add(() => removeRun(dataDir, { keepLogs: !sound }))
    makeDirectory(logDir)
    assertSpace(dataDir)
    closer.add(() => Promise.all(children.map(child => child.stop())))
    const libDir = resolve(config.libDir ?? join(root, 'lib'))
    const artifacts = await ensureArtifacts({
      libDir,
      logFile: join(logDir, 'maven.log'),
      tools,
      log,
      signal,
    })
    const start: Site['start'] = command => {
      signal.throwIfAborted()
      const child = startChild({ ...command, graceMs: ephemeral ? 0 : GRACE_MS })
      children.push(child)
      lock.addChild(child)
      return child
    }
    starts = startAll({ dataDir, logDir, artifacts, tools, signal, longRun, start }, deps)
    const parts = await Promise.all(starts)
    const [kafka, registry, redis] = parts
    let closing = false
    for (const { child } of parts) {
      void child.exited.then(code => {
        if (closing) return
        sound = false
        fail(crashError(child.name, code, child.logFile))
      })
    }
    log.info(
      {
        kafka: kafka.port,
        registry: registry.port,
        redis: redis.port,
        dataDir,
        ms: Math.round(performance.now() - begun),
      },
      'embedded services are up',
    )
    const addresses = {
      kafkaBrokers: [`127.0.0.1:${kafka.port}`],
      schemaRegistryUrl: registryUrl(registry.port),
      redisUrl: `redis://127.0.0.1:${redis.port}`,
    }
    lock.announce(addresses)
    return {
      name: 'embedded',
      ...addresses,
      check: () => Promise.all(parts.map(checkOf)),
      failed,
      close: () => {
        closing = true
        return closer.close()
      },
    }
  } catch (error) {
    sound = false
    abort.abort(error)
    // A start can be waiting for the end of a child: that comes first.
    await Promise.all(children.map(child => child.stop()))
    await Promise.allSettled(starts ?? [])
    await closer.close()
    throw error
  }
}
