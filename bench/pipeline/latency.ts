import { setTimeout as sleep } from 'node:timers/promises'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import type { Pipeline } from './bed.ts'
import { followGroup } from './bed.ts'
import { openCanaryLines } from './feed.ts'
import { cpuSecondsOf, peakMbOf, startStage } from './processes.ts'

/** Latency at a fixed rate, from the broker's stamp of the raw record to the threat in a consumer's hands, in ms. */
export interface LatencyResult {
  readonly rate: number
  readonly threats: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** CPU of ingest, of scoring and of the broker, µs an event. */
  readonly cpu: readonly number[]
  readonly peakMb: number
}

const TICK_MS = 10
/** A broker's JVM compiles for about so long after it has started. */
const WARM_UP_S = 30

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** Sends lines at a fixed rate for so many seconds; a tick that is late sends what it owes. */
const sendAt = async (pipeline: Pipeline, rate: number, seconds: number, lines: Iterator<string>) => {
  const producer = await createBatchProducer({ kafka: pipeline.kafka })
  const began = performance.now()
  let sent = 0
  while (sent < rate * seconds) {
    const owed = Math.min(rate * seconds, Math.floor(((performance.now() - began) / 1000) * rate)) - sent
    const batch = Array.from({ length: Math.max(0, owed) }, () => ({
      key: null,
      value: Buffer.from(String(lines.next().value)),
    }))
    if (batch.length > 0) await producer.send(pipeline.topics.rawEvents.name, batch)
    sent += batch.length
    await sleep(TICK_MS)
  }
  await producer.close()
}

/** What is measured. */
interface LatencyRun {
  readonly pipeline: Pipeline
  readonly brokerPid: number
  /** Events a second, and for how many seconds. */
  readonly rate: number
  readonly seconds: number
  readonly threshold: number
  readonly env?: Readonly<Record<string, string>>
}

/** Measures ingest and scoring, each a process, at a fixed rate. One in ten events is a threat, so that there are many. */
export const latencyAt = async (run: LatencyRun): Promise<LatencyResult> => {
  const { pipeline, brokerPid, rate, seconds, threshold } = run
  const env = { ...pipeline.env, SCORING_THRESHOLD: String(threshold), ...run.env }
  const stages = ['ingest', 'score'].map(command => startStage(command, env))
  const consumer = pipeline.kafka.consumer({ groupId: `${pipeline.prefix}latency`, maxWaitTimeInMs: 50 })
  const latencies: number[] = []
  let counting = false
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [pipeline.topics.threats.name], fromBeginning: true })
    await consumer.run({
      partitionsConsumedConcurrently: 8,
      eachBatch: async ({ batch }) => {
        const now = Date.now()
        if (counting) for (const { timestamp } of batch.messages) latencies.push(now - Number(timestamp))
      },
    })
    const lines = openCanaryLines({ events: rate * (seconds + WARM_UP_S) + 1 })
    await sendAt(pipeline, rate, WARM_UP_S, lines)
    // The processes were still starting when the first of these came.
    await settle(pipeline)
    const processes = [...stages.map(({ pid }) => pid), brokerPid]
    const before = processes.map(cpuSecondsOf)
    counting = true
    await sendAt(pipeline, rate, seconds, lines)
    const used = processes.map((pid, i) => cpuSecondsOf(pid) - (before[i] ?? 0))
    await settle(pipeline)
    const sorted = latencies.toSorted((a, b) => a - b)
    return {
      rate,
      threats: sorted.length,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      cpu: used.map(cpu => (cpu / (rate * seconds)) * 1e6),
      peakMb: Math.max(...stages.map(({ pid }) => peakMbOf(pid))),
    }
  } finally {
    await consumer.disconnect()
    await Promise.all(stages.map(stage => stage.stop()))
  }
}

/** Waits until everything is through: an event that is still on its way is one of the slow ones. */
const settle = async ({ kafka, prefix, topics }: Pipeline) => {
  for (const [group, topic] of [
    [`${prefix}ingest`, topics.rawEvents.name],
    [`${prefix}scoring`, topics.events.name],
    [`${prefix}latency`, topics.threats.name],
  ] as const) {
    const progress = await followGroup(kafka, group, topic)
    for (let tries = 0; (await progress.read()) < 1 && tries < 500; tries++) await sleep(20)
    await progress.close()
  }
}
