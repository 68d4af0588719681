import type { Delivery } from '../../schemas/wire.ts'

/** A delivery on its way to dashboards. */
export interface Message<D extends Delivery = Delivery> {
  /** Names the topic that its offset belongs to: it is another one when the topic was made anew. */
  readonly epoch: string
  readonly delivery: D
  /** The delivery as JSON, which fits the wire schema: written once, and sent as it is. */
  readonly text: string
}

/** A threat with its place in `threats`. */
export type ThreatMessage = Message<Extract<Delivery, { type: 'threat' }>>
/** An alert with its place in `alerts`. */
export type AlertMessage = Message<Extract<Delivery, { type: 'alert' }>>

/**
 * Carries threats and alerts to every gateway replica, in the order given per partition, at least once while the
 * transport is up. Implementations: Redis pub/sub, and one in memory for tests and a single process.
 */
export interface Broadcaster {
  /**
   * Resolves when the transport has taken the message, and this replica's own subscribers have it. Throws
   * NS_SERVICE_UNREACHABLE (retriable) when that fails.
   */
  broadcastThreat(threat: ThreatMessage): Promise<void>
  broadcastAlert(alert: AlertMessage): Promise<void>
  /**
   * Calls `receive` for each message that any replica broadcasts from now on, this one included. What does not fit the
   * wire schema is not passed on. Returns a function that ends the subscription.
   */
  subscribe(receive: (message: Message) => void): Promise<() => Promise<void>>
  /** What is wrong with the transport, if anything. */
  problem(): Promise<string | undefined>
  close(): Promise<void>
}
