import type { Severity } from '../../schemas/generated.ts'
import type { Channel, ServerMessage } from '../../schemas/wire.ts'

/** What a frame carries, for what may be dropped to be known. */
export interface Origin {
  readonly channel: Channel
  readonly severity: Severity
  readonly partition: number
  readonly offset: number
}

interface Loss {
  readonly severities: Partial<Record<Severity, number>>
  /** The offset before the first that was dropped, by partition. */
  readonly before: Map<number, number>
}

/** What was dropped of a socket since its client was last told. */
export interface Dropped {
  note(origin: Origin): void
  /** What the client is to be told, one message a channel; after that it counts anew. */
  notices(): ServerMessage[]
}

/** Starts with nothing dropped. */
export const createDropped = (): Dropped => {
  const losses = new Map<Channel, Loss>()
  return {
    note: ({ channel, severity, partition, offset }) => {
      const loss: Loss = losses.get(channel) ?? { severities: {}, before: new Map() }
      losses.set(channel, loss)
      loss.severities[severity] = (loss.severities[severity] ?? 0) + 1
      loss.before.set(partition, Math.min(loss.before.get(partition) ?? offset, offset - 1))
    },
    notices: () => {
      const notices = [...losses].map(
        ([channel, { severities, before }]): ServerMessage => ({
          type: 'dropped',
          channel,
          count: Object.values(severities).reduce((sum, count) => sum + count, 0),
          severities,
          positions: [...before].map(([partition, offset]) => ({ partition, offset })),
        }),
      )
      losses.clear()
      return notices
    },
  }
}
