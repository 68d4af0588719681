import { parseArgs } from 'node:util'
import { groupLag, topicOffsets } from '../../connectors/kafka/admin.ts'
import { createKafka, kafkaConfig } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { connectClient } from '../../gateway/client/node.ts'
import { createRandom } from '../../models/trainers/random.ts'
import { bundledCapture } from '../../pipelines/ingest/capture.ts'
import { replayFiles } from '../../pipelines/ingest/replay.ts'
import { loadConfig } from '../../runtime/config.ts'
import { onPort } from '../../runtime/embedded/ports.ts'
import { silentLog } from '../../runtime/log.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { emptyPanels } from '../support/monitoring.ts'
import { seedOfRun } from '../support/seed.ts'
import { imageSizes, type Stack, startStack, whyNoContainers } from '../support/stack.ts'
import { until } from '../support/until.ts'

/**
 * `node test/faults/containers.ts [--minutes N] [--seed N]`: brings docker-compose.yml up, sends events in, follows threats
 * through the proxy, has three scorers and takes one away; with minutes, also kills any container again and again for so
 * long. Then all that there is to be must be there, once. Says NOT RUN where nothing can run in containers.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(seedOfRun()) },
  },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
const RATE = 500
const PATIENT = { timeoutMs: 600_000, intervalMs: 500 }

const began = performance.now()
const seconds = () => Math.round((performance.now() - began) / 1_000)
const tell = (line: string) => process.stderr.write(`${String(seconds()).padStart(5)} s  ${line}\n`)

const check = async (stack: Stack) => {
  const settings = loadConfig({ kafka: kafkaConfig, topics: topicsConfig }, {})
  const config = { ...settings, kafka: { ...settings.kafka, brokers: [...stack.kafkaBrokers] } }
  const kafka = createKafka({ config: config.kafka, log: silentLog() })
  const topics = topicCatalogue(config.topics)
  const random = createRandom(seed)
  const problems: string[] = []
  const delivered = new Set<string>()
  const client = await connectClient({
    url: stack.url,
    login: { username: 'admin', password: stack.password },
    channels: ['threats'],
    onDelivery: ({ position: { partition, offset } }) => {
      const place = `${partition}-${offset}`
      if (delivered.has(place)) problems.push(`the threat ${place} reached the client twice`)
      delivered.add(place)
    },
    onState: state => tell(`the client is ${state}`),
  })
  const stop = new AbortController()
  const replayed = () =>
    replayFiles({ config, log: silentLog(), files: bundledCapture(), rate: RATE, signal: stop.signal })
  /** Goes on whatever is killed: what was sent in part is sent once more, as other events. */
  const load = async () => {
    while (!stop.signal.aborted) {
      // Kafka is away for the moment: that is what this is about.
      await replayed().catch(() => 0)
    }
  }

  tell('three scorers under load, and one is taken away')
  const loading = load()
  await stack.scale('scoring', 3)
  await until(async () => (await stack.containers('scoring')).length === 3, PATIENT)
  await until(() => delivered.size > 500, { ...PATIENT, what: 'threats through the proxy' })
  const [one = ''] = await stack.containers('scoring')
  await stack.kill(one)
  const before = delivered.size
  await until(() => delivered.size > before + 300, { ...PATIENT, what: 'threats of the other scorers' })
  await stack.revive(one)

  tell('Prometheus watches it')
  for (const title of await emptyPanels(stack)) problems.push(`the panel '${title}' stays empty`)

  const kills: Record<string, number> = {}
  for (const end = performance.now() + minutes * 60_000; performance.now() < end; ) {
    const all = await stack.containers()
    const victim = all[random.below(all.length)] ?? ''
    const service = await stack.serviceOf(victim)
    tell(`docker kill: ${service}`)
    kills[service] = (kills[service] ?? 0) + 1
    await stack.kill(victim)
    await stack.revive(victim)
  }
  stop.abort()
  await loading

  tell('draining')
  const drained = async () => {
    for (const [group, topic] of [
      ['ingest', topics.rawEvents],
      ['scoring', topics.events],
      ['alerting', topics.threats],
    ] as const) {
      if ((await groupLag(kafka, group, topic.name)) > 0) return false
    }
    return true
  }
  await until(drained, { ...PATIENT, what: 'the end of the backlog' })

  tell('checking')
  const count = async (topic: string) => {
    const places: string[] = []
    await readTopic({
      kafka,
      topic,
      onRecords: records => {
        for (const { partition, offset } of records) places.push(`${partition}-${offset}`)
      },
    })
    return places
  }
  const raw = (await topicOffsets(kafka, topics.rawEvents.name)).reduce((sum, { high }) => sum + high, 0)
  const events = (await count(topics.events.name)).length
  const dead = (await count(topics.deadLetters.name)).length
  if (events + dead < raw) problems.push(`${raw} raw records, but ${events} events and ${dead} dead letters`)
  const threats = await count(topics.threats.name)
  await until(() => threats.every(place => delivered.has(place)), {
    timeoutMs: 60_000,
    what: 'every threat at the client',
  }).catch(() => {
    const missing = threats.filter(place => !delivered.has(place)).length
    problems.push(`${missing} of ${threats.length} threats did not reach the client`)
  })
  await client.close()
  tell('scoring all events once more')
  await stack.command('score', '--into', 'again')
  await stack
    .command('diff', 'threats', 'again')
    .catch((error: unknown) => problems.push(`threats are not what they should be: ${String(error)}`))
  return { raw, events, dead, threats: threats.length, delivered: delivered.size, kills, seed, problems }
}

/** Whoever ends this before its time leaves no container behind. */
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => reject(new Error(`ended by ${signal}`)))
  }
})
// It is waited for once everything is up.
interrupted.catch(() => undefined)

const missing = await whyNoContainers()
if (missing !== undefined) {
  tell(`NOT RUN: ${missing}`)
} else {
  tell('building and bringing up')
  const stack = await onPort(undefined, '', gateway =>
    onPort(undefined, '', kafka => startStack({ gateway, kafka })),
  )
  try {
    const [up, result] = [seconds(), await Promise.race([check(stack), interrupted])]
    const more = { imageMB: await imageSizes(), seconds: { up, all: seconds() } }
    process.stdout.write(`${JSON.stringify({ ...result, ...more })}\n`)
    process.exitCode = result.problems.length === 0 ? 0 : 1
  } catch (error) {
    tell(await stack.logs())
    throw error
  } finally {
    await stack.close()
  }
}
