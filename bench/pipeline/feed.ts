import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { createRegistry } from '../../connectors/registry.ts'
import { sourcesConfig } from '../../connectors/sources/config.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { observe } from '../../models/features/observe.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { createRandom } from '../../models/trainers/random.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Event } from '../../schemas/generated.ts'
import type { Pipeline } from './bed.ts'

/** What the made-up events are like. */
export interface FeedOptions {
  readonly events: number
  /** Sources that they come from; a few of them send most. */
  readonly entities?: number
  /** Bytes that a text in each event is made longer by. */
  readonly padding?: number
}

/** A kind of event, and the share of the events that are of it or of one before it. */
type Kind = readonly [logtype: number, port: number, upTo: number]

const KINDS: readonly Kind[] = [
  [4002, 22, 0.42],
  [3000, 80, 0.54],
  [3001, 80, 0.69],
  [2000, 21, 0.79],
  [6001, 23, 0.91],
  [8001, 3306, 0.95],
  [9001, 1433, 0.98],
  [5001, 0, 1],
]
const USERS = [
  'root',
  'admin',
  'test',
  'oracle',
  'postgres',
  'ubuntu',
  'pi',
  'support',
  'user',
  'ftpuser',
  'git',
  'mysql',
]
const WORDS = [
  '123456',
  'toor',
  'password',
  'admin',
  'raspberry',
  'qwerty',
  '1q2w3e4r',
  'P@ssw0rd',
  'changeme',
  'letmein',
]
const CLIENTS = ['SSH-2.0-Go', 'SSH-2.0-libssh2_1.4.3', 'SSH-2.0-PUTTY', 'SSH-2.0-paramiko_2.7.2']
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101',
  'python-requests/2.31.0',
  'curl/8.5.0',
]
const START_MS = Date.UTC(2026, 10, 23)
const SEED = 42

/** Lines of an OpenCanary log over one day, of eight kinds, about 314 bytes each; the same ones each time. */
export const openCanaryLines = function* (options: FeedOptions): Generator<string> {
  const { events, entities = 2000, padding = 0 } = options
  const { next: uniform } = createRandom(SEED)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(uniform() * list.length)] as T
  const kind = (): Kind => {
    const drawn = uniform()
    return KINDS.find(([, , upTo]) => drawn < upTo) ?? (KINDS[0] as Kind)
  }
  const odd = () => Math.floor(uniform() * 36 ** 8).toString(36)
  const more = padding === 0 ? {} : { NOTE: 'x'.repeat(padding) }
  for (let i = 0; i < events; i++) {
    const [logtype, usual] = kind()
    const [user, word] = uniform() < 0.05 ? [odd() + odd(), odd()] : [pick(USERS), pick(WORDS)]
    const login = { USERNAME: user, PASSWORD: word }
    const page = { HOSTNAME: '10.0.0.1', PATH: '/index.html', SKIN: 'nasLogin', USERAGENT: pick(AGENTS) }
    const scan = {
      DF: '',
      ID: String(i % 65_536),
      IN: 'eth0',
      LEN: '44',
      PROTO: 'TCP',
      RES: '0x00',
      SYN: '',
      TTL: '48',
    }
    const ssh = { ...login, LOCALVERSION: 'SSH-2.0-OpenSSH_5.1p1', REMOTEVERSION: pick(CLIENTS) }
    const data = { 4002: ssh, 3000: page, 3001: { ...page, ...login }, 5001: scan }[logtype] ?? login
    // Each source at least once, then the first ones far more often than the last.
    const source = i < entities ? i : Math.floor(entities * uniform() ** 3.3)
    const stamp = new Date(START_MS + (i / events) * 86_400_000)
      .toISOString()
      .replace('T', ' ')
      .replace('Z', '000')
    yield JSON.stringify({
      dst_host: '10.0.0.1',
      dst_port: logtype === 5001 ? Math.ceil(uniform() * 65_535) : usual,
      local_time: stamp,
      logdata: { ...data, ...more },
      logtype,
      node_id: 'opencanary-1',
      src_host: `203.${(source >> 16) & 255}.${(source >> 8) & 255}.${source & 255}`,
      src_port: 32_768 + Math.floor(uniform() * 28_232),
      utc_time: stamp,
    })
  }
}

/** Lines of a file. */
export async function* fileLines(path: string): AsyncGenerator<string> {
  // Made when the first line is asked for: lines that come before somebody asks are lost.
  yield* createInterface({ input: createReadStream(path) })
}

const BATCH = 8_000

const inBatches = async function* <T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Fills `raw-events`, without keys, as sensors do. Gives the number of records. */
export const feedRaw = async (
  { kafka, topics }: Pipeline,
  lines: Iterable<string> | AsyncIterable<string>,
): Promise<number> => {
  const producer = await createBatchProducer({ kafka })
  let sent = 0
  for await (const batch of inBatches(lines)) {
    await producer.send(
      topics.rawEvents.name,
      batch.map(line => ({ key: null, value: Buffer.from(line) })),
    )
    sent += batch.length
  }
  await producer.close()
  return sent
}

const normaliser = (env: Readonly<Record<string, string>>) =>
  createNormalise(loadConfig({ sources: sourcesConfig }, env).sources)

const eventsOf = (lines: readonly string[], { env, topics }: Pipeline, first: number): Event[] => {
  const normalise = normaliser(env)
  const origin = { topic: topics.rawEvents.name, partition: 0, timestamp: Date.now() }
  return lines.flatMap((line, i) => normalise(line, { ...origin, offset: first + i }))
}

/** Fills `events` as ingest would, without running it. Gives the number of events. */
export const feedEvents = async (
  pipeline: Pipeline,
  lines: Iterable<string> | AsyncIterable<string>,
): Promise<number> => {
  const topic = pipeline.topics.events.name
  const codec = await createRegistry(pipeline.registry).codec('Event', topic)
  const producer = await createBatchProducer({ kafka: pipeline.kafka })
  let sent = 0
  for await (const batch of inBatches(lines)) {
    const events = eventsOf(batch, pipeline, sent)
    const records = events.map(event => ({
      key: event.entity,
      value: codec.encode(event),
      timestamp: event.origin.timestamp,
    }))
    await producer.send(topic, records)
    sent += events.length
  }
  await producer.close()
  return sent
}

/** The score that one in `1 / share` of these events reaches under the model that ships. */
export const thresholdFor = async (
  pipeline: Pipeline,
  lines: readonly string[],
  share: number,
): Promise<number> => {
  const detector = await createOnnxDetector(loadBaseline())
  const analyses = await detector.analyze(observe(eventsOf(lines, pipeline, 0)))
  await detector.close()
  const scores = analyses.map(({ score }) => score).toSorted((a, b) => b - a)
  return scores[Math.floor(scores.length * share)] ?? 1
}
