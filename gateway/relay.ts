import type { InputRecord } from '../connectors/kafka/stage.ts'
import { isPoison } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import type { Delivery } from '../schemas/wire.ts'
import type { Broadcaster } from './sockets/broadcaster.ts'

interface RelayDeps {
  /** Full names of the topics. */
  readonly topics: { readonly threats: string; readonly alerts: string }
  readonly decodeThreat: (value: Buffer) => Promise<Threat>
  readonly decodeAlert: (value: Buffer) => Promise<Alert>
  readonly broadcaster: Broadcaster
  readonly log: Log
  readonly metrics: Metrics
}

/** Takes records of `threats` and `alerts` from a consumer and broadcasts them, each with its place in the topic. */
export interface Relay {
  /**
   * Broadcasts records of one partition in order. Throws a retriable error when the transport is away: the same records
   * are given again then. What was taken before the first failure is not broadcast twice; what was taken behind it is, so
   * that a receiver may see an offset after a higher one, and drops those that it has.
   */
  onBatch(records: readonly InputRecord[]): Promise<void>
  /** Forgets what it knew of the partitions: another gateway may have relayed them in between. */
  onAssigned(assignment: Readonly<Record<string, readonly number[]>>): void
}

/** Records of a partition that are on their way at a time: a backlog must not come upon clients all at once. */
const WINDOW = 64

interface Outgoing {
  readonly record: InputRecord
  readonly delivery: Delivery
}

/** Makes a relay that has seen nothing yet. */
export const createRelay = (deps: RelayDeps): Relay => {
  const { topics, broadcaster, log, metrics } = deps
  /** Offset of the last record that was broadcast, by topic and partition. */
  const relayed = new Map<string, number>()
  const keyOf = (topic: string, partition: number) => `${topic} ${partition}`

  /** Passes over a record that is at fault itself; any other error is thrown. */
  const pass = ({ topic, partition, offset }: InputRecord, error: unknown) => {
    if (!isPoison(error)) throw error
    metrics.undeliverable.inc({ code: error.code })
    log.error({ topic, partition, offset, code: error.code, problem: error.message }, 'record is not shown')
  }

  const decode = async (record: InputRecord, value: Buffer) =>
    record.topic === topics.threats
      ? ({ type: 'threat', data: await deps.decodeThreat(value) } as const)
      : ({ type: 'alert', data: await deps.decodeAlert(value) } as const)

  const send = (delivery: Delivery) =>
    delivery.type === 'threat' ? broadcaster.broadcastThreat(delivery) : broadcaster.broadcastAlert(delivery)

  /** Sends records without waiting for each other: the transport keeps the order of the calls. */
  const sendWindow = async (key: string, window: readonly Outgoing[]) => {
    const outcomes = await Promise.allSettled(window.map(({ delivery }) => send(delivery)))
    for (const [index, { record }] of window.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status === 'rejected') pass(record, outcome.reason)
      relayed.set(key, record.offset)
    }
  }

  return {
    onBatch: async records => {
      const [first] = records
      if (first === undefined) return
      const key = keyOf(first.topic, first.partition)
      let previous = relayed.get(key) ?? null
      const deliveries: Outgoing[] = []
      for (const record of records) {
        if (record.value === null || (previous !== null && record.offset <= previous)) continue
        try {
          const content = await decode(record, record.value)
          const position = { partition: record.partition, offset: record.offset, previous }
          deliveries.push({ record, delivery: { ...content, position } })
          previous = record.offset
        } catch (error) {
          pass(record, error)
        }
      }
      while (deliveries.length > 0) await sendWindow(key, deliveries.splice(0, WINDOW))
    },
    onAssigned: assignment => {
      for (const [topic, partitions] of Object.entries(assignment)) {
        for (const partition of partitions) relayed.delete(keyOf(topic, partition))
      }
    },
  }
}
