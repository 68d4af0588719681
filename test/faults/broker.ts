import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ensureArtifacts } from '../../runtime/embedded/artifacts.ts'
import { type Child, startChild } from '../../runtime/embedded/child.ts'
import { startKafka } from '../../runtime/embedded/kafka.ts'
import { onPort } from '../../runtime/embedded/ports.ts'
import { registryUrl, startRegistry } from '../../runtime/embedded/registry.ts'
import type { Site } from '../../runtime/embedded/site.ts'
import { systemTools } from '../../runtime/embedded/tools.ts'
import { silentLog } from '../../runtime/log.ts'
import { type BrokerProxy, startProxy } from '../support/proxy.ts'

/** A Kafka of a test's own that can be killed and started again on its data, at the same addresses. */
export interface Broker {
  /** For the test: straight to the broker. */
  readonly direct: string
  /** For what is tested: the broker names the proxy as its address, so that whole processes go through it. */
  readonly proxied: string
  readonly proxy: BrokerProxy
  /** Kills it with SIGKILL, as a power cut would. */
  kill(): Promise<void>
  /** Starts it on the data that is there; resolves when it serves. */
  start(): Promise<void>
  close(): Promise<void>
}

const LIB = resolve(import.meta.dirname, '../../.netsentinel/lib')

/**
 * Settings over those of the embedded broker: a second listener that is advertised at the proxy, and timeouts so short
 * that a test need not wait for them.
 */
const overrides = (ports: { direct: number; behind: number; controller: number }, advertised: string) => ({
  listeners: `PLAINTEXT://127.0.0.1:${ports.direct},PROXIED://127.0.0.1:${ports.behind},CONTROLLER://127.0.0.1:${ports.controller}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.direct},PROXIED://${advertised}`,
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  // A controller takes a broker that was killed for alive until then, and its successor for a double.
  'broker.session.timeout.ms': '1500',
  'broker.heartbeat.interval.ms': '300',
  'group.min.session.timeout.ms': '1000',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
})

/** A port that is free at this moment. */
export const freePort = () => onPort(undefined, '', port => Promise.resolve(port))

const overriding = (settings: Readonly<Record<string, string>>) =>
  Object.entries(settings).flatMap(([key, value]) => ['--override', `${key}=${value}`])

/** A new directory that embedded services run in; `more` are arguments for those of that name. */
const createSite = async (more: Readonly<Record<string, readonly string[]>> = {}) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'netsentinel-faults-'))
  const logDir = join(dataDir, 'logs')
  mkdirSync(logDir)
  const tools = systemTools(undefined)
  const { signal } = new AbortController()
  const logFile = join(logDir, 'maven.log')
  const artifacts = await ensureArtifacts({ libDir: LIB, logFile, tools, log: silentLog(), signal })
  const site: Site = {
    dataDir,
    logDir,
    artifacts,
    tools,
    signal,
    longRun: false,
    start: command => {
      const args = [...command.args, ...(more[command.name] ?? [])]
      return startChild({ ...command, args, graceMs: 0 })
    },
  }
  return { site, remove: () => rmSync(dataDir, { recursive: true, force: true }) }
}

/** Starts a broker with a proxy before it, on a new directory. */
export const startBroker = async (): Promise<Broker> => {
  const ports = { direct: await freePort(), behind: await freePort(), controller: await freePort() }
  const proxy = await startProxy(`127.0.0.1:${ports.behind}`)
  const { site, remove } = await createSite({ Kafka: overriding(overrides(ports, proxy.address)) })
  let child: Child = await startKafka(site, ports.direct, ports.controller)
  return {
    direct: `127.0.0.1:${ports.direct}`,
    proxied: proxy.address,
    proxy,
    kill: async () => {
      process.kill(-child.pid, 'SIGKILL')
      await child.exited
    },
    start: async () => {
      child = await startKafka(site, ports.direct, ports.controller)
    },
    close: async () => {
      await child.stop()
      await proxy.close()
      remove()
    },
  }
}

/**
 * Starts a broker that takes TLS and SCRAM only, and nothing that no ACL allows: but for its administrator, who is whoever
 * comes to `direct`. `pem` is the file of its key and certificate.
 */
export const startGuardedBroker = async (pem: string, users: Readonly<Record<string, string>>) => {
  const [direct, guarded, controller] = [await freePort(), await freePort(), await freePort()]
  const { site, remove } = await createSite({
    Kafka: overriding({
      listeners: `PLAINTEXT://127.0.0.1:${direct},GUARDED://127.0.0.1:${guarded},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${direct},GUARDED://127.0.0.1:${guarded}`,
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GUARDED:SASL_SSL',
      'inter.broker.listener.name': 'PLAINTEXT',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.guarded.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': pem,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    }),
    'Kafka (format)': Object.entries(users).flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ]),
  })
  const child = await startKafka(site, direct, controller)
  return {
    direct: `127.0.0.1:${direct}`,
    guarded: `127.0.0.1:${guarded}`,
    close: async () => {
      await child.stop()
      remove()
    },
  }
}

/** Starts a schema registry on a new directory. */
export const startSchemaRegistry = async (): Promise<{ readonly url: string; close(): Promise<void> }> => {
  const { site, remove } = await createSite()
  const port = await freePort()
  const child = await startRegistry(site, port)
  return {
    url: registryUrl(port),
    close: async () => {
      await child.stop()
      remove()
    },
  }
}
