import type { InputRecord } from '../connectors/kafka/stage.ts'
import { isPoison, SentinelError, toSentinelError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import { type Content, writeData, writeDelivery } from '../schemas/wire.ts'
import type { Broadcaster, Message } from './sockets/broadcaster.ts'
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
  /** What the content carries, as JSON: for the history, for the transport and for clients. */
  readonly text: string
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

  const decode = async (record: InputRecord, value: Buffer): Promise<Outgoing> => {
    const { topic, partition, offset } = record
    const content: Content =
      topic === topics.threats
        ? { type: 'threat', data: await deps.decodeThreat(value) }
        : { type: 'alert', data: await deps.decodeAlert(value) }
    const text = writeData(content)
    if (text !== undefined) return { record, content, text }
    throw new SentinelError('NS_MALFORMED', `${topic} ${partition} ${offset} does not fit the wire schema`)
  }

  const send = ({ delivery, ...message }: Message) =>
    delivery.type === 'threat'
      ? broadcaster.broadcastThreat({ ...message, delivery })
      : broadcaster.broadcastAlert({ ...message, delivery })

  const keep = ({ topic, partition }: InputRecord, window: readonly Outgoing[]) =>
    deps.history.addHistory({
      channel: topic === topics.threats ? 'threats' : 'alerts',
      partition,
      records: window.map(({ record, content, text }) => ({
        offset: record.offset,
        stamp: record.timestamp,
        content,
        text,
      })),
      now: deps.now(),
    })

  /** Sends records without waiting for each other: the transport keeps the order of the calls. */
  const relay = async (first: InputRecord, window: readonly Outgoing[]) => {
    let { epoch, previous } = await keep(first, window)
    const messages = window.map(({ record: { partition, offset }, content, text }): Message => {
      const position = { partition, offset, previous }
      previous = offset
      return { epoch, delivery: { ...content, position }, text: writeDelivery(content.type, position, text) }
    })
    const outcomes = await Promise.allSettled(messages.map(send))
    const failures: SentinelError[] = []
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      const error = toSentinelError(outcome.reason)
      if (error.outcome !== 'retriable') throw error
      failures.push(error)
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
          outgoing.push(await decode(record, record.value))
        } catch (error) {
          pass(record, error)
        }
      }
      while (outgoing.length > 0) await relay(first, outgoing.splice(0, WINDOW))
    },
  }
}
