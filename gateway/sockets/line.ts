import type { Delivery } from '../../schemas/wire.ts'
import { textFrame } from './frame.ts'

/** The latest messages of a partition are held in memory: most clients that come back have missed only some of them. */
export const TAIL = 256

/** Bytes of them, at most. */
const TAIL_BYTES = 1_048_576

/** A delivery, framed when it is first sent. */
export interface FeedMessage {
  readonly delivery: Delivery
  readonly frame: () => Buffer
}

/** A message that is framed at most once; `text` is its JSON, where it is there already. */
export const feedMessage = (delivery: Delivery, text?: string): FeedMessage => {
  let frame: Buffer | undefined
  return {
    delivery,
    frame: () => {
      frame ??= textFrame(text ?? JSON.stringify(delivery))
      return frame
    },
  }
}

/** What is known of a partition. */
export interface Line {
  readonly partition: number
  /** The last offset that was delivered. */
  last: number
  /** The highest offset that is known to exist. */
  target: number
  /** The messages behind `tailFrom`, up to `last`. */
  readonly tail: FeedMessage[]
  tailFrom: number
  tailBytes: number
  /** The head of the history at the last look. */
  seen: number
  filling: Promise<void> | undefined
}

/** A partition of which all up to an offset was delivered. */
export const lineAt = (partition: number, last: number): Line => ({
  partition,
  last,
  target: last,
  tail: [],
  tailFrom: last,
  tailBytes: 0,
  seen: last,
  filling: undefined,
})

/** Holds nothing any more. */
export const forgetTail = (line: Line): void => {
  line.tail.length = 0
  line.tailBytes = 0
  line.tailFrom = line.last
}

/** Notes that a message was delivered, and holds it in place of older ones. */
export const remember = (line: Line, message: FeedMessage, held: number): void => {
  line.last = message.delivery.position.offset
  line.tail.push(message)
  line.tailBytes += message.frame().length
  while (line.tail.length > held || line.tailBytes > TAIL_BYTES) {
    const oldest = line.tail.shift()
    if (oldest === undefined) return
    line.tailFrom = oldest.delivery.position.offset
    line.tailBytes -= oldest.frame().length
  }
}
