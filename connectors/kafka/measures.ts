import type { Metrics } from '../../runtime/metrics.ts'
import type { InputRecord, OutputRecord, Stage } from './stage.ts'

/** What is measured of the batches of a stage. */
export interface Measures {
  /** A batch and what was written for it, changes of state included, are committed. */
  committed(batch: CommittedBatch, outputs: readonly OutputRecord[], times: BatchTimes): void
}

interface CommittedBatch {
  readonly topic: string
  readonly records: readonly InputRecord[]
}

/** When a batch was fetched, begun, processed and committed, in ms of the monotonic clock. */
export interface BatchTimes {
  readonly fetched: number
  readonly begun: number
  readonly processed: number
  readonly committed: number
}

/** Of how many records of a transaction and topic the latency is observed; each costs 0.7 µs. */
const SAMPLES = 16

/** Counts what a stage has done, once it is a fact. */
export const createMeasures = (deps: { readonly stage: Stage; readonly metrics: Metrics }): Measures => {
  const { metrics } = deps
  const { name: stage, changelog } = deps.stage

  const observeLatency = (topic: string, outputs: readonly OutputRecord[]) => {
    const now = Date.now()
    const step = Math.max(1, outputs.length / SAMPLES)
    for (let at = 0; at < outputs.length; at += step) {
      const age = now - (outputs[Math.floor(at)]?.timestamp ?? now)
      metrics.endToEndSeconds.observe({ stage, topic }, Math.max(0, age) / 1000)
    }
  }
  const observePhase = (phase: 'wait' | 'process' | 'commit', ms: number) =>
    metrics.batchSeconds.observe({ stage, phase }, ms / 1000)

  return {
    committed: (batch, outputs, times) => {
      metrics.recordsIn.inc({ stage, topic: batch.topic }, batch.records.length)
      for (const [topic, some] of Map.groupBy(outputs, output => output.topic)) {
        metrics.recordsOut.inc({ stage, topic }, some.length)
        if (topic !== changelog) observeLatency(topic, some)
      }
      for (const { poison } of outputs) {
        if (poison !== undefined) metrics.deadLetters.inc({ stage, code: poison })
      }
      observePhase('wait', times.begun - times.fetched)
      observePhase('process', times.processed - times.begun)
      observePhase('commit', times.committed - times.processed)
    },
  }
}
