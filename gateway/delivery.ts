import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { ServerMessage } from '../schemas/wire.ts'
import { type Feed, startFeed } from './sockets/feed.ts'
import { textFrame } from './sockets/frame.ts'
import type { Hub } from './sockets/hub.ts'
import type { Store } from './store/store.ts'

/** How often the history is asked for what did not arrive by Redis, in ms. */
const HISTORY_INTERVAL_MS = 500

interface DeliveryDeps {
  readonly store: Store
  readonly hub: Pick<Hub, 'deliver'>
  readonly log: Log
  readonly metrics: Metrics
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Starts the feed that hands each threat and alert to the sockets of this gateway. Throws NS_SERVICE_UNREACHABLE. */
export const startDelivery = ({ store, hub, log, metrics, now }: DeliveryDeps): Promise<Feed> =>
  startFeed({
    history: store,
    intervalMs: HISTORY_INTERVAL_MS,
    deliver: (channel, { delivery, frame }) => {
      const { data, position } = delivery
      const origin = { channel, severity: data.severity, ...position }
      const count = hub.deliver(channel, { frame, data, origin })
      if (count === 0) return
      metrics.delivered.inc({ channel }, count)
      if (delivery.type === 'threat') {
        const seconds = (now() - delivery.data.event.origin.timestamp) / 1000
        metrics.endToEndSeconds.observe({ stage: 'gateway', topic: channel }, Math.max(0, seconds))
      }
    },
    onLost: (channel, place, reason) => {
      const notice: ServerMessage = { type: 'subscribed', channel, ...place, recovered: false, reason }
      hub.deliver(channel, { frame: () => textFrame(JSON.stringify(notice)) })
    },
    log,
    metrics,
  })
