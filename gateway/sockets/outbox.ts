import type { Writable } from 'node:stream'

/** Where an outbox writes: a socket, or a stream in tests. */
export type Sink = Pick<Writable, 'write' | 'writableLength' | 'writableNeedDrain' | 'destroyed' | 'once'>

/** What waits for one socket. */
export interface Outbox {
  /**
   * Queues a frame; returns false, and drops all that waits, when the cap of bytes would be passed. A frame that is
   * larger than the cap itself is taken when nothing else waits.
   */
  add(frame: Buffer): boolean
  /** Bytes that wait here and in the socket. */
  readonly bytes: number
  /** Writes what waits, unless the socket is behind; drops the rest, and takes nothing more. */
  close(): void
}

/** So many bytes are written without waiting for the end of the turn: joining more of them saves nothing. */
const FULL_WRITE_BYTES = 65_536

/** Writes all that was queued for many sockets, once a turn of the event loop. */
export interface Flusher {
  /** Makes the outbox of a socket. */
  open(sink: Sink, maxBytes: number): Outbox
}

/** Joins frames; sockets that wait for the same frames get the same buffer. */
const createJoiner = () => {
  let lastFrames: readonly Buffer[] = []
  let lastJoined = Buffer.alloc(0)
  const isLast = (frames: readonly Buffer[]) =>
    frames.length === lastFrames.length && frames.every((frame, index) => frame === lastFrames[index])
  return {
    join: (frames: readonly Buffer[]): Buffer => {
      const [only] = frames
      if (frames.length === 1 && only !== undefined) return only
      if (!isLast(frames)) {
        lastFrames = frames
        lastJoined = Buffer.concat(frames)
      }
      return lastJoined
    },
    forget: () => {
      lastFrames = []
      lastJoined = Buffer.alloc(0)
    },
  }
}

/**
 * Makes the flusher of a gateway. What a message costs is the system call that writes it, not its framing; so the frames
 * that come for a socket within one turn of the event loop leave in one write, at the end of that turn. A socket that is
 * behind gets no further write until it has drained, so that what waits for it can still be counted and dropped.
 */
export const createFlusher = (schedule: (run: () => void) => unknown = setImmediate): Flusher => {
  const joiner = createJoiner()
  let dirty = new Set<() => void>()

  const flushAll = () => {
    const flushes = dirty
    dirty = new Set()
    for (const flush of flushes) flush()
    joiner.forget()
  }
  const markDirty = (flush: () => void) => {
    if (dirty.size === 0) schedule(flushAll)
    dirty.add(flush)
  }

  return {
    open: (sink, maxBytes) => {
      let waiting: Buffer[] = []
      let waitingBytes = 0
      let isOpen = true
      let isDraining = false

      const drop = () => {
        waiting = []
        waitingBytes = 0
        dirty.delete(flush)
      }
      const flush = () => {
        if (!isOpen || sink.destroyed || waiting.length === 0) return
        if (sink.writableNeedDrain) {
          if (isDraining) return
          isDraining = true
          sink.once('drain', () => {
            isDraining = false
            flush()
          })
          return
        }
        const frames = waiting
        waiting = []
        waitingBytes = 0
        sink.write(joiner.join(frames))
      }
      return {
        add: frame => {
          if (!isOpen) return false
          const ahead = waitingBytes + sink.writableLength
          if (ahead > 0 && ahead + frame.length > maxBytes) {
            isOpen = false
            drop()
            return false
          }
          waiting.push(frame)
          waitingBytes += frame.length
          if (waitingBytes >= FULL_WRITE_BYTES) flush()
          else markDirty(flush)
          return true
        },
        get bytes() {
          return waitingBytes + sink.writableLength
        },
        close: () => {
          flush()
          isOpen = false
          drop()
        },
      }
    },
  }
}
