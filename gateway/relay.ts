import type { InputRecord } from '../connectors/kafka/stage.ts'
import { isPoison, SentinelError, toSentinelError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import { type Content, type Delivery, parseDelivery } from '../schemas/wire.ts'
import type { Broadcaster } from './sockets/broadcaster.ts'
import type { HistoryStore } from './store/history.ts'

interface RelayDeps {
  /** Full names of the topics. */
  readonly topics: { readonly threats: string; readonly alerts: string }
  readonly decodeThreat: (value: Buffer) => Promise<Threat>
  readonly decodeAlert: (value: Buffer) => Promise<Alert>
  readonly history: Pick<HistoryStore, 'addHistory'>
  readonly broadcaster: Broadcaster
  readonly log: Log
  readonly metrics: Metrics
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/**
 * Takes records of `threats` and `alerts` from a consumer, writes them to the history, and then broadcasts them, each with
 * its place in the topic.
 */
export interface Relay {
  /**
   * Relays records of one partition in order. Throws a retriable error when the store is away: the same records are given
   * again then. What the transport does not take, gateways find in the history.
   */
  onBatch(records: readonly InputRecord[]): Promise<void>
}

/** Records of a partition that are on their way at a time: a backlog must not come upon clients all at once. */
const WINDOW = 64

interface Outgoing {
  readonly record: InputRecord
  readonly content: Content
}

/** Makes a relay. */
export const createRelay = (deps: RelayDeps): Relay => {
  const { topics, broadcaster, log, metrics } = deps
  let isBroadcasting = true

  /** Passes over a record that is at fault itself; any other error is thrown. */
  const pass = ({ topic, partition, offset }: InputRecord, error: unknown) => {
    if (!isPoison(error)) throw error
    metrics.undeliverable.inc({ code: error.code })
    log.error({ topic, partition, offset, code: error.code, problem: error.message }, 'record is not shown')
  }

  const decode = async ({ topic, partition, offset }: InputRecord, value: Buffer): Promise<Content> => {
    const content: Content =
      topic === topics.threats
        ? { type: 'threat', data: await deps.decodeThreat(value) }
        : { type: 'alert', data: await deps.decodeAlert(value) }
    // The history is read by clients too. (JSON has no NaN, say.)
    if (parseDelivery(JSON.stringify({ ...content, position: { partition, offset, previous: null } }))) {
      return content
    }
    throw new SentinelError('NS_MALFORMED', `${topic} ${partition} ${offset} does not fit the wire schema`)
  }

  const send = (delivery: Delivery) =>
    delivery.type === 'threat' ? broadcaster.broadcastThreat(delivery) : broadcaster.broadcastAlert(delivery)

  const keep = ({ topic, partition }: InputRecord, window: readonly Outgoing[]) =>
    deps.history.addHistory({
      channel: topic === topics.threats ? 'threats' : 'alerts',
      partition,
      records: window.map(({ record, content }) => ({
        offset: record.offset,
        stamp: record.timestamp,
        content,
      })),
      now: deps.now(),
    })

  /** Sends records without waiting for each other: the transport keeps the order of the calls. */
  const relay = async (first: InputRecord, window: readonly Outgoing[]) => {
    let { previous } = await keep(first, window)
    const deliveries = window.map(({ record: { partition, offset }, content }): Delivery => {
      const position = { partition, offset, previous }
      previous = offset
      return { ...content, position }
    })
    const outcomes = await Promise.allSettled(deliveries.map(send))
    const failures: SentinelError[] = []
    for (const [index, { record }] of window.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status !== 'rejected') continue
      const error = toSentinelError(outcome.reason)
      if (error.outcome === 'retriable') failures.push(error)
      else pass(record, error)
    }
    const [failure] = failures
    if (failure !== undefined && isBroadcasting) {
      log.warn({ problem: failure.message }, 'gateways get what is new from the history, which takes longer')
    }
    if (failure === undefined && !isBroadcasting) log.info('what is new is broadcast again')
    isBroadcasting = failure === undefined
    metrics.broadcastFailures.inc(failures.length)
  }

  return {
    onBatch: async records => {
      const [first] = records
      if (first === undefined) return
      const outgoing: Outgoing[] = []
      for (const record of records) {
        if (record.value === null) continue
        try {
          outgoing.push({ record, content: await decode(record, record.value) })
        } catch (error) {
          pass(record, error)
        }
      }
      while (outgoing.length > 0) await relay(first, outgoing.splice(0, WINDOW))
    },
  }
}
