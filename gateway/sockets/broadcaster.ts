import type { Delivery } from '../../schemas/wire.ts'

/** A threat on its way to dashboards, with its place in `threats`. */
export type ThreatDelivery = Extract<Delivery, { type: 'threat' }>
/** An alert on its way to dashboards, with its place in `alerts`. */
export type AlertDelivery = Extract<Delivery, { type: 'alert' }>

/**
 * Carries threats and alerts to every gateway replica, in the order given per partition, at least once while the
 * transport is up. Implementations: Redis pub/sub, and one in memory for tests and a single process.
 */
export interface Broadcaster {
  /**
   * Resolves when the transport has taken the message, and this replica's own subscribers have it. Throws
   * NS_SERVICE_UNREACHABLE (retriable) when that fails, NS_MALFORMED (poison) when it does not fit the wire schema.
   */
  broadcastThreat(threat: ThreatDelivery): Promise<void>
  broadcastAlert(alert: AlertDelivery): Promise<void>
  /**
   * Calls `receive` for each message that any replica broadcasts from now on, this one included. What does not fit the
   * wire schema is not passed on. Returns a function that ends the subscription.
   */
  subscribe(receive: (delivery: Delivery) => void): Promise<() => Promise<void>>
  /** What is wrong with the transport, if anything. */
  problem(): Promise<string | undefined>
  close(): Promise<void>
}
