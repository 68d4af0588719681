import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRecords } from '../connectors/collect/files.ts'
import { groupLag, topicOffsets } from '../connectors/kafka/admin.ts'
import { createKafka, type Kafka, kafkaConfig } from '../connectors/kafka/client.ts'
import { createBatchProducer } from '../connectors/kafka/produce.ts'
import { prepareTopics } from '../connectors/kafka/topics-command.ts'
import { registryConfig } from '../connectors/registry.ts'
import { bundledCapture } from '../pipelines/ingest/capture.ts'
import { loadConfig } from '../runtime/config.ts'
import { embeddedConfig } from '../runtime/embedded/config.ts'
import { startEmbedded } from '../runtime/embedded/embedded.ts'
import { silentLog } from '../runtime/log.ts'
import { topicCatalogue, topicsConfig } from '../schemas/topics.ts'
import { publishedKafkajs } from './pipeline/clients.ts'

const ROOT = resolve(import.meta.dirname, '..')
const COPIES = 40
const PREFIX = 'bench.'

const note = (line: string) => process.stderr.write(`${line}\n`)

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** Seconds from `netsentinel up` to the first threat in its live table, with the services' programs already fetched. */
const startToFirstThreat = async (): Promise<number> => {
  const started = performance.now()
  const dir = mkdtempSync(join(tmpdir(), 'netsentinel-bench-'))
  const child = spawn(process.execPath, ['main.ts', 'up', '--ephemeral', '--rate', '1000'], {
    cwd: ROOT,
    env: {
      ...process.env,
      DATA_DIR: dir,
      EMBEDDED_LIB_DIR: join(ROOT, '.netsentinel/lib'),
      GATEWAY_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = new Promise(done => child.once('close', done))
  let lines = 0
  const seconds = await new Promise<number>((done, fail) => {
    child.stdout.on('data', (chunk: Buffer) => {
      lines += chunk.toString('utf8').split('\n').length - 1
      // The first line is the table's header.
      if (lines > 1) done((performance.now() - started) / 1000)
    })
    child.once('close', () => fail(new Error('up ended before its first threat')))
  })
  child.kill('SIGTERM')
  await exited
  rmSync(dir, { recursive: true, force: true })
  return seconds
}

/** Fills raw-events with the bundled capture, many times over. */
const fill = async (kafka: Kafka, topic: string): Promise<number> => {
  const records: { key: null; value: Buffer }[] = []
  for (const file of bundledCapture())
    for await (const value of readRecords(file)) records.push({ key: null, value })
  const producer = await createBatchProducer({ kafka })
  for (let i = 0; i < COPIES; i++) await producer.send(topic, records)
  await producer.close()
  return records.length * COPIES
}

/** Seconds from the first record committed to the last, of ingest and scoring side by side, as two processes. */
const runPipeline = async (kafka: Kafka, env: Readonly<Record<string, string>>): Promise<number> => {
  const topics = topicCatalogue(loadConfig({ topics: topicsConfig }, { TOPIC_PREFIX: PREFIX }).topics)
  const children = ['ingest', 'score'].map(command =>
    spawn(process.execPath, ['main.ts', command], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: 'ignore',
    }),
  )
  let ended = 0
  for (const child of children) child.once('close', () => (ended += 1))
  const raw = await topicOffsets(kafka, topics.rawEvents.name)
  const total = raw.reduce((sum, { low, high }) => sum + high - low, 0)
  let began: number | undefined
  for (;;) {
    if (ended > 0) throw new Error('ingest or score ended before the work was done')
    const behind = await groupLag(kafka, `${PREFIX}ingest`, topics.rawEvents.name)
    if (behind < total) began ??= performance.now()
    if (behind === 0 && (await groupLag(kafka, `${PREFIX}scoring`, topics.events.name)) === 0) break
    await sleep(20)
  }
  const seconds = (performance.now() - (began ?? 0)) / 1000
  await Promise.all(
    children.map(child => {
      const exited = new Promise(done => child.once('close', done))
      child.kill('SIGTERM')
      return exited
    }),
  )
  return seconds
}

const throughput = async () => {
  const services = await startEmbedded({
    config: loadConfig({ embedded: embeddedConfig }).embedded,
    dataDir: join(ROOT, '.netsentinel'),
    log: silentLog(),
    ephemeral: true,
  })
  try {
    const env = {
      KAFKA_BROKERS: services.kafkaBrokers.join(','),
      SCHEMA_REGISTRY_URL: services.schemaRegistryUrl,
      REDIS_URL: services.redisUrl,
      TOPIC_PREFIX: PREFIX,
      LOG_LEVEL: 'error',
    }
    const config = loadConfig({ kafka: kafkaConfig, topics: topicsConfig, registry: registryConfig }, env)
    const kafka = createKafka({ config: config.kafka, log: silentLog() })
    await prepareTopics({ config, log: silentLog(), apply: false })
    const topics = topicCatalogue(config.topics)
    note('filling raw-events …')
    const records = await fill(kafka, topics.rawEvents.name)
    const client = await publishedKafkajs()
    const copy = (round: string, to: string) =>
      client.run({
        mode: 'copy',
        brokers: services.kafkaBrokers,
        group: `copy-${round}`,
        from: topics.rawEvents.name,
        to,
        records,
        partitions: config.topics.partitions,
      })
    note('one copy for nothing, so that the broker is warm …')
    await copy('warm', topics.threatsOcsf.name)
    note('bare kafkajs copies raw-events …')
    const peer = await copy('measured', topics.threatsOcsf.name)
    client.close()
    note('ingest and scoring …')
    const ours = await runPipeline(kafka, env)
    return { records, peer: records / peer.seconds, ours: records / ours }
  } finally {
    await services.close()
  }
}

const row = (what: string, value: string) => process.stdout.write(`| ${what} | ${value} |\n`)

note('three starts …')
const starts = [await startToFirstThreat(), await startToFirstThreat(), await startToFirstThreat()]
const { records, peer, ours } = await throughput()
const perSecond = (value: number) => `${Math.round(value).toLocaleString('en')} records/s`
row(
  'machine',
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'cpu'}, ${Math.round(totalmem() / 2 ** 30)} GiB, broker on the same cores`,
)
row('start to first threat delivered', `${median(starts).toFixed(1)} s (median of ${starts.length})`)
row(`raw-events → events → threats, exactly once (${records.toLocaleString('en')} records)`, perSecond(ours))
row('peer: bare kafkajs copies raw-events once, transactional, computing nothing', perSecond(peer))
row('ratio to the peer', (ours / peer).toFixed(2))
