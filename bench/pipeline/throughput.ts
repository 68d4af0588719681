import type { ClientMode } from '../kafkajs-client.ts'
import { type BacklogResult, ingestOf, scoringOf, wholePathOf, workThrough } from './backlog.ts'
import type { Bed, Pipeline } from './bed.ts'
import { publishedKafkajs } from './clients.ts'
import { feedRaw, fileLines, openCanaryLines } from './feed.ts'
import type { Peers } from './peers.ts'
import { note } from './processes.ts'

/** What one run says, whoever ran; NaN where it does not say. */
export interface Figures {
  readonly rate: number
  readonly warmRate: number
  readonly warmCpu: number
  readonly coldCpu: number
  readonly brokerCpu: number
  readonly peakMb: number
}

/** All runs of each thing, by its name, in the order in which they were first run. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>

/** Names of what is always run. */
export const NAMES = {
  copyRaw: 'bare kafkajs: transactional copy of `raw-events`',
  naive: 'bare kafkajs: `JSON.parse`, auto-commit, 1 % out',
  copyEvents: 'bare kafkajs: transactional copy of `events`',
  ingest: '**ingest**: `raw-events` → `events`',
  score: '**scoring**: `events` → `threats`',
  whole: '**whole path**: `raw-events` → `threats`, 2 processes',
} as const

const UNKNOWN = Number.NaN

const ours = (result: BacklogResult): Figures => result

interface ThroughputOptions {
  readonly bed: Bed
  readonly events: number
  readonly rounds: number
  /** Score from which an event is a threat. */
  readonly threshold: number
  readonly peers?: Peers | undefined
}

/**
 * Runs everything once a round, one after the other, each on the same events, after a copy for nothing that warms the
 * broker up. Each round has topics of its own.
 */
export const measureThroughput = async (options: ThroughputOptions): Promise<Rounds> => {
  const { bed, events, peers } = options
  const env = { SCORING_THRESHOLD: String(options.threshold) }
  const client = await publishedKafkajs()
  const found = new Map<string, Figures[]>()
  const add = (name: string, figures: Figures) => found.set(name, [...(found.get(name) ?? []), figures])
  const feed = (pipeline: Pipeline) =>
    feedRaw(pipeline, peers === undefined ? openCanaryLines({ events }) : fileLines(peers.file))
  let runs = 0
  const bare = async (mode: ClientMode, from: string, to: string): Promise<Figures> => {
    const group = `bare-${++runs}`
    const result = await client.run({
      mode,
      brokers: bed.brokers,
      group,
      from,
      to,
      records: events,
      partitions: 8,
    })
    return {
      rate: events / result.seconds,
      warmRate: result.warm.records / result.warm.seconds,
      warmCpu: (result.warm.cpuSeconds / result.warm.records) * 1e6,
      coldCpu: (result.cpuSeconds / events) * 1e6,
      brokerCpu: UNKNOWN,
      peakMb: UNKNOWN,
    }
  }

  const round = async (warmUp: boolean) => {
    const pipeline = await bed.pipeline({ env })
    const sink = await bed.pipeline()
    note('filling raw-events …')
    await feed(pipeline)
    const { topics } = pipeline
    const copied = await bare('copy', topics.rawEvents.name, sink.topics.events.name)
    if (!warmUp) {
      add(NAMES.copyRaw, copied)
      note('a JSON consumer, ingest, a copy of events, scoring …')
      add(NAMES.naive, await bare('naive', topics.rawEvents.name, sink.topics.threats.name))
      add(NAMES.ingest, ours(await workThrough(ingestOf(pipeline, events, bed.brokerPid))))
      add(NAMES.copyEvents, await bare('copy', topics.events.name, sink.topics.threatsOcsf.name))
      add(NAMES.score, ours(await workThrough(scoringOf(pipeline, events, bed.brokerPid))))
    }
    await bed.drop(pipeline)
    await bed.drop(sink)
  }

  const wholePath = async () => {
    note('the whole path …')
    const pipeline = await bed.pipeline({ env })
    await feed(pipeline)
    add(NAMES.whole, ours(await workThrough(wholePathOf(pipeline, events, bed.brokerPid))))
    await bed.drop(pipeline)
  }

  const others = async () => {
    for (const name of peers?.names ?? []) {
      note(`${name} …`)
      const result = await peers?.run(name, bed)
      if (result === undefined) continue
      add(name, {
        rate: result.events_per_s,
        warmRate: result.second_half_per_s ?? UNKNOWN,
        warmCpu: result.cpu_us_second_half ?? UNKNOWN,
        coldCpu: result.cpu_us_per_event,
        brokerCpu: result.broker_cpu_us_per_event,
        peakMb: result.peak_rss_mb,
      })
    }
  }

  try {
    await peers?.load(bed)
    await round(true)
    for (let i = 1; i <= options.rounds; i++) {
      note(`round ${i} of ${options.rounds}`)
      await round(false)
      await wholePath()
      await others()
    }
    return found
  } finally {
    client.close()
  }
}
