import type { Message } from '../../gateway/sockets/broadcaster.ts'
import type { Alert, Threat } from '../../schemas/generated.ts'
import type { Delivery } from '../../schemas/wire.ts'
import { makeEvent } from './events.ts'

/** A valid threat, with the given fields replaced. */
export const makeThreat = (fields: Partial<Threat> = {}): Threat => {
  const event = fields.event ?? makeEvent()
  return {
    id: event.id,
    time: event.time,
    entity: event.entity,
    score: 0.91,
    severity: 'high',
    modelVersion: 'baseline-1',
    modelScores: { forest: 0.91 },
    contributions: [
      { feature: 'failures', value: 12, share: 1, expectedLow: 0, expectedHigh: 3, eventsAgo: 0 },
    ],
    techniques: event.techniques,
    eventOffset: 0,
    event,
    ...fields,
  }
}

/** A valid alert, with the given fields replaced. */
export const makeAlert = (fields: Partial<Alert> = {}): Alert => ({
  id: 'alert-1',
  revision: 1,
  status: 'open',
  severity: 'high',
  rule: 'brute-force',
  title: 'Brute force',
  entity: 'ip:203.0.113.9',
  score: 0.91,
  techniques: ['T1110'],
  firstSeen: 1_700_000_000_000,
  lastSeen: 1_700_000_060_000,
  count: 3,
  threatIds: ['raw-events-0-0'],
  sensors: ['sensor-1'],
  change: 'opened',
  reason: '10 or more failed logins within 5 min',
  group: { entity: 'ip:203.0.113.9' },
  field: null,
  values: [],
  distinct: 0,
  openedAt: 1_700_000_060_000,
  updatedAt: 1_700_000_060_000,
  verdict: null,
  assignee: null,
  comment: null,
  decidedBy: null,
  ...fields,
})

/** A threat at an offset of partition 0, on its way to sockets. */
export const threatAt = (
  offset: number,
  fields: Partial<Threat> = {},
): Extract<Delivery, { type: 'threat' }> => ({
  type: 'threat',
  position: { partition: 0, offset, previous: offset === 0 ? null : offset - 1 },
  data: makeThreat({ id: `raw-events-0-${offset}`, ...fields }),
})

/** An alert at an offset of partition 0, on its way to sockets. */
export const alertAt = (offset: number): Extract<Delivery, { type: 'alert' }> => ({
  type: 'alert',
  position: { partition: 0, offset, previous: null },
  data: makeAlert(),
})

/** A delivery as gateways hand it to each other. */
export const asMessage = <D extends Delivery>(delivery: D, epoch = 'epoch-1'): Message<D> => ({
  epoch,
  delivery,
  text: JSON.stringify(delivery),
})
