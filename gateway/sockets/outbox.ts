import type { Writable } from 'node:stream'
import type { Severity } from '../../schemas/generated.ts'
import { createDropped, type Dropped, type Origin } from './dropped.ts'
import { textFrame } from './frame.ts'

/** Where an outbox writes: a socket, or a stream in tests. */
export type Sink = Pick<Writable, 'write' | 'writableLength' | 'writableNeedDrain' | 'destroyed' | 'once'>

/** What waits for one socket. */
export interface Outbox {
  /**
   * Queues a frame; returns false, and drops all that waits, when the cap of bytes would be passed. A frame that is
   * larger than the cap itself is taken when nothing else waits.
   *
   * Before that, frames with an origin are left out, the least severe first: those that come while more than their share of
   * the cap is taken, and when the cap itself would be passed those that wait. Never critical ones. What was left out is
   * said at the end of the next write.
   */
  add(frame: Buffer, origin?: Origin): boolean
  /** Bytes that wait here and in the socket. */
  readonly bytes: number
  /** Writes what waits, unless the socket is behind; drops the rest, and takes nothing more. */
  close(): void
}

/** So many bytes are written without waiting for the end of the turn: joining more of them saves nothing. */
const FULL_WRITE_BYTES = 65_536

/** The part of the cap up to which frames of a severity are taken, in the order in which they are left out. */
const SHARES: readonly (readonly [Severity, number])[] = [
  ['low', 0.5],
  ['medium', 0.65],
  ['high', 0.8],
]
const SHARE_OF: Readonly<Partial<Record<Severity, number>>> = Object.fromEntries(SHARES)

/** After writing to all sockets, a flusher rests for this many times as long as it took; a frame never waits longer for it. */
const REST = 4
const MAX_REST_MS = 50

/** Runs something so many ms from now: less than one is at the end of this turn of the event loop. */
type Schedule = (run: () => void, afterMs: number) => unknown

const soon: Schedule = (run, afterMs) => (afterMs < 1 ? setImmediate(run) : setTimeout(run, afterMs))

/** Writes what was queued for many sockets. */
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

interface FlusherOptions {
  readonly schedule?: Schedule
  /** In ms from any point. */
  readonly now?: () => number
  /** Called for each frame that is left out. */
  readonly onDropped?: (origin: Origin) => void
}

/**
 * Makes the flusher of a gateway. What a message costs is the system call that writes it, not its framing; so the frames
 * that come for a socket within one turn of the event loop leave in one write, at the end of that turn. Where there are so
 * many sockets that one round of writes takes long, more frames join while the flusher rests after it: who is idle sends at
 * once, who is busy sends less often. A socket that is behind gets no further write until it has drained, so that what waits
 * for it can still be counted and dropped.
 */
export const createFlusher = ({
  schedule = soon,
  now = () => performance.now(),
  onDropped,
}: FlusherOptions = {}): Flusher => {
  const joiner = createJoiner()
  let dirty = new Set<() => void>()
  let restsUntil = 0

  const flushAll = () => {
    const flushes = dirty
    dirty = new Set()
    const started = now()
    for (const flush of flushes) flush()
    joiner.forget()
    const ended = now()
    restsUntil = ended + Math.min((ended - started) * REST, MAX_REST_MS)
  }
  const markDirty = (flush: () => void) => {
    if (dirty.size === 0) schedule(flushAll, restsUntil - now())
    dirty.add(flush)
  }

  return {
    open: (sink, maxBytes) => {
      let waiting: Buffer[] = []
      /** Where each of those comes from. */
      let origins: (Origin | undefined)[] = []
      let waitingBytes = 0
      let dropped: Dropped | undefined
      let isOpen = true
      let isDraining = false

      const empty = () => {
        waiting = []
        origins = []
        waitingBytes = 0
      }
      const drop = () => {
        empty()
        dirty.delete(flush)
      }
      const leaveOut = (origin: Origin) => {
        dropped ??= createDropped()
        dropped.note(origin)
        onDropped?.(origin)
        // For the client to be told, also when nothing else comes.
        markDirty(flush)
      }
      /** Leaves out what waits of a severity. */
      const thin = (severity: Severity) => {
        const isKept = origins.map(origin => origin?.severity !== severity)
        for (const origin of origins) if (origin?.severity === severity) leaveOut(origin)
        waiting = waiting.filter((_, index) => isKept[index])
        origins = origins.filter((_, index) => isKept[index])
        waitingBytes = waiting.reduce((sum, { length }) => sum + length, 0)
      }
      const fits = ({ length }: Buffer, share: number) => {
        const ahead = waitingBytes + sink.writableLength
        return ahead === 0 || ahead + length <= maxBytes * share
      }
      /** Leaves out what waits, the least severe first, until a frame fits; false when it does not even then. */
      const makeRoom = (frame: Buffer) =>
        SHARES.some(([severity]) => {
          thin(severity)
          return fits(frame, 1)
        })
      const flush = () => {
        if (!isOpen || sink.destroyed || (waiting.length === 0 && dropped === undefined)) return
        if (sink.writableNeedDrain) {
          if (isDraining) return
          isDraining = true
          sink.once('drain', () => {
            isDraining = false
            flush()
          })
          return
        }
        const notices = dropped?.notices().map(notice => textFrame(JSON.stringify(notice))) ?? []
        dropped = undefined
        const frames = notices.length === 0 ? waiting : [...waiting, ...notices]
        empty()
        sink.write(joiner.join(frames))
      }
      return {
        add: (frame, origin) => {
          if (!isOpen) return false
          const share = origin === undefined ? undefined : SHARE_OF[origin.severity]
          if (origin !== undefined && share !== undefined && !fits(frame, share)) {
            leaveOut(origin)
            return true
          }
          if (!fits(frame, 1) && !makeRoom(frame)) {
            isOpen = false
            drop()
            return false
          }
          waiting.push(frame)
          origins.push(origin)
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
