import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from './child.ts'
import { crashError } from './failures.ts'
import { ask, type Probe, untilReady } from './ready.ts'
import type { Site } from './site.ts'

const CLUSTER_ID = 'NetSentinel-Embedded-0'
const HOST = '127.0.0.1'
/** Metadata request, version 1, for no topic: the answer lists the brokers that take requests. */
const METADATA_REQUEST = Buffer.from([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
const ANSWER_HEADER_BYTES = 8

/** JVM flags for a start within two seconds on two cores; the optimising compiler alone would double that. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xms128m', '-Xmx512m']

/** JVM flags as Kafka's own scripts set them, for a broker that is measured. */
const LONG_RUN = ['-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-Xms1g', '-Xmx1g']

/** One node that is broker and controller (KRaft), on loopback. Topics are made by `netsentinel topics`, never on use. */
const properties = (port: number, controllerPort: number) =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${HOST}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': 'data',
    'auto.create.topics.enable': 'false',
    'default.replication.factor': '1',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '10',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '10',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '6000',
    // The default, 128 MiB, is a quarter of the heap; compacted topics here are small.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
    'num.network.threads': '2',
    'num.io.threads': '4',
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

/** Whether the broker on `port` takes requests. */
export const brokerServes =
  (port: number): Probe =>
  async () => {
    const complete = (answer: Buffer) => answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)
    const answer = await ask(port, METADATA_REQUEST, complete)
    if (answer.readInt32BE(ANSWER_HEADER_BYTES) < 1) throw new Error('no broker takes requests yet')
  }

const java = (site: Site, name: string, logFile: string, args: readonly string[]): Child =>
  site.start({
    name,
    command: site.tools.java,
    args: [
      ...(site.longRun ? LONG_RUN : QUICK_START),
      '-Xshare:auto',
      '-XX:-UsePerfData',
      `-Djava.io.tmpdir=${join(site.dataDir, 'kafka', 'tmp')}`,
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
      '-cp',
      site.artifacts.kafkaClasspath,
      ...args,
    ],
    cwd: join(site.dataDir, 'kafka'),
    logFile: join(site.logDir, logFile),
  })

/**
 * Starts Apache Kafka on `port`, on the data that is there or on a newly formatted directory. The data does not know
 * the port: each start advertises its own.
 */
export const startKafka = async (site: Site, port: number, controllerPort: number): Promise<Child> => {
  const directory = join(site.dataDir, 'kafka')
  rmSync(join(directory, 'tmp'), { recursive: true, force: true })
  mkdirSync(join(directory, 'tmp'), { recursive: true })
  writeFileSync(join(directory, 'server.properties'), properties(port, controllerPort))
  if (!existsSync(join(directory, 'data', 'meta.properties'))) {
    const format = java(site, 'Kafka (format)', 'kafka-format.log', [
      'kafka.tools.StorageTool',
      'format',
      '--cluster-id',
      CLUSTER_ID,
      '--config',
      'server.properties',
    ])
    const code = await format.exited
    site.signal.throwIfAborted()
    if (code !== 0) throw crashError(format.name, code, format.logFile)
  }
  const child = java(site, 'Kafka', 'kafka.log', ['kafka.Kafka', 'server.properties'])
  await untilReady(child, brokerServes(port), site.signal)
  return child
}
